#pragma once
// Keys seen in a batch: `unique` and `deduplicate`. Not thread-safe: rows must come in the order of files and records anyway.
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ingest/check_block.h"
#include "ingest/row_hash.h"

namespace sluice::ingest {

// `unique`: the first row of a key stays; an identical copy is dropped, a differing one refused. A key with a NULL in it is no key.
// Memory: about 50 bytes per key.
class UniqueKeys {
 public:
  // Columns by index in the decoded rows; `content`: those compared for being a copy.
  UniqueKeys(std::vector<int> key, std::vector<int> content, std::string key_text);
  // Looks at the rows not refused and not dropped yet.
  void Apply(CheckedBlock* block, std::vector<uint8_t>* dropped);

 private:
  struct Slot {
    Hash128 key, content;
  };
  Slot* Find(const Hash128& key);
  void Grow();

  std::vector<int> key_, content_;
  std::string key_text_;
  std::vector<Slot> slots_;  // open addressing; an all-zero key is a free slot
  size_t used_ = 0;
};

// `deduplicate`: of each key the row that is last by `order_by` stays, of equal ones the last by file and record. First all rows are
// shown (Observe), then each can be asked for (IsWinner), by its ordinal: its number among all observed rows.
class LatestRows {
 public:
  LatestRows(std::vector<int> key, std::vector<int> order_by) : key_(std::move(key)), order_by_(std::move(order_by)) {}
  void Observe(const arrow::RecordBatch& rows);
  // Rows of a batch that began at ordinal `first`; 1 = it lost against another. The same rows as were observed.
  std::vector<uint8_t> Losers(const arrow::RecordBatch& rows, uint64_t first) const;
  uint64_t observed() const { return observed_; }

 private:
  struct Winner {
    uint64_t ordinal;
    std::string order;
  };
  struct Hasher {
    size_t operator()(const Hash128& hash) const { return hash.low; }
  };
  std::vector<int> key_, order_by_;
  std::unordered_map<Hash128, Winner, Hasher> winners_;
  uint64_t observed_ = 0;
};

}  // namespace sluice::ingest
