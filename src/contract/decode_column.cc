#include "contract/decode_column.h"

#include <arrow/api.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/decimal.h>

#include <cstring>

#include "contract/arrow_types.h"
#include "contract/number_style.h"

namespace sluice::contract {
namespace {

using Fields = std::span<const std::string_view>;

Error OutOfMemory(const arrow::Status& status) {
  return RetryableError("out-of-memory", "not enough memory for a batch of rows: " + status.ToString());
}

Result<std::shared_ptr<arrow::Buffer>> Allocate(int64_t bytes) {
  auto buffer = arrow::AllocateBuffer(bytes);
  if (!buffer.ok()) return Fail(OutOfMemory(buffer.status()));
  return std::shared_ptr<arrow::Buffer>(std::move(*buffer));
}

// Validity of n rows: all valid until one is cleared, and without a bitmap unless one was.
class Validity {
 public:
  explicit Validity(size_t rows) : rows_(rows) {}
  void Clear(size_t row) {
    if (bits_.empty()) bits_.assign((rows_ + 7) / 8, 0xff);
    bits_[row / 8] &= static_cast<uint8_t>(~(1u << (row % 8)));
    ++nulls_;
  }
  int64_t nulls() const { return nulls_; }
  std::shared_ptr<arrow::Buffer> Take() { return nulls_ == 0 ? nullptr : arrow::Buffer::FromVector(std::move(bits_)); }

 private:
  size_t rows_;
  std::vector<uint8_t> bits_;
  int64_t nulls_ = 0;
};

struct Sink {
  const TextDecoder& decoder;
  const std::string& column;
  std::vector<Violation>* violations;

  void Refuse(size_t row, std::string_view text, Decoded why) const {
    violations->push_back({static_cast<int64_t>(row), column, "type", CutValue(text), DecodeMessage(decoder.type(), why), false});
  }
};

std::shared_ptr<arrow::Array> Assemble(const DataType& type, size_t rows, Validity& validity,
                                       std::vector<std::shared_ptr<arrow::Buffer>> rest) {
  const int64_t nulls = validity.nulls();
  rest.insert(rest.begin(), validity.Take());
  return arrow::MakeArray(arrow::ArrayData::Make(ToArrow(type), static_cast<int64_t>(rows), std::move(rest), nulls));
}

// Values of fixed width; `decode` is (text, T*) → Decoded.
template <typename T, typename Decode>
Result<std::shared_ptr<arrow::Array>> DecodeFixed(Fields fields, const Sink& sink, Decode decode) {
  SLUICE_TRY(auto values, Allocate(static_cast<int64_t>(fields.size() * sizeof(T))));
  T* out = reinterpret_cast<T*>(values->mutable_data());
  Validity validity(fields.size());
  for (size_t row = 0; row < fields.size(); ++row) {
    const std::string_view text = fields[row];
    T value{};
    if (text.data() == nullptr) {
      validity.Clear(row);
    } else if (const Decoded outcome = decode(text, &value); outcome != Decoded::kOk) {
      sink.Refuse(row, text, outcome);
      validity.Clear(row);
      value = T{};
    }
    std::memcpy(out + row, &value, sizeof(T));
  }
  return Assemble(sink.decoder.type(), fields.size(), validity, {std::move(values)});
}

template <typename T>
Result<std::shared_ptr<arrow::Array>> DecodeIntegers(Fields fields, const Sink& sink) {
  const IntegerRange range = RangeOf(sink.decoder.type().kind);
  return DecodeFixed<T>(fields, sink, [range](std::string_view text, T* out) {
    int64_t value = 0;
    const Decoded outcome = DecodeInteger(text, range.min, range.max, &value);
    *out = static_cast<T>(value);
    return outcome;
  });
}

Result<std::shared_ptr<arrow::Array>> DecodeBooleans(Fields fields, const Sink& sink) {
  std::vector<uint8_t> bits((fields.size() + 7) / 8, 0);
  Validity validity(fields.size());
  for (size_t row = 0; row < fields.size(); ++row) {
    bool value = false;
    if (fields[row].data() == nullptr) {
      validity.Clear(row);
    } else if (const Decoded outcome = DecodeBoolean(fields[row], &value); outcome != Decoded::kOk) {
      sink.Refuse(row, fields[row], outcome);
      validity.Clear(row);
    } else if (value) {
      bits[row / 8] |= static_cast<uint8_t>(1u << (row % 8));
    }
  }
  return Assemble(sink.decoder.type(), fields.size(), validity, {arrow::Buffer::FromVector(std::move(bits))});
}

Result<std::shared_ptr<arrow::Array>> CopyTexts(Fields fields, const DataType& type) {
  SLUICE_TRY(auto offsets, Allocate(static_cast<int64_t>((fields.size() + 1) * sizeof(int32_t))));
  auto* offset = reinterpret_cast<int32_t*>(offsets->mutable_data());
  Validity validity(fields.size());
  int64_t total = 0;
  for (size_t row = 0; row < fields.size(); ++row) {
    offset[row] = static_cast<int32_t>(total);
    if (fields[row].data() == nullptr) validity.Clear(row);
    total += static_cast<int64_t>(fields[row].size());
  }
  if (total > INT32_MAX) return Fail(BugError("a block of more than 2 GiB of text in one column"));
  offset[fields.size()] = static_cast<int32_t>(total);
  SLUICE_TRY(auto bytes, Allocate(total));
  char* out = reinterpret_cast<char*>(bytes->mutable_data());
  for (const std::string_view text : fields) {
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    out += text.size();
  }
  return Assemble(type, fields.size(), validity, {std::move(offsets), std::move(bytes)});
}

// nullptr: the dictionary does not take them.
Result<std::shared_ptr<arrow::Array>> FindTexts(Fields fields, TextDictionary& dictionary) {
  SLUICE_TRY(auto buffer, Allocate(static_cast<int64_t>(fields.size() * sizeof(int32_t))));
  auto* places = reinterpret_cast<int32_t*>(buffer->mutable_data());
  if (!dictionary.Find(fields, places)) return nullptr;
  Validity validity(fields.size());
  for (size_t row = 0; row < fields.size(); ++row) {
    if (places[row] >= 0) continue;
    validity.Clear(row);
    places[row] = 0;
  }
  static const auto type = arrow::dictionary(arrow::int32(), arrow::utf8());
  const int64_t nulls = validity.nulls();
  auto data = arrow::ArrayData::Make(type, static_cast<int64_t>(fields.size()), {validity.Take(), std::move(buffer)}, nulls);
  data->dictionary = dictionary.Texts()->data();
  if (data->dictionary->length == 0) return nullptr;  // NULLs alone
  return arrow::MakeArray(std::move(data));
}

template <typename T>
Result<std::shared_ptr<arrow::Array>> FillFixed(const arrow::Array& array, T value) {
  SLUICE_TRY(auto values, Allocate(array.length() * static_cast<int64_t>(sizeof(T))));
  const T* in = array.data()->GetValues<T>(1);
  T* out = reinterpret_cast<T*>(values->mutable_data());
  for (int64_t row = 0; row < array.length(); ++row) out[row] = array.IsNull(row) ? value : in[row];
  return arrow::MakeArray(arrow::ArrayData::Make(array.type(), array.length(), {nullptr, std::move(values)}, 0));
}

Result<std::shared_ptr<arrow::Array>> FillTexts(const arrow::BinaryArray& array, const DataType& type, const std::string& value) {
  std::vector<std::string_view> texts(static_cast<size_t>(array.length()));
  for (int64_t row = 0; row < array.length(); ++row) {
    const std::string_view text = array.IsNull(row) ? std::string_view(value) : array.GetView(row);
    texts[static_cast<size_t>(row)] = text.data() == nullptr ? std::string_view("") : text;
  }
  return CopyTexts(texts, type);
}

}  // namespace

std::string CutValue(std::string_view text) {
  constexpr size_t kLimit = 200;
  if (text.size() <= kLimit) return std::string(text);
  size_t end = kLimit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

Result<std::shared_ptr<arrow::Array>> DecodeColumn(const TextDecoder& decoder, const std::string& column, Fields fields,
                                                   std::vector<Violation>* violations, TextDictionary* dictionary) {
  if (!decoder.style().plain()) return DecodeStyledNumbers(decoder, column, fields, violations);
  const Sink sink{decoder, column, violations};
  const DataType& type = decoder.type();
  switch (type.kind) {
    case TypeKind::kBoolean:
      return DecodeBooleans(fields, sink);
    case TypeKind::kTinyint:
      return DecodeIntegers<int8_t>(fields, sink);
    case TypeKind::kSmallint:
      return DecodeIntegers<int16_t>(fields, sink);
    case TypeKind::kInteger:
      return DecodeIntegers<int32_t>(fields, sink);
    case TypeKind::kBigint:
      return DecodeIntegers<int64_t>(fields, sink);
    case TypeKind::kFloat:
      return DecodeFixed<float>(fields, sink, DecodeFloat);
    case TypeKind::kDouble:
      return DecodeFixed<double>(fields, sink, DecodeDouble);
    case TypeKind::kDecimal:
      return DecodeFixed<Int128>(fields, sink,
                                 [&](std::string_view text, Int128* out) { return DecodeDecimal(text, type.precision, type.scale, out); });
    case TypeKind::kDate:
      return DecodeFixed<int32_t>(fields, sink, [&](std::string_view text, int32_t* out) { return decoder.Date(text, out); });
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return DecodeFixed<int64_t>(fields, sink, [&](std::string_view text, int64_t* out) { return decoder.Timestamp(text, out); });
    case TypeKind::kString:
      if (dictionary != nullptr) {
        SLUICE_TRY(auto found, FindTexts(fields, *dictionary));
        if (found != nullptr) return found;
      }
      return CopyTexts(fields, type);
    case TypeKind::kBinary:
      return CopyTexts(fields, type);
    default:
      return Fail(BugError("a text field cannot be a " + type.ToString()));
  }
}

Result<std::shared_ptr<arrow::Array>> FillNulls(const std::shared_ptr<arrow::Array>& array, const DataType& type, const Literal& literal) {
  if (array->null_count() == 0) return array;
  const auto integer = [&] { return std::get<int64_t>(literal); };
  switch (type.kind) {
    case TypeKind::kTinyint:
      return FillFixed(*array, static_cast<int8_t>(integer()));
    case TypeKind::kSmallint:
      return FillFixed(*array, static_cast<int16_t>(integer()));
    case TypeKind::kInteger:
    case TypeKind::kDate:
      return FillFixed(*array, static_cast<int32_t>(integer()));
    case TypeKind::kBigint:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return FillFixed(*array, integer());
    case TypeKind::kFloat:
      return FillFixed(*array, static_cast<float>(std::get<double>(literal)));
    case TypeKind::kDouble:
      return FillFixed(*array, std::get<double>(literal));
    case TypeKind::kDecimal:
      return FillFixed(*array, std::get<Int128>(literal));
    case TypeKind::kString:
    case TypeKind::kBinary:
      return FillTexts(static_cast<const arrow::BinaryArray&>(*array), type, std::get<std::string>(literal));
    case TypeKind::kBoolean: {
      arrow::BooleanBuilder builder;
      const auto& booleans = static_cast<const arrow::BooleanArray&>(*array);
      for (int64_t row = 0; row < array->length(); ++row) {
        if (const auto status = builder.Append(booleans.IsNull(row) ? std::get<bool>(literal) : booleans.Value(row)); !status.ok())
          return Fail(OutOfMemory(status));
      }
      auto filled = builder.Finish();
      if (!filled.ok()) return Fail(OutOfMemory(filled.status()));
      return *filled;
    }
    default:
      return Fail(BugError("a " + type.ToString() + " has no default"));
  }
}

}  // namespace sluice::contract
