#include "delta/arrow_fields.h"

namespace sluice::delta {
namespace {

// The child of a list or map that holds the items of all rows.
ArrayPtr Items(const ArrayPtr& array) {
  if (!array) return nullptr;
  if (array->type_id() == arrow::Type::LIST) return static_cast<const arrow::ListArray&>(*array).values();
  if (array->type_id() == arrow::Type::LARGE_LIST) return static_cast<const arrow::LargeListArray&>(*array).values();
  return nullptr;
}

template <typename Array>
std::optional<int64_t> Value(const arrow::Array& array, int64_t row) {
  return static_cast<int64_t>(static_cast<const Array&>(array).Value(row));
}

}  // namespace

TextField::TextField(ArrayPtr array) : array_(std::move(array)) {
  if (!array_ || array_->type_id() != arrow::Type::DICTIONARY) return;
  dictionary_ = static_cast<const arrow::DictionaryArray&>(*array_).dictionary();
}

std::string_view TextField::At(int64_t row) const {
  if (!IsSet(row)) return {};
  if (dictionary_) return TextField(dictionary_).At(static_cast<const arrow::DictionaryArray&>(*array_).GetValueIndex(row));
  switch (array_->type_id()) {
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(*array_).GetView(row);
    case arrow::Type::LARGE_STRING:
      return static_cast<const arrow::LargeStringArray&>(*array_).GetView(row);
    case arrow::Type::STRING_VIEW:
      return static_cast<const arrow::StringViewArray&>(*array_).GetView(row);
    case arrow::Type::BINARY:
      return static_cast<const arrow::BinaryArray&>(*array_).GetView(row);
    case arrow::Type::LARGE_BINARY:
      return static_cast<const arrow::LargeBinaryArray&>(*array_).GetView(row);
    case arrow::Type::BINARY_VIEW:
      return static_cast<const arrow::BinaryViewArray&>(*array_).GetView(row);
    default:
      return {};
  }
}

std::optional<int64_t> IntField::At(int64_t row) const {
  if (!array_ || array_->IsNull(row)) return std::nullopt;
  switch (array_->type_id()) {
    case arrow::Type::INT64:
      return Value<arrow::Int64Array>(*array_, row);
    case arrow::Type::INT32:
      return Value<arrow::Int32Array>(*array_, row);
    case arrow::Type::INT16:
      return Value<arrow::Int16Array>(*array_, row);
    case arrow::Type::INT8:
      return Value<arrow::Int8Array>(*array_, row);
    case arrow::Type::UINT32:
      return Value<arrow::UInt32Array>(*array_, row);
    default:
      return std::nullopt;
  }
}

std::optional<bool> BoolField::At(int64_t row) const {
  if (!array_ || array_->IsNull(row) || array_->type_id() != arrow::Type::BOOL) return std::nullopt;
  return static_cast<const arrow::BooleanArray&>(*array_).Value(row);
}

ListField::ListField(ArrayPtr array) : array_(std::move(array)), items_(Items(array_)) {}

std::optional<std::vector<std::string>> ListField::At(int64_t row) const {
  if (!array_ || array_->IsNull(row)) return std::nullopt;
  int64_t begin = 0, end = 0;
  if (array_->type_id() == arrow::Type::LIST) {
    const auto& list = static_cast<const arrow::ListArray&>(*array_);
    begin = list.value_offset(row), end = begin + list.value_length(row);
  } else if (array_->type_id() == arrow::Type::LARGE_LIST) {
    const auto& list = static_cast<const arrow::LargeListArray&>(*array_);
    begin = list.value_offset(row), end = begin + list.value_length(row);
  }
  std::vector<std::string> items;
  for (int64_t i = begin; i < end; ++i) items.emplace_back(items_.At(i));
  return items;
}

MapField::MapField(const ArrayPtr& array)
    : map_(array && array->type_id() == arrow::Type::MAP ? std::static_pointer_cast<arrow::MapArray>(array) : nullptr),
      keys_(map_ ? map_->keys() : nullptr),
      values_(map_ ? map_->items() : nullptr) {}

void MapField::ForEach(int64_t row, const std::function<void(std::string_view, std::optional<std::string_view>)>& visit) const {
  if (!map_ || map_->IsNull(row)) return;
  const int64_t end = map_->value_offset(row) + map_->value_length(row);
  for (int64_t i = map_->value_offset(row); i < end; ++i)
    visit(keys_.At(i), values_.IsSet(i) ? std::optional(values_.At(i)) : std::nullopt);
}

StructField::StructField(const arrow::RecordBatch& batch, const std::string& name) : StructField(batch.GetColumnByName(name)) {}

StructField::StructField(const ArrayPtr& array)
    : array_(array && array->type_id() == arrow::Type::STRUCT ? std::static_pointer_cast<arrow::StructArray>(array) : nullptr) {}

ArrayPtr StructField::Member(const std::string& name) const { return array_ ? array_->GetFieldByName(name) : nullptr; }

}  // namespace sluice::delta
