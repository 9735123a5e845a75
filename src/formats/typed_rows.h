#pragma once
// Rows of a format that has types of its own (Parquet, ORC, Avro), as Arrow batches → the contract's rows.
#include <memory>
#include <string>
#include <vector>

#include "formats/column_plan.h"
#include "formats/field_shape.h"
#include "formats/reader.h"

namespace arrow {
class DataType;
}

namespace sluice::formats {

// Shared by all blocks of a file.
struct TypedPlan {
  ColumnPlan columns;
  FieldShape shape;  // children as columns.columns
  contract::Schema schema;
};

// Errors: those of PlanColumns and ShapeOf; kData "duplicate-header".
Result<std::shared_ptr<const TypedPlan>> PlanTyped(const ReadRequest& request, const std::vector<std::string>& names);

// The type in which a UUID is 16 bytes like any others.
std::shared_ptr<arrow::DataType> WithoutUuids(const std::shared_ptr<arrow::DataType>& type);

// A block of the batch's rows, whose columns are those that the plan was made for.
Result<std::unique_ptr<RawBlock>> TypedRows(std::shared_ptr<arrow::RecordBatch> batch, std::shared_ptr<const TypedPlan> plan,
                                            int64_t first_row);

// The file's columns that the request lacks, with their types. Error kUser "unsupported-type", naming the column.
Result<std::vector<contract::Field>> NewTypedColumns(const ReadRequest& request, const arrow::Schema& schema);

}  // namespace sluice::formats
