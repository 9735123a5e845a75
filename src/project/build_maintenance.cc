#include "project/build.h"
#include "project/names.h"

namespace sluice::project {

std::optional<Maintenance> BuildMaintenance(const std::optional<MaintenanceSpec>& spec, Diagnostics& diagnostics) {
  constexpr int64_t kWeek = 7 * 86'400'000'000LL;
  if (!spec) return std::nullopt;
  Maintenance maintenance;
  maintenance.where = spec->where;
  maintenance.compact_after = spec->compact_after.value_or(0);
  if (spec->target_size) maintenance.target_bytes = spec->target_size->value;
  maintenance.z_order_by = TextsOf(spec->z_order_by);
  if (spec->max_hold) maintenance.max_hold_micros = *spec->max_hold;
  CheckDistinct(spec->z_order_by, "duplicate-item", "the z_order_by column", diagnostics);
  if (!spec->z_order_by.empty() && !spec->compact_after && !spec->broken)
    diagnostics.Add(UserError("missing-key", "\"z_order_by\" goes with \"compact_after\"")
                        .At(spec->z_order_by.front().where)
                        .Hint("add compact_after: 20, after how many small files a partition is written anew"));
  if (!spec->vacuum) return maintenance;
  maintenance.vacuum_every_micros = spec->vacuum->every;
  const auto& retention = spec->vacuum->retention;
  if (retention) maintenance.vacuum_retention_micros = retention->value;
  if (retention && retention->value < kWeek)
    diagnostics.Add(UserError("short-retention", "a retention of less than 7 days may remove files that readers, or writers at work, need")
                        .At(retention->where)
                        .Hint("write at least 7d; `sluice table vacuum` can be told that nobody reads"));
  return maintenance;
}

}  // namespace sluice::project
