#include "sources/postgres/types.h"

#include <fmt/format.h>

#include <string_view>
#include <unordered_map>

#include "core/text.h"

namespace sluice::sources::postgres {
namespace {

using contract::DataType;
using contract::TypeKind;

const std::unordered_map<std::string_view, Wire>& PlainForms() {
  static const std::unordered_map<std::string_view, Wire> forms = {{"bool", Wire::kBoolean},
                                                                   {"int2", Wire::kInt2},
                                                                   {"int4", Wire::kInt4},
                                                                   {"int8", Wire::kInt8},
                                                                   {"oid", Wire::kOid},
                                                                   {"float4", Wire::kFloat4},
                                                                   {"float8", Wire::kFloat8},
                                                                   {"numeric", Wire::kNumeric},
                                                                   {"text", Wire::kText},
                                                                   {"varchar", Wire::kText},
                                                                   {"bpchar", Wire::kText},
                                                                   {"name", Wire::kText},
                                                                   {"json", Wire::kText},
                                                                   {"jsonb", Wire::kJsonb},
                                                                   {"bytea", Wire::kBytea},
                                                                   {"uuid", Wire::kUuid},
                                                                   {"date", Wire::kDate},
                                                                   {"timestamp", Wire::kTimestamp},
                                                                   {"timestamptz", Wire::kTimestampTz}};
  return forms;
}

// numeric(p,s): the modifier holds both, the scale as 11 bits with a sign.
void TakePrecision(int32_t modifier, WireType* type) {
  if (modifier < 4) return;
  const int packed = modifier - 4;
  const int precision = (packed >> 16) & 0xffff;
  const int scale = ((packed & 0x7ff) ^ 1024) - 1024;
  if (precision > 38 || scale < 0 || scale > precision) return;  // no decimal of ours
  type->wire = Wire::kDecimal;
  type->precision = precision;
  type->scale = scale;
}

}  // namespace

WireType WireTypeOf(uint32_t oid, int32_t modifier, const CatalogTypes& types) {
  const auto found = types.find(oid);
  if (found == types.end()) return {Wire::kText, Ask::kText};
  const CatalogType& type = found->second;
  if (type.kind == 'd') return WireTypeOf(type.base, type.modifier, types);
  if (type.kind == 'e') return {Wire::kText, Ask::kAsIs};
  if (type.kind == 'c') return {Wire::kText, Ask::kJson};
  if (type.element != 0) {
    WireType element = WireTypeOf(type.element, modifier, types);
    if (element.ask == Ask::kJson || element.wire == Wire::kArray) return {Wire::kText, Ask::kJson};
    const Ask ask = element.ask == Ask::kText ? Ask::kTexts : Ask::kAsIs;
    return {Wire::kArray, ask, 0, 0, std::make_shared<const WireType>(std::move(element))};
  }
  const auto form = PlainForms().find(type.name);
  if (!type.built_in || type.kind != 'b' || form == PlainForms().end()) return {Wire::kText, Ask::kText};
  WireType out{form->second};
  if (out.wire == Wire::kNumeric) TakePrecision(modifier, &out);
  return out;
}

WireType AsTexts(const WireType& type) {
  switch (type.wire) {
    case Wire::kDate:
    case Wire::kTimestamp:
    case Wire::kTimestampTz:
    case Wire::kDecimal:
      return {Wire::kText, Ask::kText};
    case Wire::kArray: {
      WireType element = AsTexts(*type.element);
      if (element.ask != Ask::kText) return type;
      return {Wire::kArray, Ask::kTexts, 0, 0, std::make_shared<const WireType>(std::move(element))};
    }
    default:
      return type;
  }
}

DataType ContractTypeOf(const WireType& type) {
  switch (type.wire) {
    case Wire::kBoolean:
      return DataType::Of(TypeKind::kBoolean);
    case Wire::kInt2:
      return DataType::Of(TypeKind::kSmallint);
    case Wire::kInt4:
      return DataType::Of(TypeKind::kInteger);
    case Wire::kInt8:
    case Wire::kOid:
      return DataType::Of(TypeKind::kBigint);
    case Wire::kFloat4:
      return DataType::Of(TypeKind::kFloat);
    case Wire::kFloat8:
      return DataType::Of(TypeKind::kDouble);
    case Wire::kDecimal:
      return DataType::Decimal(type.precision, type.scale);
    case Wire::kBytea:
      return DataType::Of(TypeKind::kBinary);
    case Wire::kDate:
      return DataType::Of(TypeKind::kDate);
    case Wire::kTimestamp:
      return DataType::Of(TypeKind::kTimestampNtz);
    case Wire::kTimestampTz:
      return DataType::Of(TypeKind::kTimestamp);
    case Wire::kArray:
      return DataType::List(ContractTypeOf(*type.element));
    case Wire::kNumeric:
    case Wire::kText:
    case Wire::kJsonb:
    case Wire::kUuid:
      break;
  }
  return DataType::Of(TypeKind::kString);
}

std::string SelectItem(const std::string& name, const WireType& type) {
  std::string column = QuoteIdentifier(name);
  switch (type.ask) {
    case Ask::kAsIs:
      return column;
    case Ask::kText:
      return fmt::format("{0}::pg_catalog.text AS {0}", column);
    case Ask::kTexts:
      return fmt::format("{0}::pg_catalog.text[] AS {0}", column);
    case Ask::kJson:
      return fmt::format("pg_catalog.to_json({0})::pg_catalog.text AS {0}", column);
  }
  return column;
}

}  // namespace sluice::sources::postgres
