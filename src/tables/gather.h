#pragma once
// Rows of several batches as one batch with memory of its own.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"

namespace arrow {
class RecordBatch;
}

namespace sluice::tables {

// Rows of `batch`, in this order.
struct RowPick {
  const arrow::RecordBatch* batch;
  std::span<const uint32_t> rows;
};

// The picked rows, one pick after the other: each value is copied once. Batches have the same columns, alike by WithOneDictionary.
// At most 2 GiB of texts in a column. Errors: kRetryable "out-of-memory".
Result<std::shared_ptr<arrow::RecordBatch>> Gather(std::span<const RowPick> picks);

}  // namespace sluice::tables
