#include "tables/encodings.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <functional>
#include <string_view>

namespace sluice::tables {
namespace {

// With this many rows a cardinality at the usual limit (131,072 numbers of 8 bytes) still shows in 64 repeated values.
constexpr int64_t kSampleRows = 4096;

struct Sample {
  int64_t values = 0, bytes = 0;  // that are not NULL
  std::vector<size_t> hashes;
};

template <typename ValueAt>
Sample SampleOf(const arrow::Array& array, ValueAt value_at) {
  Sample sample;
  for (int64_t row = 0; row < kSampleRows; ++row) {
    if (array.IsNull(row)) continue;
    const std::string_view value = value_at(row);
    ++sample.values;
    sample.bytes += static_cast<int64_t>(value.size());
    sample.hashes.push_back(std::hash<std::string_view>()(value));
  }
  return sample;
}

// Empty for the types that have no dictionary worth a thought.
Sample SampleOf(const arrow::Array& array) {
  if (array.type_id() == arrow::Type::STRING || array.type_id() == arrow::Type::BINARY) {
    const auto& texts = static_cast<const arrow::BinaryArray&>(array);
    return SampleOf(array, [&](int64_t row) { return texts.GetView(row); });
  }
  if (array.type_id() == arrow::Type::DICTIONARY || !arrow::is_fixed_width(array.type_id()) || array.type()->bit_width() % 8 != 0)
    return {};
  const int64_t width = array.type()->bit_width() / 8;
  const auto* bytes = array.data()->GetValues<char>(1, array.offset() * width);
  return SampleOf(array, [&](int64_t row) { return std::string_view(bytes + row * width, static_cast<size_t>(width)); });
}

bool Outgrows(const arrow::Array& array, int64_t limit_bytes) {
  Sample sample = SampleOf(array);
  if (sample.values < kSampleRows / 2) return false;
  std::sort(sample.hashes.begin(), sample.hashes.end());
  const auto distinct = std::unique(sample.hashes.begin(), sample.hashes.end()) - sample.hashes.begin();
  const double value_bytes = static_cast<double>(sample.bytes) / static_cast<double>(sample.values);
  return EstimatedDistinct(static_cast<size_t>(sample.values), static_cast<size_t>(distinct)) * value_bytes >
         static_cast<double>(limit_bytes);
}

}  // namespace

double EstimatedDistinct(size_t values, size_t distinct) {
  const double n = static_cast<double>(values), repeated = n - static_cast<double>(distinct);
  return n * n / 2 / std::max(repeated, 0.5);
}

std::vector<std::string> ColumnsWithoutDictionary(const arrow::RecordBatch& first_rows, int64_t limit_bytes) {
  std::vector<std::string> names;
  if (first_rows.num_rows() < kSampleRows) return names;
  for (int i = 0; i < first_rows.num_columns(); ++i)
    if (Outgrows(*first_rows.column(i), limit_bytes)) names.push_back(first_rows.schema()->field(i)->name());
  return names;
}

}  // namespace sluice::tables
