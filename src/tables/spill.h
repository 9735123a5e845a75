#pragma once
// Rows of partitions that have no open file wait in one scratch file, chunk by chunk, until their partition is written as a whole.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace arrow {
class RecordBatch;
class Schema;
}  // namespace arrow

namespace sluice::tables {

class SpillFile {
 public:
  struct Chunk {
    int64_t offset = 0, bytes = 0, rows = 0;
  };
  // A nameless file in `dir` (or made there and unlinked): nothing stays behind a crash. Errors: kRetryable "scratch".
  static Result<std::unique_ptr<SpillFile>> Open(const std::string& dir, std::shared_ptr<arrow::Schema> schema);
  virtual ~SpillFile() = default;
  virtual Result<Chunk> Append(const arrow::RecordBatch& batch) = 0;
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Read(const Chunk& chunk) = 0;
};

}  // namespace sluice::tables
