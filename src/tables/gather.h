#pragma once
// Rows of several batches as one batch with memory of its own.
#include <cstdint>
#include <memory>
#include <optional>
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

// Rows picked of batches that others pick of, too.
class PickedRows {
 public:
  using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;
  // All outlive it. `gatherer` is made where one is first asked for, and then is everybody's; one thread at a time.
  PickedRows(const Batches& batches, std::span<const RowPick> picks, std::optional<Gatherer>* gatherer);

  int64_t num_rows() const { return rows_; }
  const Batches& batches() const { return batches_; }
  std::span<const RowPick> picks() const { return picks_; }
  bool IsWhole(const RowPick& pick) const;  // all rows of its batch, in order
  // With memory of its own, or a whole batch: it may be kept longer than others.
  Result<std::shared_ptr<arrow::RecordBatch>> AsBatch() const;

 private:
  const Batches& batches_;
  std::span<const RowPick> picks_;
  std::optional<Gatherer>* gatherer_;
  int64_t rows_;
};

}  // namespace sluice::tables
