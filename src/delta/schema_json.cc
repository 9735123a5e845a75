// Delta's schema JSON (PROTOCOL.md, "Schema Serialization Format") ↔ contract::Schema.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "core/text.h"
#include "delta/actions.h"
#include "delta/json_text.h"

namespace sluice::delta {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;
using nlohmann::json;

constexpr int kMaxDepth = 64;

struct Primitive {
  std::string_view name;
  TypeKind kind;
};
constexpr Primitive kPrimitives[] = {
    {"string", TypeKind::kString},  {"long", TypeKind::kBigint},         {"integer", TypeKind::kInteger},
    {"short", TypeKind::kSmallint}, {"byte", TypeKind::kTinyint},        {"float", TypeKind::kFloat},
    {"double", TypeKind::kDouble},  {"boolean", TypeKind::kBoolean},     {"binary", TypeKind::kBinary},
    {"date", TypeKind::kDate},      {"timestamp", TypeKind::kTimestamp}, {"timestamp_ntz", TypeKind::kTimestampNtz},
};

Error UnknownType(const std::string& column, std::string_view type) {
  return UnsupportedError("unknown-type", fmt::format("column {} has type {}, which Sluice does not know", column, type));
}

bool ParseInt(std::string_view text, int* value) {
  text = Trim(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// "decimal", "decimal(10,2)"
Result<DataType> ParseDecimal(std::string_view text, const std::string& column) {
  if (text == "decimal") return DataType::Decimal(10, 0);
  const size_t comma = text.find(',');
  int precision = 0, scale = 0;
  const bool shaped = text.starts_with("decimal(") && text.ends_with(")") && comma != std::string_view::npos;
  if (!shaped || !ParseInt(text.substr(8, comma - 8), &precision) || !ParseInt(text.substr(comma + 1, text.size() - comma - 2), &scale) ||
      precision < 1 || precision > 38 || scale < 0 || scale > precision)
    return Fail(UnknownType(column, text));
  return DataType::Decimal(precision, scale);
}

Result<DataType> ParsePrimitive(const std::string& name, const std::string& column) {
  for (const auto& primitive : kPrimitives)
    if (primitive.name == name) return DataType::Of(primitive.kind);
  if (name.starts_with("decimal")) return ParseDecimal(name, column);
  return Fail(UnknownType(column, name));
}

std::string Child(const std::string& parent, std::string_view name) {
  return parent.empty() ? std::string(name) : fmt::format("{}.{}", parent, name);
}

Result<std::vector<Field>> ParseFields(const json& type, const std::string& path, int depth);

const json* Member(const json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

bool BoolMember(const json& object, const char* key, bool otherwise) {
  const json* value = Member(object, key);
  return value && value->is_boolean() ? value->get<bool>() : otherwise;
}

Result<DataType> ParseDataType(const json* type, const std::string& path, int depth) {
  if (type == nullptr) return Fail(BadLog(fmt::format("schema: {} has no type", path)));
  if (depth > kMaxDepth)
    return Fail(UnsupportedError("unknown-type", fmt::format("column {} is nested deeper than {} levels", path, kMaxDepth)));
  if (type->is_string()) return ParsePrimitive(type->get<std::string>(), path);
  if (!type->is_object()) return Fail(BadLog(fmt::format("schema: the type of {} is neither a name nor an object", path)));
  const json* kind = Member(*type, "type");
  const std::string name = kind && kind->is_string() ? kind->get<std::string>() : type->dump();
  if (name == "struct") {
    SLUICE_TRY(auto fields, ParseFields(*type, path, depth));
    return DataType::Struct(std::move(fields));
  }
  if (name == "array") {
    SLUICE_TRY(auto element, ParseDataType(Member(*type, "elementType"), Child(path, "element"), depth + 1));
    return DataType::List(std::move(element), BoolMember(*type, "containsNull", true));
  }
  if (name == "map") {
    SLUICE_TRY(auto key, ParseDataType(Member(*type, "keyType"), Child(path, "key"), depth + 1));
    SLUICE_TRY(auto value, ParseDataType(Member(*type, "valueType"), Child(path, "value"), depth + 1));
    return DataType::Map(std::move(key), std::move(value), BoolMember(*type, "valueContainsNull", true));
  }
  return Fail(UnknownType(path, name));
}

Result<Field> ParseField(const json& object, const std::string& parent, int depth) {
  const json* name = object.is_object() ? Member(object, "name") : nullptr;
  if (name == nullptr || !name->is_string())
    return Fail(BadLog(fmt::format("schema: a field of {} has no name", parent.empty() ? "the table" : parent)));
  Field field;
  field.name = name->get<std::string>();
  SLUICE_TRY(field.type, ParseDataType(Member(object, "type"), Child(parent, field.name), depth + 1));
  field.nullable = BoolMember(object, "nullable", true);
  if (const json* metadata = Member(object, "metadata"); metadata && metadata->is_object())
    for (const auto& [key, value] : metadata->items()) field.metadata[key] = value.dump();
  return field;
}

Result<std::vector<Field>> ParseFields(const json& type, const std::string& path, int depth) {
  const json* fields = Member(type, "fields");
  if (fields == nullptr || !fields->is_array()) return Fail(BadLog(fmt::format("schema: struct {} has no fields", path)));
  std::vector<Field> parsed;
  for (const json& object : *fields) {
    SLUICE_TRY(auto field, ParseField(object, path, depth));
    parsed.push_back(std::move(field));
  }
  return parsed;
}

void WriteType(const DataType& type, std::string* out);

void WriteFields(const std::vector<Field>& fields, std::string* out) {
  *out += R"({"type":"struct","fields":[)";
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) *out += ',';
    JsonObject object(out);
    object.Text("name", fields[i].name);
    object.Key("type");
    WriteType(fields[i].type, out);
    object.Bool("nullable", fields[i].nullable);
    object.Key("metadata");
    JsonObject metadata(out);
    for (const auto& [key, value] : fields[i].metadata) metadata.Raw(key, value);
    metadata.Close();
    object.Close();
  }
  *out += "]}";
}

void WriteType(const DataType& type, std::string* out) {
  switch (type.kind) {
    case TypeKind::kDecimal:
      *out += fmt::format("\"decimal({},{})\"", type.precision, type.scale);
      return;
    case TypeKind::kStruct:
      WriteFields(type.children, out);
      return;
    case TypeKind::kList:
      *out += R"({"type":"array","elementType":)";
      WriteType(type.children[0].type, out);
      *out += fmt::format(R"(,"containsNull":{}}})", type.children[0].nullable);
      return;
    case TypeKind::kMap:
      *out += R"({"type":"map","keyType":)";
      WriteType(type.children[0].type, out);
      *out += R"(,"valueType":)";
      WriteType(type.children[1].type, out);
      *out += fmt::format(R"(,"valueContainsNull":{}}})", type.children[1].nullable);
      return;
    default:
      for (const auto& primitive : kPrimitives)
        if (primitive.kind == type.kind) AppendJsonString(primitive.name, out);
  }
}

}  // namespace

Result<contract::Schema> ParseSchemaString(std::string_view text) {
  if (Trim(text).empty()) return contract::Schema{};
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const json* type = root.is_object() ? Member(root, "type") : nullptr;
  if (type == nullptr || *type != "struct") return Fail(BadLog("the table's schema is not a JSON struct"));
  SLUICE_TRY(auto fields, ParseFields(root, "", 0));
  return contract::Schema{std::move(fields)};
}

std::string ToSchemaString(const contract::Schema& schema) {
  std::string out;
  WriteFields(schema.fields, &out);
  return out;
}

}  // namespace sluice::delta
