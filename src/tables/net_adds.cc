#include "tables/net_adds.h"

#include "tables/restore.h"

namespace sluice::tables {

Result<std::optional<std::vector<delta::Add>>> NetAdds(store::ObjectStore& store, std::string_view table_root, int64_t version,
                                                       const delta::Snapshot& now) {
  SLUICE_TRY(const delta::Snapshot then, delta::LoadSnapshot(store, table_root, version));
  if (!FilesWithout(then, now).empty()) return std::optional<std::vector<delta::Add>>();
  return std::optional(FilesWithout(now, then));
}

}  // namespace sluice::tables
