#pragma once
// What does not fit into memory waits in one scratch file, chunk by chunk, until its partition is written as a whole: rows of partitions
// that have no open file, and pages of those that have one.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
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
  // Thread-safe, beside each other. `out` has room for the chunk, or a part of one.
  virtual Result<Chunk> AppendBytes(std::string_view bytes) = 0;
  virtual Status ReadBytes(const Chunk& chunk, char* out) = 0;
};

}  // namespace sluice::tables
