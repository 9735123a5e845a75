#include <algorithm>
#include <set>

#include "core/text.h"
#include "state/record_store.h"

namespace sluice::state {

Result<std::vector<BatchSummary>> History(store::ObjectStore& lake, const std::string& node, size_t limit) {
  SLUICE_TRY(auto batches, ListBatches(lake, node, 0));
  std::reverse(batches.begin(), batches.end());
  if (batches.size() > limit) batches.resize(limit);
  std::vector<BatchSummary> history;
  for (const BatchRecords& batch : batches) {
    BatchSummary summary{.n = batch.n, .attempts = batch.highest_attempt};
    if (batch.done) {
      SLUICE_TRY(summary.done, ReadDone(lake, node, batch.n));
    }
    if (batch.highest_k > 0) {
      SLUICE_TRY(summary.ready, ReadReady(lake, node, batch.n, batch.highest_k));
    }
    history.push_back(std::move(summary));
  }
  return history;
}

Result<std::pair<DoneRecord, ReadyRecord>> ReadBatch(store::ObjectStore& lake, const std::string& node, int64_t n) {
  SLUICE_TRY(DoneRecord done, ReadDone(lake, node, n));
  SLUICE_TRY(ReadyRecord ready, ReadReady(lake, node, n, done.k));
  return std::pair(std::move(done), std::move(ready));
}

Result<std::vector<std::string>> NodesWithRecords(store::ObjectStore& lake) {
  constexpr std::string_view kFolder = "_sluice/batches/";
  SLUICE_TRY(const auto objects, lake.List(kFolder));
  std::set<std::string> nodes;
  for (const store::ObjectMeta& object : objects) {
    const std::string_view rest = std::string_view(object.key).substr(kFolder.size());
    if (const size_t slash = rest.find('/'); slash != std::string_view::npos) nodes.insert(PercentDecode(rest.substr(0, slash)));
  }
  return std::vector<std::string>(nodes.begin(), nodes.end());
}

}  // namespace sluice::state
