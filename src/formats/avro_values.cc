#include "formats/avro_values.h"

#include <arrow/api.h>
#include <arrow/util/decimal.h>
#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "formats/typed_rows.h"

namespace sluice::formats {
namespace {

using Kind = AvroType::Kind;

constexpr int64_t kMaxEmptyItems = 1 << 16;  // of a block, that take no bytes: a few bytes must not name billions of them

arrow::Status Wrong(const std::string& why) { return arrow::Status::Invalid(why); }

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  int64_t left() const { return end_ - at_; }

  arrow::Status Append(const AvroType& type, arrow::ArrayBuilder* out) {
    switch (type.kind) {
      case Kind::kNull:
        return out->AppendNull();
      case Kind::kBoolean: {
        ARROW_ASSIGN_OR_RAISE(const std::string_view byte, Take(1));
        return static_cast<arrow::BooleanBuilder*>(out)->Append(byte[0] != 0);
      }
      case Kind::kInt:
      case Kind::kLong: {
        ARROW_ASSIGN_OR_RAISE(const int64_t value, Long());
        return AppendInteger(type, value, out);
      }
      case Kind::kFloat: {
        ARROW_ASSIGN_OR_RAISE(const float value, (Float<float, uint32_t>()));
        if (out->type()->id() == arrow::Type::DOUBLE) return static_cast<arrow::DoubleBuilder*>(out)->Append(value);
        return static_cast<arrow::FloatBuilder*>(out)->Append(value);
      }
      case Kind::kDouble: {
        ARROW_ASSIGN_OR_RAISE(const double value, (Float<double, uint64_t>()));
        return static_cast<arrow::DoubleBuilder*>(out)->Append(value);
      }
      case Kind::kBytes:
      case Kind::kString: {
        ARROW_ASSIGN_OR_RAISE(const int64_t length, Long());
        ARROW_ASSIGN_OR_RAISE(const std::string_view bytes, Take(length));
        return type.decimal ? AppendDecimal(type, bytes, out) : static_cast<arrow::BinaryBuilder*>(out)->Append(bytes);
      }
      case Kind::kFixed: {
        ARROW_ASSIGN_OR_RAISE(const std::string_view bytes, Take(type.size));
        if (type.decimal) return AppendDecimal(type, bytes, out);
        return static_cast<arrow::FixedSizeBinaryBuilder*>(out)->Append(bytes);
      }
      case Kind::kEnum: {
        ARROW_ASSIGN_OR_RAISE(const int64_t symbol, Long());
        if (symbol < 0 || symbol >= static_cast<int64_t>(type.names.size())) return Wrong("a symbol that its enumeration does not have");
        return static_cast<arrow::StringBuilder*>(out)->Append(type.names[static_cast<size_t>(symbol)]);
      }
      case Kind::kRecord:
        return AppendRecord(type, static_cast<arrow::StructBuilder*>(out));
      case Kind::kArray: {
        auto* list = static_cast<arrow::ListBuilder*>(out);
        ARROW_RETURN_NOT_OK(list->Append());
        return Items([&] { return Append(type.children[0], list->value_builder()); });
      }
      case Kind::kMap: {
        auto* map = static_cast<arrow::MapBuilder*>(out);
        ARROW_RETURN_NOT_OK(map->Append());
        return Items([&]() -> arrow::Status {
          ARROW_ASSIGN_OR_RAISE(const int64_t length, Long());
          ARROW_ASSIGN_OR_RAISE(const std::string_view key, Take(length));
          ARROW_RETURN_NOT_OK(static_cast<arrow::StringBuilder*>(map->key_builder())->Append(key));
          return Append(type.children[0], map->item_builder());
        });
      }
      case Kind::kUnion:
        return AppendUnion(type, out);
    }
    return Wrong("a type that is not known");
  }

 private:
  // Zigzag, in groups of seven bits, the lowest first.
  arrow::Result<int64_t> Long() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return Wrong("a number that goes beyond its block");
      const auto byte = static_cast<uint8_t>(*at_++);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
    }
    return Wrong("a number of more than ten bytes");
  }

  arrow::Result<std::string_view> Take(int64_t length) {
    if (length < 0 || length > left()) return Wrong("a value that goes beyond its block");
    const std::string_view bytes(at_, static_cast<size_t>(length));
    at_ += length;
    return bytes;
  }

  template <typename T, typename Bits>
  arrow::Result<T> Float() {
    ARROW_ASSIGN_OR_RAISE(const std::string_view bytes, Take(sizeof(T)));
    Bits bits = 0;
    std::memcpy(&bits, bytes.data(), sizeof(bits));
    return std::bit_cast<T>(bits);
  }

  static arrow::Status AppendInteger(const AvroType& type, int64_t value, arrow::ArrayBuilder* out) {
    if (type.kind == Kind::kInt && (value < INT32_MIN || value > INT32_MAX)) return Wrong("an int of more than 32 bits");
    switch (out->type()->id()) {
      case arrow::Type::INT32:
        return static_cast<arrow::Int32Builder*>(out)->Append(static_cast<int32_t>(value));
      case arrow::Type::DATE32:
        return static_cast<arrow::Date32Builder*>(out)->Append(static_cast<int32_t>(value));
      case arrow::Type::TIME32:
        return static_cast<arrow::Time32Builder*>(out)->Append(static_cast<int32_t>(value));
      case arrow::Type::TIME64:
        return static_cast<arrow::Time64Builder*>(out)->Append(value);
      case arrow::Type::TIMESTAMP:
        return static_cast<arrow::TimestampBuilder*>(out)->Append(value);
      default:
        return static_cast<arrow::Int64Builder*>(out)->Append(value);
    }
  }

  static arrow::Status AppendDecimal(const AvroType& type, std::string_view bytes, arrow::ArrayBuilder* out) {
    if (bytes.empty() || bytes.size() > 32) return Wrong(fmt::format("a decimal of {} bytes", bytes.size()));
    ARROW_ASSIGN_OR_RAISE(const auto value, arrow::Decimal256::FromBigEndian(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                                             static_cast<int32_t>(bytes.size())));
    if (!value.FitsInPrecision(type.precision))
      return Wrong(fmt::format("a decimal with more than the {} digits that its schema says", type.precision));
    if (out->type()->id() == arrow::Type::DECIMAL256) return static_cast<arrow::Decimal256Builder*>(out)->Append(value);
    const auto words = value.little_endian_array();
    return static_cast<arrow::Decimal128Builder*>(out)->Append(arrow::Decimal128(static_cast<int64_t>(words[1]), words[0]));
  }

  arrow::Status AppendRecord(const AvroType& type, arrow::StructBuilder* out) {
    ARROW_RETURN_NOT_OK(out->Append());
    for (size_t i = 0; i < type.children.size(); ++i)
      ARROW_RETURN_NOT_OK(Append(type.children[i], out->field_builder(static_cast<int>(i))));
    return arrow::Status::OK();
  }

  // Blocks of items: a number, negative if the block's size in bytes follows it; 0 ends them.
  template <typename AppendItem>
  arrow::Status Items(AppendItem append) {
    while (true) {
      ARROW_ASSIGN_OR_RAISE(int64_t count, Long());
      if (count == 0) return arrow::Status::OK();
      if (count < 0) {
        if (count == INT64_MIN) return Wrong("a list of more items than there can be");
        count = -count;
        ARROW_RETURN_NOT_OK(Long().status());
      }
      if (count > left() && count > kMaxEmptyItems) return Wrong("a list of more items than its block has bytes");
      for (int64_t i = 0; i < count; ++i) {
        const char* before = at_;
        ARROW_RETURN_NOT_OK(append());
        if (at_ == before && ++empty_items_ > kMaxEmptyItems) return Wrong("too many items that take no bytes");
      }
    }
  }

  arrow::Status AppendUnion(const AvroType& type, arrow::ArrayBuilder* out) {
    ARROW_ASSIGN_OR_RAISE(const int64_t branch, Long());
    if (branch < 0 || branch >= static_cast<int64_t>(type.children.size())) return Wrong("a branch that its union does not have");
    const AvroType& chosen = type.children[static_cast<size_t>(branch)];
    if (chosen.kind == Kind::kNull) return out->AppendNull();
    if (!type.members) return Append(chosen, out);
    auto* members = static_cast<arrow::StructBuilder*>(out);
    ARROW_RETURN_NOT_OK(members->Append());
    int member = 0;
    for (size_t i = 0; i < type.children.size(); ++i) {
      if (type.children[i].kind == Kind::kNull) continue;
      arrow::ArrayBuilder* builder = members->field_builder(member++);
      ARROW_RETURN_NOT_OK(static_cast<int64_t>(i) == branch ? Append(chosen, builder) : builder->AppendNull());
    }
    return arrow::Status::OK();
  }

  const char* at_;
  const char* end_;
  int64_t empty_items_ = 0;
};

// The same values, of a type that is stored as theirs is.
std::shared_ptr<arrow::ArrayData> As(const arrow::ArrayData& data, const std::shared_ptr<arrow::DataType>& type) {
  auto out = data.Copy();
  out->type = type;
  for (size_t i = 0; i < out->child_data.size(); ++i)
    out->child_data[i] = As(*out->child_data[i], type->field(static_cast<int>(i))->type());
  return out;
}

Error Corrupt(const arrow::Status& status) {
  if (status.IsOutOfMemory()) return RetryableError("out-of-memory", status.message());
  return DataError("corrupt-file", status.message());
}

}  // namespace

AvroRows::AvroRows(const AvroType& record) : record_(record), rows_(*arrow::MakeBuilder(WithoutUuids(record.arrow))) {}
AvroRows::~AvroRows() = default;

Status AvroRows::Append(std::string_view bytes, int64_t count) {
  Decoder decoder(bytes);
  if (count > decoder.left() && count > kMaxEmptyItems) return Fail(DataError("corrupt-file", "a block of more records than bytes"));
  for (int64_t i = 0; i < count; ++i)
    if (const auto status = decoder.Append(record_, rows_.get()); !status.ok()) return Fail(Corrupt(status));
  if (decoder.left() > 0) return Fail(DataError("corrupt-file", fmt::format("{} bytes behind the last record of a block", decoder.left())));
  return Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> AvroRows::Finish() {
  auto array = rows_->Finish();
  if (!array.ok()) return Fail(Corrupt(array.status()));
  const auto typed = arrow::MakeArray(As(*(*array)->data(), record_.arrow));
  const auto& rows = static_cast<const arrow::StructArray&>(*typed);
  return arrow::RecordBatch::Make(arrow::schema(record_.arrow->fields()), rows.length(), rows.fields());
}

}  // namespace sluice::formats
