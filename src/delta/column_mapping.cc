#include "delta/column_mapping.h"

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
  const auto it = field.metadata.find("delta.columnMapping.physicalName");
  if (it == field.metadata.end()) return field.name;  // elements, keys and values of lists and maps have none
  const auto name = nlohmann::json::parse(it->second, nullptr, /*allow_exceptions=*/false);
  return name.is_string() ? name.get<std::string>() : field.name;
}

std::optional<int32_t> ColumnId(const contract::Field& field) {
  const auto it = field.metadata.find("delta.columnMapping.id");
  if (it == field.metadata.end()) return std::nullopt;
  int32_t id = 0;
  const auto [end, error] = std::from_chars(it->second.data(), it->second.data() + it->second.size(), id);
  return error == std::errc() && end == it->second.data() + it->second.size() ? std::optional(id) : std::nullopt;
}

contract::Schema PhysicalSchema(const contract::Schema& schema, ColumnMapping mapping) {
  contract::Schema physical;
  for (const auto& field : schema.fields) physical.fields.push_back(Physical(field, mapping));
  return physical;
}

}  // namespace sluice::delta
