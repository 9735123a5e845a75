#include "formats/json_row.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <cmath>

#include "contract/arrow_types.h"
#include "core/json_text.h"
#include "core/text.h"
#include "core/time.h"

namespace sluice::formats {
namespace {

std::string Quote(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

std::string Bytes(std::string_view bytes) {
  if (IsValidUtf8(bytes)) return Quote(bytes);
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return "{\"$hex\":\"" + hex + "\"}";
}

// Its canonical text.
std::string Uuid(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i)
    text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", static_cast<unsigned char>(bytes[i]));
  return Quote(text);
}

template <typename T>
std::string Float(T value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  return fmt::format("{}", value);
}

// Nanoseconds keep their digits: what could not be read must be seen.
std::string Timestamp(const arrow::TimestampArray& array, int64_t i) {
  const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
  int64_t value = array.Value(i), nanos = 0;
  switch (type.unit()) {
    case arrow::TimeUnit::SECOND:
      value *= 1000000;
      break;
    case arrow::TimeUnit::MILLI:
      value *= 1000;
      break;
    case arrow::TimeUnit::MICRO:
      break;
    case arrow::TimeUnit::NANO:
      nanos = ((value % 1000) + 1000) % 1000;
      value = (value - nanos) / 1000;
      break;
  }
  std::string text = FormatTimestamp(value);
  if (nanos != 0) {
    const size_t dot = text.find('.');
    if (dot == std::string::npos)
      text += ".000000";
    else
      text.append(6 - std::min<size_t>(6, text.size() - dot - 1), '0');
    text += fmt::format("{:03}", nanos);
  }
  return Quote(text + (type.timezone().empty() ? "" : "Z"));
}

std::string Items(const arrow::Array& values, int64_t begin, int64_t end) {
  std::string out = "[";
  for (int64_t i = begin; i < end; ++i) out += (i > begin ? "," : "") + JsonOfValue(values, i);
  return out + "]";
}

std::string KeyOf(const arrow::Array& keys, int64_t i) {
  std::string key = JsonOfValue(keys, i);
  return key.starts_with('"') ? key : Quote(key);
}

std::string MapOf(const arrow::MapArray& array, int64_t i) {
  std::string out = "{";
  const int64_t begin = array.value_offset(i), end = begin + array.value_length(i);
  for (int64_t k = begin; k < end; ++k) out += (k > begin ? "," : "") + KeyOf(*array.keys(), k) + ":" + JsonOfValue(*array.items(), k);
  return out + "}";
}

std::string StructOf(const arrow::StructArray& array, int64_t i) {
  std::string out = "{";
  for (int f = 0; f < array.num_fields(); ++f)
    out += (f > 0 ? "," : "") + Quote(array.struct_type()->field(f)->name()) + ":" + JsonOfValue(*array.field(f), i);
  return out + "}";
}

// Numbers, booleans: as Arrow spells them.
std::string Spelt(const arrow::Array& array, int64_t i) {
  const auto scalar = array.GetScalar(i);
  return scalar.ok() ? (*scalar)->ToString() : "null";
}

}  // namespace

std::string JsonOfValue(const arrow::Array& array, int64_t i) {
  if (array.IsNull(i)) return "null";
  switch (array.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return Bytes(static_cast<const arrow::BinaryArray&>(array).GetView(i));
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return Bytes(static_cast<const arrow::LargeBinaryArray&>(array).GetView(i));
    case arrow::Type::FIXED_SIZE_BINARY:
      return Bytes(static_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(i));
    case arrow::Type::FLOAT:
      return Float(static_cast<const arrow::FloatArray&>(array).Value(i));
    case arrow::Type::DOUBLE:
      return Float(static_cast<const arrow::DoubleArray&>(array).Value(i));
    case arrow::Type::DECIMAL128:
      return static_cast<const arrow::Decimal128Array&>(array).FormatValue(i);
    case arrow::Type::DECIMAL256:
      return static_cast<const arrow::Decimal256Array&>(array).FormatValue(i);
    case arrow::Type::DATE32:
      return Quote(FormatDate(static_cast<const arrow::Date32Array&>(array).Value(i)));
    case arrow::Type::TIMESTAMP:
      return Timestamp(static_cast<const arrow::TimestampArray&>(array), i);
    case arrow::Type::MAP:
      return MapOf(static_cast<const arrow::MapArray&>(array), i);
    case arrow::Type::STRUCT:
      return StructOf(static_cast<const arrow::StructArray&>(array), i);
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      return Items(*list.values(), list.value_offset(i), list.value_offset(i) + list.value_length(i));
    }
    case arrow::Type::LARGE_LIST: {
      const auto& list = static_cast<const arrow::LargeListArray&>(array);
      return Items(*list.values(), list.value_offset(i), list.value_offset(i) + list.value_length(i));
    }
    case arrow::Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
      return JsonOfValue(*dictionary.dictionary(), dictionary.GetValueIndex(i));
    }
    case arrow::Type::EXTENSION: {
      const arrow::Array& storage = *static_cast<const arrow::ExtensionArray&>(array).storage();
      if (contract::IsUuid(*array.type())) return Uuid(static_cast<const arrow::FixedSizeBinaryArray&>(storage).GetView(i));
      return JsonOfValue(storage, i);
    }
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
    case arrow::Type::UINT64:
      return Spelt(array, i);
    default:
      return Quote(Spelt(array, i));
  }
}

std::string JsonOfRow(const arrow::RecordBatch& batch, int64_t row) {
  std::string out = "{";
  for (int c = 0; c < batch.num_columns(); ++c)
    out += (c > 0 ? "," : "") + Quote(batch.column_name(c)) + ":" + JsonOfValue(*batch.column(c), row);
  return out + "}";
}

}  // namespace sluice::formats
