#include "formats/convert_array.h"

#include <arrow/api.h>
#include <arrow/compute/cast.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "contract/arrow_types.h"
#include "contract/decode_column.h"
#include "contract/zone.h"
#include "core/text.h"
#include "formats/json_number.h"
#include "formats/json_row.h"

namespace sluice::formats {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;
using contract::TypeKind;

Error ArrowError(const arrow::Status& status) { return RetryableError("arrow", status.ToString()); }

template <typename T>
Result<T> Checked(arrow::Result<T> result) {
  if (!result.ok()) return Fail(ArrowError(result.status()));
  return std::move(result).ValueUnsafe();
}

Result<ArrayPtr> Nulls(const FieldShape& shape, int64_t length) {
  return Checked(arrow::MakeArrayOfNull(contract::ToArrow(shape.type), length));
}

std::string Text(const arrow::Array& array, int64_t i) { return contract::CutValue(JsonOfValue(array, i)); }

enum class Family { kInteger, kFloat, kDecimal, kBoolean, kText, kBinary, kDate, kClock, kInstant, kOther };

Family FamilyOf(const arrow::DataType& type) {
  if (arrow::is_integer(type.id())) return Family::kInteger;
  if (arrow::is_floating(type.id())) return Family::kFloat;
  if (arrow::is_decimal(type.id())) return Family::kDecimal;
  switch (type.id()) {
    case arrow::Type::BOOL:
      return Family::kBoolean;
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return Family::kText;
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::FIXED_SIZE_BINARY:
      return Family::kBinary;
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      return Family::kDate;
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampType&>(type).timezone().empty() ? Family::kClock : Family::kInstant;
    default:
      return Family::kOther;
  }
}

enum class Way { kNone, kCast, kText, kJson, kZone };

// How values of a family become a type; kNone: not at all.
Way WayTo(Family from, TypeKind to) {
  const bool to_integer = to >= TypeKind::kTinyint && to <= TypeKind::kBigint;
  const bool to_float = to == TypeKind::kFloat || to == TypeKind::kDouble;
  switch (from) {
    case Family::kText:
      return Way::kText;
    case Family::kInteger:
    case Family::kFloat:
      if (to == TypeKind::kDecimal || to == TypeKind::kString) return Way::kText;
      return to_integer || to_float ? Way::kCast : Way::kNone;
    case Family::kDecimal:
      if (to == TypeKind::kString) return Way::kText;
      return to_integer || to_float || to == TypeKind::kDecimal ? Way::kCast : Way::kNone;
    case Family::kBoolean:
      return to == TypeKind::kBoolean ? Way::kCast : to == TypeKind::kString ? Way::kText : Way::kNone;
    case Family::kBinary:
      return to == TypeKind::kBinary ? Way::kCast : to == TypeKind::kString ? Way::kText : Way::kNone;
    case Family::kDate:
      if (to == TypeKind::kString) return Way::kJson;
      return to == TypeKind::kDate || to == TypeKind::kTimestampNtz ? Way::kCast : Way::kNone;
    case Family::kClock:
      if (to == TypeKind::kString) return Way::kJson;
      if (to == TypeKind::kTimestamp) return Way::kZone;
      return to == TypeKind::kDate || to == TypeKind::kTimestampNtz ? Way::kCast : Way::kNone;
    case Family::kInstant:
      return to == TypeKind::kTimestamp ? Way::kCast : to == TypeKind::kString ? Way::kJson : Way::kNone;
    case Family::kOther:
      return to == TypeKind::kString ? Way::kJson : Way::kNone;
  }
  return Way::kNone;
}

// Casts [begin, end); where that fails, halves it, down to the values that are to blame.
class SafeCast {
 public:
  SafeCast(const ArrayPtr& array, const FieldShape& shape, const RefuseValue& refuse)
      : array_(array), shape_(shape), type_(contract::ToArrow(shape.type)), refuse_(refuse) {}

  Result<ArrayPtr> Run() {
    SLUICE_CHECK(Cast(0, array_->length()));
    if (pieces_.size() == 1) return pieces_[0];
    if (pieces_.empty()) return Nulls(shape_, 0);
    return Checked(arrow::Concatenate(pieces_));
  }

 private:
  Status Cast(int64_t begin, int64_t end) {
    auto cast = arrow::compute::Cast(*array_->Slice(begin, end - begin), type_, arrow::compute::CastOptions::Safe());
    if (cast.ok()) {
      pieces_.push_back(*cast);
      return Ok();
    }
    if (cast.status().IsOutOfMemory()) return Fail(ArrowError(cast.status()));
    if (end - begin > 1) {
      const int64_t middle = begin + (end - begin) / 2;
      SLUICE_CHECK(Cast(begin, middle));
      return Cast(middle, end);
    }
    refuse_(begin, "", "type", Text(*array_, begin), fmt::format("does not fit {} without loss", shape_.type.ToString()));
    SLUICE_TRY(ArrayPtr null, Nulls(shape_, 1));
    pieces_.push_back(std::move(null));
    return Ok();
  }

  const ArrayPtr& array_;
  const FieldShape& shape_;
  std::shared_ptr<arrow::DataType> type_;
  const RefuseValue& refuse_;
  arrow::ArrayVector pieces_;
};

// Arrow rounds a double to a float without a word.
Result<ArrayPtr> DoubleToFloat(const arrow::DoubleArray& array, const FieldShape& shape, const RefuseValue& refuse) {
  arrow::FloatBuilder out;
  for (int64_t i = 0; i < array.length(); ++i) {
    const float value = array.IsNull(i) ? 0 : static_cast<float>(array.Value(i));
    const bool lost = !array.IsNull(i) && !std::isnan(array.Value(i)) && static_cast<double>(value) != array.Value(i);
    if (lost) refuse(i, "", "type", Text(array, i), fmt::format("does not fit {} without loss", shape.type.ToString()));
    const auto status = array.IsNull(i) || lost ? out.AppendNull() : out.Append(value);
    if (!status.ok()) return Fail(ArrowError(status));
  }
  return Checked(out.Finish());
}

// Texts of an array, and the room for those that are not its own.
struct Texts {
  ArrayPtr owner;
  std::vector<std::string> made;
  std::vector<std::string_view> views;
};

Result<Texts> TextsOf(const ArrayPtr& array, Family family, const FieldShape& shape, const RefuseValue& refuse) {
  Texts texts;
  auto cast = arrow::compute::Cast(*array, family == Family::kBinary || family == Family::kText ? arrow::binary() : arrow::utf8());
  if (!cast.ok()) return Fail(ArrowError(cast.status()));
  texts.owner = *cast;
  const auto& strings = static_cast<const arrow::BinaryArray&>(*texts.owner);
  const bool outside_text = family == Family::kText || family == Family::kBinary;
  const bool spell_out = family == Family::kFloat && shape.type.kind == TypeKind::kDecimal;
  texts.made.reserve(spell_out ? static_cast<size_t>(strings.length()) : 0);
  for (int64_t i = 0; i < strings.length(); ++i) {
    std::string_view text = strings.IsNull(i) ? std::string_view() : strings.GetView(i);
    if (!strings.IsNull(i) && outside_text) {
      if (!IsValidUtf8(text)) {
        refuse(i, "", "encoding", Text(*array, i), "not valid UTF-8");
        text = {};
      } else if (shape.trim) {
        text = Trim(text);
      }
      if (std::find(shape.null_tokens.begin(), shape.null_tokens.end(), text) != shape.null_tokens.end())
        text = {};
      else if (text.data() == nullptr && IsValidUtf8(strings.GetView(i)))
        text = "";
    }
    if (spell_out && text.data() != nullptr && IsJsonNumber(text)) text = texts.made.emplace_back(WithoutExponent(text));
    texts.views.push_back(text);
  }
  return texts;
}

Result<ArrayPtr> Decode(const Texts& texts, const FieldShape& shape, const RefuseValue& refuse) {
  std::vector<contract::Violation> violations;
  SLUICE_TRY(ArrayPtr array, contract::DecodeColumn(*shape.decoder, shape.name, texts.views, &violations));
  for (contract::Violation& v : violations) refuse(v.row, "", "type", std::move(v.value), std::move(v.message));
  return array;
}

Result<ArrayPtr> JsonTexts(const ArrayPtr& array) {
  arrow::StringBuilder out;
  for (int64_t i = 0; i < array->length(); ++i) {
    std::string text = array->IsNull(i) ? "" : JsonOfValue(*array, i);
    if (text.starts_with('"')) text = text.substr(1, text.size() - 2);  // dates, times, UUIDs: they have nothing to escape
    const auto status = array->IsNull(i) ? out.AppendNull() : out.Append(text);
    if (!status.ok()) return Fail(ArrowError(status));
  }
  return Checked(out.Finish());
}

Result<ArrayPtr> RefuseAll(const arrow::Array& array, const FieldShape& shape, const RefuseValue& refuse, const std::string& why) {
  for (int64_t i = 0; i < array.length(); ++i)
    if (!array.IsNull(i)) refuse(i, "", "type", Text(array, i), why);
  return Nulls(shape, array.length());
}

Result<ArrayPtr> ClockToInstant(const ArrayPtr& array, const FieldShape& shape, const RefuseValue& refuse) {
  if (shape.zone.empty()) return RefuseAll(*array, shape, refuse, contract::DecodeMessage(shape.type, contract::Decoded::kNoZone));
  SLUICE_TRY(const contract::Zone zone, contract::Zone::Load(shape.zone));
  FieldShape clock = shape;
  clock.type = contract::DataType::Of(TypeKind::kTimestampNtz);
  SLUICE_TRY(const ArrayPtr local, SafeCast(array, clock, refuse).Run());
  const auto& micros = static_cast<const arrow::TimestampArray&>(*local);
  arrow::TimestampBuilder out(contract::ToArrow(shape.type), arrow::default_memory_pool());
  for (int64_t i = 0; i < micros.length(); ++i) {
    const std::optional<int64_t> utc = micros.IsNull(i) ? std::nullopt : zone.ToUtc(micros.Value(i));
    if (!utc && !micros.IsNull(i))
      refuse(i, "", "type", Text(*array, i), contract::DecodeMessage(shape.type, contract::Decoded::kNoSuchTime));
    const auto status = utc ? out.Append(*utc) : out.AppendNull();
    if (!status.ok()) return Fail(ArrowError(status));
  }
  return Checked(out.Finish());
}

Result<ArrayPtr> ConvertScalar(const ArrayPtr& array, const FieldShape& shape, const RefuseValue& refuse) {
  const Family family = FamilyOf(*array->type());
  switch (WayTo(family, shape.type.kind)) {
    case Way::kText: {
      SLUICE_TRY(const Texts texts, TextsOf(array, family, shape, refuse));
      return Decode(texts, shape, refuse);
    }
    case Way::kCast:
      if (array->type_id() == arrow::Type::DOUBLE && shape.type.kind == TypeKind::kFloat)
        return DoubleToFloat(static_cast<const arrow::DoubleArray&>(*array), shape, refuse);
      return SafeCast(array, shape, refuse).Run();
    case Way::kJson:
      return JsonTexts(array);
    case Way::kZone:
      return ClockToInstant(array, shape, refuse);
    case Way::kNone:
      break;
  }
  return RefuseAll(*array, shape, refuse,
                   fmt::format("the file has {}, the contract {}", array->type()->ToString(), shape.type.ToString()));
}

// Offsets count from 0 and children are whole, whatever slice the array was.
Result<ArrayPtr> Compact(const ArrayPtr& array) {
  if (array->offset() == 0) return array;
  return Checked(arrow::Concatenate({array}));
}

Result<ArrayPtr> ConvertStruct(const ArrayPtr& array, const FieldShape& shape, const RefuseValue& refuse) {
  const auto& record = static_cast<const arrow::StructArray&>(*array);
  std::vector<bool> used(static_cast<size_t>(record.num_fields()), false);
  arrow::ArrayDataVector children;
  for (const FieldShape& child : shape.children) {
    int at = -1;
    for (int f = 0; f < record.num_fields() && at < 0; ++f)
      if (EqualsIgnoreCase(record.struct_type()->field(f)->name(), child.name)) at = f;
    if (at >= 0) used[static_cast<size_t>(at)] = true;
    const RefuseValue below = [&](int64_t i, const std::string& path, const char* rule, std::string value, std::string message) {
      if (record.IsValid(i)) refuse(i, "." + child.name + path, rule, std::move(value), std::move(message));
    };
    SLUICE_TRY(const ArrayPtr converted, at < 0 ? Nulls(child, record.length()) : ConvertArray(record.field(at), child, below));
    children.push_back(converted->data());
  }
  for (int f = 0; f < record.num_fields() && shape.new_fields == NewFields::kRefuse; ++f) {
    if (used[static_cast<size_t>(f)]) continue;
    const std::string& name = record.struct_type()->field(f)->name();
    for (int64_t i = 0; i < record.length(); ++i)
      if (record.IsValid(i) && record.field(f)->IsValid(i))
        refuse(i, "", "new_column", Text(*record.field(f), i), fmt::format("the contract's type has no field \"{}\"", name));
  }
  return arrow::MakeArray(
      arrow::ArrayData::Make(contract::ToArrow(shape.type), record.length(), {record.null_bitmap()}, std::move(children)));
}

// The list that holds item `item`; offsets ascend.
template <typename List>
int64_t ListOf(const List& list, int64_t item) {
  const auto* offsets = list.raw_value_offsets();
  return std::upper_bound(offsets, offsets + list.length() + 1, static_cast<int32_t>(item)) - offsets - 1;
}

template <typename List>
RefuseValue InList(const List& list, const RefuseValue& refuse) {
  return [&list, &refuse](int64_t i, const std::string& path, const char* rule, std::string value, std::string message) {
    const int64_t at = ListOf(list, i);
    if (at < 0 || at >= list.length() || list.IsNull(at)) return;  // items that no list shows
    refuse(at, fmt::format("[{}]{}", i - list.value_offset(at), path), rule, std::move(value), std::move(message));
  };
}

Result<ArrayPtr> ConvertList(const ArrayPtr& array, const FieldShape& shape, const RefuseValue& refuse) {
  const auto& list = static_cast<const arrow::ListArray&>(*array);
  SLUICE_TRY(const ArrayPtr items, ConvertArray(list.values(), shape.children[0], InList(list, refuse)));
  return arrow::MakeArray(
      arrow::ArrayData::Make(contract::ToArrow(shape.type), list.length(), {list.null_bitmap(), list.value_offsets()}, {items->data()}));
}

Result<ArrayPtr> ConvertMap(const ArrayPtr& array, const FieldShape& shape, const RefuseValue& refuse) {
  const auto& map = static_cast<const arrow::MapArray&>(*array);
  SLUICE_TRY(const ArrayPtr keys, ConvertArray(map.keys(), shape.children[0], InList(map, refuse)));
  SLUICE_TRY(const ArrayPtr items, ConvertArray(map.items(), shape.children[1], InList(map, refuse)));
  const auto type = contract::ToArrow(shape.type);
  const auto entries = arrow::ArrayData::Make(static_cast<const arrow::MapType&>(*type).value_type(), keys->length(), {nullptr},
                                              {keys->data(), items->data()}, 0);
  return arrow::MakeArray(arrow::ArrayData::Make(type, map.length(), {map.null_bitmap(), map.value_offsets()}, {entries}));
}

// Layouts that differ only in how they lie in memory. A UUID stays one where its text is asked for.
Result<ArrayPtr> Plain(const ArrayPtr& array, TypeKind to) {
  const arrow::DataType& type = *array->type();
  if (type.id() == arrow::Type::EXTENSION) {
    if (to == TypeKind::kString && contract::IsUuid(type)) return array;
    return Plain(static_cast<const arrow::ExtensionArray&>(*array).storage(), to);
  }
  std::shared_ptr<arrow::DataType> plain;
  if (type.id() == arrow::Type::DICTIONARY) plain = static_cast<const arrow::DictionaryType&>(type).value_type();
  if (type.id() == arrow::Type::LARGE_LIST || type.id() == arrow::Type::FIXED_SIZE_LIST)
    plain = arrow::list(static_cast<const arrow::BaseListType&>(type).value_field());
  if (plain == nullptr) return array;
  return Checked(arrow::compute::Cast(*array, plain));
}

}  // namespace

Result<ArrayPtr> ConvertArray(const ArrayPtr& outside, const FieldShape& shape, const RefuseValue& refuse) {
  SLUICE_TRY(const ArrayPtr plain, Plain(outside, shape.type.kind));
  SLUICE_TRY(const ArrayPtr array, Compact(plain));
  const arrow::Type::type id = array->type_id();
  if (id == arrow::Type::NA) return Nulls(shape, array->length());
  const bool same =
      !shape.type.is_nested() && shape.type.kind != TypeKind::kString && array->type()->Equals(*contract::ToArrow(shape.type));
  if (same) return array;
  switch (shape.type.kind) {
    case TypeKind::kStruct:
      if (id == arrow::Type::STRUCT) return ConvertStruct(array, shape, refuse);
      break;
    case TypeKind::kList:
      if (id == arrow::Type::LIST) return ConvertList(array, shape, refuse);
      break;
    case TypeKind::kMap:
      if (id == arrow::Type::MAP) return ConvertMap(array, shape, refuse);
      break;
    default:
      return ConvertScalar(array, shape, refuse);
  }
  return RefuseAll(*array, shape, refuse,
                   fmt::format("the file has {}, the contract {}", array->type()->ToString(), shape.type.ToString()));
}

}  // namespace sluice::formats
