#pragma once
// Batches from outside made to have exactly the wanted layout.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"

namespace arrow {
class Array;
class DataType;
class RecordBatch;
class Schema;
}  // namespace arrow

namespace sluice::tables {

// `array` as `type`: as it is, also where it is a dictionary of texts, relabelled where only the names of nested fields differ, else
// cast (checked). Errors: kData "conversion" naming the column.
Result<std::shared_ptr<arrow::Array>> Conform(const std::shared_ptr<arrow::Array>& array, const std::shared_ptr<arrow::DataType>& type,
                                              const std::string& column);

// The same values under a type that differs in the names of nested fields alone.
std::shared_ptr<arrow::Array> Renamed(const std::shared_ptr<arrow::Array>& array, const std::shared_ptr<arrow::DataType>& type);

// Without dictionaries: each value itself.
Result<std::shared_ptr<arrow::Array>> Dense(const std::shared_ptr<arrow::Array>& array);
Result<std::shared_ptr<arrow::RecordBatch>> Dense(const arrow::RecordBatch& batch);

// The NULLs of an array, but for the rows where `dropped` is not 0 (empty: of all rows).
int64_t CountNulls(const arrow::Array& array, const std::vector<uint8_t>& dropped);

// The first columns of `batch` as `schema`. kBug if it has fewer; kData "not-null" where a column that must not be NULL is, in a row that
// is not dropped.
Result<std::shared_ptr<arrow::RecordBatch>> Conform(const arrow::RecordBatch& batch, const std::shared_ptr<arrow::Schema>& schema,
                                                    const std::vector<uint8_t>& dropped = {});

}  // namespace sluice::tables
