#include "tables/one_dictionary.h"

#include <arrow/array.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/concatenate.h>
#include <arrow/chunked_array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

#include "tables/conform.h"

namespace sluice::tables {
namespace {

bool IsDictionary(const std::shared_ptr<arrow::Array>& array) { return array->type_id() == arrow::Type::DICTIONARY; }
const arrow::ArrayData& TextsOf(const std::shared_ptr<arrow::Array>& array) { return *array->data()->dictionary; }

Error OutOfMemory(const arrow::Status& status) { return RetryableError("out-of-memory", "dictionaries of a column: " + status.ToString()); }

// The longest of dictionaries that share their memory; nullptr: they do not.
std::shared_ptr<arrow::ArrayData> LongestOfOne(const arrow::ArrayVector& arrays) {
  std::shared_ptr<arrow::ArrayData> longest = arrays[0]->data()->dictionary;
  for (const auto& array : arrays) {
    const arrow::ArrayData& texts = TextsOf(array);
    if (texts.offset != 0 || texts.buffers != longest->buffers) return nullptr;
    if (texts.length > longest->length) longest = array->data()->dictionary;
  }
  return longest;
}

}  // namespace

Result<arrow::ArrayVector> WithOneDictionary(arrow::ArrayVector arrays) {
  const auto dictionaries = std::count_if(arrays.begin(), arrays.end(), IsDictionary);
  if (dictionaries == 0) return arrays;
  if (dictionaries < static_cast<int64_t>(arrays.size())) {
    for (auto& array : arrays) {
      SLUICE_TRY(array, Dense(array));
    }
    return arrays;
  }
  if (const auto longest = LongestOfOne(arrays)) {
    for (auto& array : arrays) {
      if (array->data()->dictionary == longest) continue;
      auto data = array->data()->Copy();
      data->dictionary = longest;
      array = arrow::MakeArray(std::move(data));
    }
    return arrays;
  }
  const auto joined = arrow::DictionaryUnifier::UnifyChunkedArray(std::make_shared<arrow::ChunkedArray>(std::move(arrays)));
  if (!joined.ok()) return Fail(OutOfMemory(joined.status()));
  return (*joined)->chunks();
}

Result<std::shared_ptr<arrow::RecordBatch>> ConcatenateBatches(const arrow::RecordBatchVector& batches) {
  if (batches.size() == 1) return batches[0];
  int64_t rows = 0;
  for (const auto& batch : batches) rows += batch->num_rows();
  arrow::ArrayVector columns;
  for (int column = 0; column < batches[0]->num_columns(); ++column) {
    arrow::ArrayVector parts;
    for (const auto& batch : batches) parts.push_back(batch->column(column));
    SLUICE_TRY(parts, WithOneDictionary(std::move(parts)));
    const auto whole = arrow::Concatenate(parts);
    if (!whole.ok()) return Fail(OutOfMemory(whole.status()));
    columns.push_back(*whole);
  }
  return arrow::RecordBatch::Make(batches[0]->schema(), rows, std::move(columns));
}

}  // namespace sluice::tables
