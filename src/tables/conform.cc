#include "tables/conform.h"

#include <arrow/array.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "core/counted.h"

namespace sluice::tables {
namespace {

// Same buffers, same meaning: only names and nullability may differ.
bool SameLayout(const arrow::DataType& a, const arrow::DataType& b) {
  if (a.id() != b.id()) return false;
  if (a.num_fields() == 0) return a.Equals(b);
  if (a.num_fields() != b.num_fields()) return false;
  for (int i = 0; i < a.num_fields(); ++i) {
    if (a.id() == arrow::Type::STRUCT && a.field(i)->name() != b.field(i)->name()) return false;
    if (!SameLayout(*a.field(i)->type(), *b.field(i)->type())) return false;
  }
  return a.id() == arrow::Type::STRUCT || a.id() == arrow::Type::LIST || a.id() == arrow::Type::MAP;
}

// Only texts may come so: of them alone the Parquet writer takes dictionaries as they are.
bool IsDictionaryOf(const arrow::DataType& type, const arrow::DataType& value) {
  return type.id() == arrow::Type::DICTIONARY && value.id() == arrow::Type::STRING &&
         static_cast<const arrow::DictionaryType&>(type).value_type()->Equals(value);
}

std::shared_ptr<arrow::ArrayData> Relabel(const arrow::ArrayData& data, const std::shared_ptr<arrow::DataType>& type) {
  auto out = data.Copy();
  out->type = type;
  for (size_t i = 0; i < out->child_data.size(); ++i)
    out->child_data[i] = Relabel(*data.child_data[i], type->field(static_cast<int>(i))->type());
  return out;
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> Conform(const std::shared_ptr<arrow::Array>& array, const std::shared_ptr<arrow::DataType>& type,
                                              const std::string& column) {
  if (array->type()->Equals(*type)) return array;
  if (IsDictionaryOf(*array->type(), *type)) return array;
  if (SameLayout(*array->type(), *type)) return arrow::MakeArray(Relabel(*array->data(), type));
  const auto cast = arrow::compute::Cast(*array, type, arrow::compute::CastOptions::Safe());
  if (!cast.ok())
    return Fail(DataError("conversion", fmt::format("column \"{}\": {} cannot become {}: {}", column, array->type()->ToString(),
                                                    type->ToString(), cast.status().message())));
  return *cast;
}

std::shared_ptr<arrow::Array> Renamed(const std::shared_ptr<arrow::Array>& array, const std::shared_ptr<arrow::DataType>& type) {
  return type->num_fields() == 0 || array->type()->Equals(*type) ? array : arrow::MakeArray(Relabel(*array->data(), type));
}

Result<std::shared_ptr<arrow::Array>> Dense(const std::shared_ptr<arrow::Array>& array) {
  if (array->type_id() != arrow::Type::DICTIONARY) return array;
  const auto& type = static_cast<const arrow::DictionaryType&>(*array->type());
  const auto cast = arrow::compute::Cast(*array, type.value_type(), arrow::compute::CastOptions::Safe());
  if (!cast.ok()) return Fail(BugError("arrow: " + cast.status().ToString()));
  return *cast;
}

Result<std::shared_ptr<arrow::RecordBatch>> Dense(const arrow::RecordBatch& batch) {
  arrow::ArrayVector columns;
  for (int i = 0; i < batch.num_columns(); ++i) {
    SLUICE_TRY(auto column, Dense(batch.column(i)));
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(batch.schema(), batch.num_rows(), std::move(columns));
}

int64_t CountNulls(const arrow::Array& array, const std::vector<uint8_t>& dropped) {
  int64_t nulls = array.null_count();
  for (size_t row = 0; nulls > 0 && row < dropped.size(); ++row)
    nulls -= static_cast<int64_t>(dropped[row] != 0 && array.IsNull(static_cast<int64_t>(row)));
  return nulls;
}

Result<std::shared_ptr<arrow::RecordBatch>> Conform(const arrow::RecordBatch& batch, const std::shared_ptr<arrow::Schema>& schema,
                                                    const std::vector<uint8_t>& dropped) {
  if (batch.num_columns() < schema->num_fields())
    return Fail(BugError(fmt::format("a batch of {} columns for a table of {}", batch.num_columns(), schema->num_fields())));
  arrow::ArrayVector columns;
  for (int i = 0; i < schema->num_fields(); ++i) {
    const auto& field = *schema->field(i);
    SLUICE_TRY(auto column, Conform(batch.column(i), field.type(), field.name()));
    const int64_t nulls = field.nullable() ? 0 : CountNulls(*column, dropped);
    if (nulls > 0)
      return Fail(DataError("not-null", fmt::format("column \"{}\" must not be NULL, but {} a NULL there", field.name(),
                                                    Counted(nulls, "row has", "rows have"))));
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

}  // namespace sluice::tables
