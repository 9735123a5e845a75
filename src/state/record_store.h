#pragma once
// Records in the store: listing, reading, and putting once.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/batch.h"
#include "state/record_json.h"
#include "state/record_keys.h"

namespace sluice::state {

// The records of one batch that a listing showed.
struct BatchRecords {
  int64_t n = 0;
  int lowest_attempt = 0, highest_attempt = 0;  // 0: none
  int highest_k = 0;                            // 0: not decided
  bool done = false;
};

// Batches from number `from` on, in order.
Result<std::vector<BatchRecords>> ListBatches(store::ObjectStore& lake, const std::string& node, int64_t from);
Result<BatchRecords> ListBatch(store::ObjectStore& lake, const std::string& node, int64_t n);

Result<OpenRecord> ReadOpen(store::ObjectStore& lake, const std::string& node, int64_t n, int attempt);
Result<ReadyRecord> ReadReady(store::ObjectStore& lake, const std::string& node, int64_t n, int k);
Result<DoneRecord> ReadDone(store::ObjectStore& lake, const std::string& node, int64_t n);

// Puts a record if absent and gives the bytes that stand there now: these, or those of who was first. An unknown answer is settled
// by reading back. Error kRetryable "unknown-outcome" if that cannot be had.
Result<std::string> PutOnce(store::ObjectStore& lake, Clock& clock, const std::string& key, const std::string& bytes);

// The index of the last done batch, written after its record. Failing to write it, or to read it, costs only time.
void WriteHead(store::ObjectStore& lake, const std::string& node, const HeadIndex& head);
std::optional<HeadIndex> ReadHead(store::ObjectStore& lake, const std::string& node);
std::string HeadKey(const std::string& node);

}  // namespace sluice::state
