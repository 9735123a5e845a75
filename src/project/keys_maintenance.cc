#include "core/text.h"
#include "project/keys_common.h"

namespace sluice::project {

using config::Object;
using config::Type;

Type<Placed<int64_t>> Size() {
  return config::Parsed<int64_t>({"a size", "size", "128MiB", {"string", "integer"}, ""}, [](const std::string& text) -> Result<int64_t> {
    const auto bytes = ParseBytes(text);
    if (bytes && *bytes >= (1LL << 20)) return *bytes;
    return Fail(UserError("bad-size", "\"" + text + "\" is no size of at least 1MiB").Hint("write it as 128MiB or 1GB"));
  });
}

namespace {

Type<VacuumSpec> VacuumType() {
  using V = VacuumSpec;
  const auto whole = Object<V>("vacuum", "Vacuum", "Files that no version within the retention has are removed, now and then.")
                         .Required("every", &V::every, config::Duration(), "How long at least from one time to the next.")
                         .Optional("retention", &V::retention, config::At(config::Duration()), "(the table's property, else 7d)",
                                   "How long files stay that no longer belong to the table: at least a week.")
                         .Slip("keep", "write retention:")
                         .Slip("retain", "write retention:")
                         .Example("every: 1d\nretention: 7d")
                         .Type();
  const auto brief = config::Mapped<V, int64_t>(config::Duration(), [](int64_t every) { return V{every, std::nullopt}; });
  return config::Either(brief, whole);
}

}  // namespace

Type<MaintenanceSpec> MaintenanceType() {
  using M = MaintenanceSpec;
  return Object<M>("maintenance", "Maintenance",
                   "What `sluice run` does for a table after its batch, and where it is due without one ([more](tables.md#maintenance)). A "
                   "failure is a warning in the report: the rows are in.")
      .Optional("compact_after", &M::compact_after, config::Integer(2, 1'000'000), "(never)",
                "Once one partition has so many small files, they are packed together.")
      .Optional("target_size", &M::target_size, Size(), "(128MiB)", "The size of a full file; files below three quarters of it are small.")
      .Optional("z_order_by", &M::z_order_by, SomeNames("column"), "",
                "With `compact_after`: the partition is written anew in the order of a Z-curve over these columns.")
      .Optional("vacuum", &M::vacuum, VacuumType(), "(never)", "When files that no version needs are removed.")
      .Optional("max_hold", &M::max_hold, config::Duration(), "(30d)",
                "How long a vacuum keeps files for a known reader that does not read on.")
      .Place(&M::where)
      .Broken(&M::broken)
      .Slip("optimize_after", "write compact_after:")
      .Slip("auto_compact", "write compact_after: 20, the number of small files")
      .Slip("optimize", "write compact_after: 20, the number of small files")
      .Slip("zorder", "write z_order_by:")
      .Slip("z_order", "write z_order_by:")
      .Slip("retention", "write vacuum: { every: 1d, retention: 7d }")
      .Example("compact_after: 20\ntarget_size: 128MiB\nz_order_by: [customer_id]\nvacuum: { every: 1d, retention: 7d }")
      .Type();
}

}  // namespace sluice::project
