#pragma once
// Logical ↔ physical columns (PROTOCOL.md, "Column Mapping"). Pure.
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "delta/actions.h"

namespace sluice::delta {

enum class ColumnMapping { kNone, kName, kId };

// The table's mode; the property counts only where the protocol supports the feature.
ColumnMapping ColumnMappingOf(const Protocol& protocol, const Metadata& metadata);

// The name under which a column stands in data files (kName), partition values and statistics (kName and kId).
std::string PhysicalName(const contract::Field& field, ColumnMapping mapping);
// The field_id of the column in data files, if it has one.
std::optional<int32_t> ColumnId(const contract::Field& field);
// The schema with each name, nested ones too, replaced by its physical one.
contract::Schema PhysicalSchema(const contract::Schema& schema, ColumnMapping mapping);

// Gives every column without one, nested ones too, an id above all the table ever used and a physical name made of it. The same
// schema and properties give the same names, so that files may be written before the commit that brings them. `properties`: the
// table's, "delta.columnMapping.maxColumnId" is raised in it.
void AssignColumnIds(contract::Schema* schema, std::map<std::string, std::string>* properties);

}  // namespace sluice::delta
