#include "delta/type_widening.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace sluice::delta {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;
using nlohmann::json;

constexpr const char* kTypeChanges = "delta.typeChanges";

using OnDifference = std::function<void(const DataType& from, const DataType& to, const std::string& path)>;

std::string Below(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

void ForEachDifference(const DataType& from, const DataType& to, const std::string& path, const OnDifference& visit) {
  if (from == to) return;
  if (from.kind != to.kind || !from.is_nested()) return visit(from, to, path);
  if (from.kind != TypeKind::kStruct) {
    for (size_t i = 0; i < from.children.size(); ++i)
      ForEachDifference(from.children[i].type, to.children[i].type, Below(path, from.children[i].name), visit);
    return;
  }
  const contract::Schema present{from.children};
  for (const Field& field : to.children)
    if (const Field* before = present.Find(field.name)) ForEachDifference(before->type, field.type, Below(path, field.name), visit);
}

// As Delta's schema spells it: a quoted JSON text without its quotes.
std::string TypeName(const DataType& type) {
  const json schema = json::parse(ToSchemaString(contract::Schema{{Field{"x", type}}}));
  return schema["fields"][0]["type"].get<std::string>();
}

void Record(const Field& before, Field* after);

// Changes of elements, keys and values stand in the metadata of the field around them; structs below have fields of their own.
void RecordBelow(const DataType& from, DataType* to, const std::string& path, json* changes) {
  if (from == *to) return;
  if (!from.is_nested()) {
    json change = {{"fromType", TypeName(from)}, {"toType", TypeName(*to)}};
    if (!path.empty()) change["fieldPath"] = path;
    changes->push_back(std::move(change));
    return;
  }
  if (from.kind == TypeKind::kStruct) {
    const contract::Schema present{from.children};
    for (Field& field : to->children)
      if (const Field* before = present.Find(field.name)) Record(*before, &field);
    return;
  }
  for (size_t i = 0; i < from.children.size(); ++i)
    RecordBelow(from.children[i].type, &to->children[i].type, Below(path, from.children[i].name), changes);
}

json ChangesOf(const Field& field) {
  const auto found = field.metadata.find(kTypeChanges);
  json changes = found == field.metadata.end() ? json() : json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  return changes.is_array() ? changes : json::array();
}

void Record(const Field& before, Field* after) {
  json changes = ChangesOf(before);
  RecordBelow(before.type, &after->type, "", &changes);
  if (!changes.empty()) after->metadata[kTypeChanges] = changes.dump();
}

Result<DataType> TypeNamed(const json& change, const char* key) {
  const std::string name = change.is_object() && change.contains(key) && change[key].is_string() ? change[key].get<std::string>() : "";
  SLUICE_TRY(auto schema, ParseSchemaString(json({{"type", "struct"}, {"fields", {{{"name", "x"}, {"type", name}}}}}).dump()));
  return schema.fields[0].type;
}

Status CheckField(const Field& field, const std::string& path) {
  for (const json& change : ChangesOf(field)) {
    const auto from = TypeNamed(change, "fromType"), to = TypeNamed(change, "toType");
    if (!from || !to || !IsTypeChange(*from, *to))
      return Fail(UnsupportedError("unsupported-feature",
                                   fmt::format("column {} changed its type by {}, which Sluice cannot read", path, change.dump())));
  }
  for (const Field& child : field.type.children) SLUICE_CHECK(CheckField(child, Below(path, child.name)));
  return Ok();
}

}  // namespace

bool IsTypeChange(const DataType& from, const DataType& to) {
  const auto decimal = [&](int digits) {  // decimal(digits + k1, k2) with k1 ≥ k2 ≥ 0
    return to.kind == TypeKind::kDecimal && to.precision - digits >= to.scale;
  };
  switch (from.kind) {
    case TypeKind::kTinyint:
    case TypeKind::kSmallint:
    case TypeKind::kInteger:
      return (to.is_integer() && from.kind < to.kind) || to.kind == TypeKind::kDouble || decimal(10);
    case TypeKind::kBigint:
      return decimal(20);
    case TypeKind::kFloat:
      return to.kind == TypeKind::kDouble;
    case TypeKind::kDate:
      return to.kind == TypeKind::kTimestampNtz;
    case TypeKind::kDecimal:
      return to.kind == TypeKind::kDecimal && to.scale >= from.scale && to.precision - from.precision >= to.scale - from.scale;
    default:
      return false;
  }
}

bool AreTypeChanges(const contract::Schema& before, const contract::Schema& after) {
  bool all = true;
  ForEachDifference(DataType::Struct(before.fields), DataType::Struct(after.fields), "",
                    [&](const DataType& from, const DataType& to, const std::string&) { all = all && IsTypeChange(from, to); });
  return all;
}

void RecordTypeChanges(const contract::Schema& before, contract::Schema* after) {
  for (Field& field : after->fields)
    if (const Field* was = before.Find(field.name)) Record(*was, &field);
}

Status CheckTypeChanges(const contract::Schema& schema) {
  for (const Field& field : schema.fields) SLUICE_CHECK(CheckField(field, field.name));
  return Ok();
}

}  // namespace sluice::delta
