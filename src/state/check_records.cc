#include "state/check_records.h"

#include <fmt/format.h>

#include <algorithm>

#include "state/record_store.h"

namespace sluice::state {
namespace {

class NodeCheck {
 public:
  NodeCheck(store::ObjectStore& lake, const std::string& node, RecordCheck& out) : lake_(lake), node_(node), out_(out) {}

  Status Run() {
    SLUICE_TRY(std::vector<BatchRecords> batches, ListBatches(lake_, node_, 0));
    SLUICE_TRY(indexed_, Indexed(batches));
    if (batches.size() > kBatchesChecked) batches.erase(batches.begin(), batches.end() - kBatchesChecked);
    for (const BatchRecords& batch : batches) SLUICE_CHECK(CheckBatch(batch));
    ++out_.nodes;
    out_.batches += static_cast<int64_t>(batches.size());
    return Ok();
  }

 private:
  // Does the index stand for the last done batch? Then the node's runs do not read that batch's records.
  Result<bool> Indexed(const std::vector<BatchRecords>& batches) {
    const auto last = std::find_if(batches.rbegin(), batches.rend(), [](const BatchRecords& batch) { return batch.done; });
    const auto head = ReadHead(lake_, node_);
    return head && last != batches.rend() && head->done.n == last->n;
  }

  Status CheckBatch(const BatchRecords& batch) {
    for (int attempt = batch.lowest_attempt; attempt > 0 && attempt <= batch.highest_attempt; ++attempt) {
      const auto open = ReadOpen(lake_, node_, batch.n, attempt);
      if (!open && open.error().kind == ErrorKind::kNotFound) continue;  // an attempt whose put was lost is passed over for the next
      SLUICE_CHECK(Look(open, OpenKey(node_, batch.n, attempt)));
    }
    for (int k = 1; k <= std::max(batch.highest_k, batch.done ? 1 : 0); ++k)
      SLUICE_CHECK(Look(ReadReady(lake_, node_, batch.n, k), ReadyKey(node_, batch.n, k)));
    return batch.done ? Look(ReadDone(lake_, node_, batch.n), DoneKey(node_, batch.n)) : Ok();
  }

  template <typename Record>
  Status Look(const Result<Record>& record, const std::string& key) {
    if (record) return Ok();
    Error error = record.error();
    const bool missing = error.kind == ErrorKind::kNotFound;
    if (!missing && error.code != "bad-record" && error.code != "newer-record") return Fail(std::move(error));
    if (missing) error = ConflictError("record-missing", fmt::format("the record {} is gone", key));
    if (error.code != "newer-record" && !key.ends_with(".done")) {
      error.hint = "it was damaged outside of Sluice: put it back from a backup of the lake's _sluice";
      if (indexed_) error.hint += "; until then keep _sluice/index, from which the runs go on";
    }
    out_.faults.push_back(std::move(error));
    return Ok();
  }

  store::ObjectStore& lake_;
  const std::string& node_;
  RecordCheck& out_;
  bool indexed_ = false;
};

}  // namespace

Result<RecordCheck> CheckRecords(store::ObjectStore& lake) {
  RecordCheck out;
  SLUICE_TRY(const auto nodes, NodesWithRecords(lake));
  for (const std::string& node : nodes) SLUICE_CHECK(NodeCheck(lake, node, out).Run());
  return out;
}

}  // namespace sluice::state
