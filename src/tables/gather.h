#pragma once
// Rows of several batches as one batch with memory of its own.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"

namespace arrow {
class RecordBatch;
class Schema;
}  // namespace arrow

namespace sluice::tables {

// Rows of a batch (its number among all), in this order.
struct RowPick {
  size_t batch;
  std::span<const uint32_t> rows;
};

// Of batches with the same columns; what is alike for all picks is looked at once.
class Gatherer {
 public:
  // Dictionaries are made alike (WithOneDictionary). Errors: kRetryable "out-of-memory".
  static Result<Gatherer> Make(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches);
  ~Gatherer();
  Gatherer(Gatherer&&) noexcept;

  // The picked rows, one pick after the other: each value is copied once. At most 2 GiB of texts in a column.
  Result<std::shared_ptr<arrow::RecordBatch>> Gather(std::span<const RowPick> picks) const;

 private:
  class Column;
  Gatherer();

  std::shared_ptr<arrow::Schema> schema_;
  std::vector<Column> columns_;
};

}  // namespace sluice::tables
