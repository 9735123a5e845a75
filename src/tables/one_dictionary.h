#pragma once
// Columns whose batches came with dictionaries.
#include <arrow/type_fwd.h>

#include "core/result.h"

namespace sluice::tables {

// The arrays of one column made alike: all dense, or all of one dictionary. Dictionaries that grew in the same memory
// (contract::TextDictionary) are that of the longest; others are joined; where some are dense, all become so.
Result<arrow::ArrayVector> WithOneDictionary(arrow::ArrayVector arrays);

// One batch of all: ConcatenateRecordBatches for such columns.
Result<std::shared_ptr<arrow::RecordBatch>> ConcatenateBatches(const arrow::RecordBatchVector& batches);

}  // namespace sluice::tables
