// What may become of a schema while rows of before stay.
#include <fmt/format.h>

#include "core/text.h"
#include "tables/change.h"
#include "tables/generated.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;

void CompareFields(const std::vector<Field>& before, const std::vector<Field>& after, const std::string& path, SchemaChange* change);

// Structs are compared field by field, so that an added one is told apart from a widened one.
void CompareTypes(const DataType& before, const DataType& after, const std::string& name, SchemaChange* change) {
  if (before == after) return;
  if (before.kind == after.kind && before.kind == contract::TypeKind::kStruct) {
    CompareFields(before.children, after.children, name + ".", change);
    return;
  }
  const std::string text = fmt::format("{}: {} → {}", name, before.ToString(), after.ToString());
  (contract::IsWidening(before, after) ? change->widened : change->breaking).push_back(text);
}

void CompareFields(const std::vector<Field>& before, const std::vector<Field>& after, const std::string& path, SchemaChange* change) {
  const contract::Schema wanted{after}, present{before};
  for (const Field& field : before) {
    if (IsGenerated(field)) continue;
    const Field* now = wanted.Find(field.name);
    if (now == nullptr) {
      change->breaking.push_back(fmt::format("{}{} is dropped", path, field.name));
      continue;
    }
    if (field.nullable && !now->nullable) change->breaking.push_back(fmt::format("{}{} must not be NULL any more", path, field.name));
    CompareTypes(field.type, now->type, path + field.name, change);
  }
  for (const Field& field : after)
    if (!IsGenerated(field) && present.Find(field.name) == nullptr) change->added.push_back(path + field.name);
}

}  // namespace

SchemaChange CompareSchemas(const contract::Schema& before, const contract::Schema& after) {
  SchemaChange change;
  CompareFields(before.fields, after.fields, "", &change);
  return change;
}

DataType EvolvedType(const DataType& before, const DataType& after) {
  if (before.kind != after.kind || !before.is_nested()) return after;
  DataType out = before;
  const contract::Schema wanted{after.children}, present{before.children};
  for (Field& child : out.children) {
    const Field* now = wanted.Find(child.name);
    if (now == nullptr) continue;
    child.type = EvolvedType(child.type, now->type);
    child.nullable = child.nullable || now->nullable;
  }
  for (const Field& child : after.children)
    if (present.Find(child.name) == nullptr) out.children.push_back(child);
  return out;
}

contract::Schema WithIdsOf(const contract::Schema& before, contract::Schema wanted) {
  for (Field& field : wanted.fields) {
    const Field* was = before.Find(field.name);
    if (was == nullptr || !(was->type == field.type)) continue;
    field.type = was->type;  // with what is noted at the fields of structs
    for (const auto& [key, value] : was->metadata)
      if (key.starts_with("delta.columnMapping.")) field.metadata[key] = value;
  }
  return wanted;
}

}  // namespace sluice::tables
