#include "delta/column_mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace sluice::delta {
namespace {

contract::Field Physical(contract::Field field, ColumnMapping mapping) {
  field.name = PhysicalName(field, mapping);
  for (auto& child : field.type.children) child = Physical(std::move(child), mapping);
  return field;
}

constexpr const char *kId = "delta.columnMapping.id", *kPhysicalName = "delta.columnMapping.physicalName",
                     *kMaxColumnId = "delta.columnMapping.maxColumnId";

std::optional<int32_t> ParseId(const std::string& text) {
  int32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(id) : std::nullopt;
}

int32_t HighestId(const std::vector<contract::Field>& fields) {
  int32_t highest = 0;
  for (const contract::Field& field : fields) highest = std::max({highest, ColumnId(field).value_or(0), HighestId(field.type.children)});
  return highest;
}

void AssignIn(contract::DataType* type, int32_t* highest);

void Assign(contract::Field* field, int32_t* highest) {
  if (!ColumnId(*field)) {
    const int32_t id = ++*highest;
    field->metadata[kId] = std::to_string(id);
    // The hash keeps clear of a column that somebody, at some time, called "col-7".
    const std::string name = fmt::format("col-{}-{}", id, Hex(Hash64(fmt::format("{}:{}", id, field->name))));
    field->metadata.try_emplace(kPhysicalName, nlohmann::json(name).dump());
  }
  AssignIn(&field->type, highest);
}

// Elements, keys and values have neither id nor name; the fields of structs below them do.
void AssignIn(contract::DataType* type, int32_t* highest) {
  for (contract::Field& child : type->children) {
    if (type->kind == contract::TypeKind::kStruct)
      Assign(&child, highest);
    else
      AssignIn(&child.type, highest);
  }
}

}  // namespace

ColumnMapping ColumnMappingOf(const Protocol& protocol, const Metadata& metadata) {
  const bool listed = protocol.reader_features && protocol.reader_features->contains("columnMapping");
  if (protocol.min_reader_version != 2 && !listed) return ColumnMapping::kNone;
  const auto mode = metadata.configuration.find("delta.columnMapping.mode");
  if (mode == metadata.configuration.end()) return ColumnMapping::kNone;
  if (EqualsIgnoreCase(mode->second, "name")) return ColumnMapping::kName;
  return EqualsIgnoreCase(mode->second, "id") ? ColumnMapping::kId : ColumnMapping::kNone;
}

std::string PhysicalName(const contract::Field& field, ColumnMapping mapping) {
  if (mapping == ColumnMapping::kNone) return field.name;
  const auto it = field.metadata.find(kPhysicalName);
  if (it == field.metadata.end()) return field.name;  // elements, keys and values of lists and maps have none
  const auto name = nlohmann::json::parse(it->second, nullptr, /*allow_exceptions=*/false);
  return name.is_string() ? name.get<std::string>() : field.name;
}

std::optional<int32_t> ColumnId(const contract::Field& field) {
  const auto it = field.metadata.find(kId);
  return it == field.metadata.end() ? std::nullopt : ParseId(it->second);
}

void AssignColumnIds(contract::Schema* schema, std::map<std::string, std::string>* properties) {
  const auto noted = properties->find(kMaxColumnId);
  int32_t highest = noted == properties->end() ? 0 : ParseId(noted->second).value_or(0);
  highest = std::max(highest, HighestId(schema->fields));
  for (contract::Field& field : schema->fields) Assign(&field, &highest);
  (*properties)[kMaxColumnId] = std::to_string(highest);
}

contract::Schema PhysicalSchema(const contract::Schema& schema, ColumnMapping mapping) {
  contract::Schema physical;
  for (const auto& field : schema.fields) physical.fields.push_back(Physical(field, mapping));
  return physical;
}

}  // namespace sluice::delta
