#pragma once
// Batches from outside made to have exactly the wanted layout.
#include <memory>

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

// The first columns of `batch` as `schema`. kBug if it has fewer; kData "not-null" where a column that must not be NULL is.
Result<std::shared_ptr<arrow::RecordBatch>> Conform(const arrow::RecordBatch& batch, const std::shared_ptr<arrow::Schema>& schema);

}  // namespace sluice::tables
