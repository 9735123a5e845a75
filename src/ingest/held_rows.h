#pragma once
// Rows that must wait until all of the batch has been seen (deduplicate): in memory up to a budget, then in one scratch file.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "ingest/check_block.h"

namespace sluice::ingest {

// Not thread-safe.
class HeldRows {
 public:
  HeldRows(std::string scratch_dir, std::string name, int64_t memory_bytes, bool with_raw);
  ~HeldRows();  // removes the scratch file
  HeldRows(const HeldRows&) = delete;

  // Keeps the rows that are not refused.
  Status Add(const CheckedBlock& block, size_t file);
  // All that was added, in that order, as blocks without refused rows.
  Status ForEach(const std::function<Status(CheckedBlock block, size_t file)>& visit);

 private:
  struct Spill;
  Status Append(std::shared_ptr<arrow::RecordBatch> batch);

  std::string path_;
  int64_t memory_bytes_, held_bytes_ = 0;
  bool with_raw_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches_;  // those before the scratch file's
  std::vector<size_t> files_;                                 // of each batch
  std::unique_ptr<Spill> spill_;
};

// Rows for which `drop` is 0.
Result<std::shared_ptr<arrow::RecordBatch>> KeepRows(const std::shared_ptr<arrow::RecordBatch>& rows, const std::vector<uint8_t>& drop);

}  // namespace sluice::ingest
