#include "contract/arrow_types.h"

#include <arrow/extension_type.h>
#include <arrow/type.h>
#include <fmt/format.h>

namespace sluice::contract {
namespace {

Error Unsupported(const arrow::DataType& type, const std::string& why) {
  return UserError("unsupported-type", fmt::format("type {} is not supported: {}", type.ToString(), why))
      .Hint("CAST it to a supported type");
}

Result<DataType> FromTimestamp(const arrow::TimestampType& type) {
  if (type.unit() == arrow::TimeUnit::NANO) return Fail(Unsupported(type, "timestamps have microseconds"));
  return DataType::Of(type.timezone().empty() ? TypeKind::kTimestampNtz : TypeKind::kTimestamp);
}

Result<DataType> FromDecimal(const arrow::DecimalType& type) {
  if (type.precision() > 38) return Fail(Unsupported(type, "decimals have at most 38 digits"));
  if (type.scale() < 0 || type.scale() > type.precision()) return Fail(Unsupported(type, "the scale must be from 0 to the precision"));
  return DataType::Decimal(type.precision(), type.scale());
}

Result<DataType> FromList(const arrow::BaseListType& type) {
  SLUICE_TRY(DataType element, FromArrow(*type.value_type()));
  return DataType::List(std::move(element), type.value_field()->nullable());
}

Result<DataType> FromMap(const arrow::MapType& type) {
  SLUICE_TRY(DataType key, FromArrow(*type.key_type()));
  SLUICE_TRY(DataType value, FromArrow(*type.item_type()));
  return DataType::Map(std::move(key), std::move(value), type.item_field()->nullable());
}

Result<Field> FromField(const arrow::Field& field) {
  auto type = FromArrow(*field.type());
  if (!type) {
    type.error().message = fmt::format("column \"{}\": {}", field.name(), type.error().message);
    return Fail(std::move(type).error());
  }
  return Field{field.name(), *std::move(type), field.nullable(), {}};
}

Result<DataType> FromStruct(const arrow::StructType& type) {
  std::vector<Field> fields;
  for (const auto& child : type.fields()) {
    SLUICE_TRY(Field field, FromField(*child));
    fields.push_back(std::move(field));
  }
  return DataType::Struct(std::move(fields));
}

}  // namespace

std::shared_ptr<arrow::DataType> ToArrow(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBoolean:
      return arrow::boolean();
    case TypeKind::kTinyint:
      return arrow::int8();
    case TypeKind::kSmallint:
      return arrow::int16();
    case TypeKind::kInteger:
      return arrow::int32();
    case TypeKind::kBigint:
      return arrow::int64();
    case TypeKind::kFloat:
      return arrow::float32();
    case TypeKind::kDouble:
      return arrow::float64();
    case TypeKind::kDecimal:
      return arrow::decimal128(type.precision, type.scale);
    case TypeKind::kString:
      return arrow::utf8();
    case TypeKind::kBinary:
      return arrow::binary();
    case TypeKind::kDate:
      return arrow::date32();
    case TypeKind::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case TypeKind::kTimestampNtz:
      return arrow::timestamp(arrow::TimeUnit::MICRO);
    case TypeKind::kList:
      return arrow::list(ToArrow(type.children[0]));
    case TypeKind::kMap:
      return std::make_shared<arrow::MapType>(arrow::field("key", ToArrow(type.children[0].type), false), ToArrow(type.children[1]));
    case TypeKind::kStruct: {
      arrow::FieldVector fields;
      for (const Field& field : type.children) fields.push_back(ToArrow(field));
      return arrow::struct_(fields);
    }
  }
  return arrow::null();
}

std::shared_ptr<arrow::Field> ToArrow(const Field& field) { return arrow::field(field.name, ToArrow(field.type), field.nullable); }

std::shared_ptr<arrow::Schema> ToArrow(const Schema& schema) {
  arrow::FieldVector fields;
  for (const Field& field : schema.fields) fields.push_back(ToArrow(field));
  return arrow::schema(std::move(fields));
}

Result<DataType> FromArrow(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      return DataType::Of(TypeKind::kBoolean);
    case arrow::Type::INT8:
      return DataType::Of(TypeKind::kTinyint);
    case arrow::Type::UINT8:
    case arrow::Type::INT16:
      return DataType::Of(TypeKind::kSmallint);
    case arrow::Type::UINT16:
    case arrow::Type::INT32:
      return DataType::Of(TypeKind::kInteger);
    case arrow::Type::UINT32:
    case arrow::Type::INT64:
      return DataType::Of(TypeKind::kBigint);
    case arrow::Type::UINT64:
      return DataType::Decimal(20, 0);
    case arrow::Type::HALF_FLOAT:
    case arrow::Type::FLOAT:
      return DataType::Of(TypeKind::kFloat);
    case arrow::Type::DOUBLE:
      return DataType::Of(TypeKind::kDouble);
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return DataType::Of(TypeKind::kString);
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::FIXED_SIZE_BINARY:
      return DataType::Of(TypeKind::kBinary);
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      return DataType::Of(TypeKind::kDate);
    case arrow::Type::TIMESTAMP:
      return FromTimestamp(static_cast<const arrow::TimestampType&>(type));
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
      return FromDecimal(static_cast<const arrow::DecimalType&>(type));
    case arrow::Type::STRUCT:
      return FromStruct(static_cast<const arrow::StructType&>(type));
    case arrow::Type::MAP:
      return FromMap(static_cast<const arrow::MapType&>(type));
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
      return FromList(static_cast<const arrow::BaseListType&>(type));
    case arrow::Type::DICTIONARY:
      return FromArrow(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case arrow::Type::EXTENSION:
      if (IsUuid(type)) return DataType::Of(TypeKind::kString);
      return FromArrow(*static_cast<const arrow::ExtensionType&>(type).storage_type());
    case arrow::Type::NA:
      return Fail(UserError("untyped-null", "a NULL without a type").Hint("CAST it: CAST(NULL AS string)"));
    default:
      return Fail(Unsupported(type, "tables cannot store it"));
  }
}

bool IsUuid(const arrow::DataType& type) {
  return type.id() == arrow::Type::EXTENSION && static_cast<const arrow::ExtensionType&>(type).extension_name() == "arrow.uuid";
}

Result<Schema> FromArrow(const arrow::Schema& schema) {
  Schema out;
  for (const auto& child : schema.fields()) {
    SLUICE_TRY(Field field, FromField(*child));
    out.fields.push_back(std::move(field));
  }
  return out;
}

}  // namespace sluice::contract
