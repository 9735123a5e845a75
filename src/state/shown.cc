// What readers of a publish group are shown (design section 8).
#include <algorithm>

#include "state/record_store.h"

namespace sluice::state {

Result<std::optional<int64_t>> ShownVersion(store::ObjectStore& lake, const NodeIdentity& owner, const std::string& root,
                                            const delta::Snapshot& newest) {
  const auto txn = newest.TxnVersion(owner.app_id());
  if (!txn) return newest.version;
  SLUICE_TRY(const auto batches, ListBatches(lake, owner.node, 0));
  for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
    if (!batch->done) continue;
    SLUICE_TRY(const DoneRecord done, ReadDone(lake, owner.node, batch->n));
    if (done.abandoned) continue;
    const auto table = std::find_if(done.tables.begin(), done.tables.end(), [&](const TableVersion& one) { return one.root == root; });
    if (table == done.tables.end()) return std::optional<int64_t>();
    return table->batch == *txn ? newest.version : table->version;  // later commits that are no batch's may be seen
  }
  return std::optional<int64_t>();
}

}  // namespace sluice::state
