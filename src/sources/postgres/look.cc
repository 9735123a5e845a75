#include "sources/postgres/look.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/counted.h"
#include "core/text.h"
#include "sources/profile.h"
#include "sources/propose.h"

namespace sluice::sources::postgres {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string FlowList(const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  for (const std::string& text : texts) items.push_back(YamlText(text));
  return "[" + Join(items, ", ") + "]";
}

std::string TypeText(const contract::DataType& type) {
  const std::string text = type.ToString();
  return text.find_first_of(",:<") == std::string::npos ? text : "\"" + text + "\"";
}

std::string ColumnYaml(const FoundColumn& column, const TableLook& look) {
  const std::string name = ColumnName(column.name);
  std::string out = "name: " + YamlText(name);
  if (name != column.name) out += ", from: " + YamlText(column.name);
  out += ", type: " + TypeText(ContractTypeOf(column.type));
  if (Contains(look.constraints.not_null, column.name)) out += ", not_null: true";
  if (const auto values = look.constraints.enums.find(column.name); values != look.constraints.enums.end())
    out += ", values: " + FlowList(values->second);
  if (const std::string pii = PiiOfName(column.name); !pii.empty()) out += ", pii: " + pii;
  if (const auto comment = look.constraints.comments.find(column.name); comment != look.constraints.comments.end())
    out += ", description: " + YamlText(comment->second);
  out = "    - { " + out + " }";
  if (column.type.wire == Wire::kNumeric) out += "  # numeric without a scale: its exact text; decimal(p,s) if all values fit one";
  return out + "\n";
}

}  // namespace

Result<TableLook> LookAtTable(const Settings& settings, const std::string& table, const std::atomic<bool>* cancel) {
  SLUICE_TRY(const auto connection, Connection::Open(settings, cancel));
  RowsRead read;
  read.table = table;
  SLUICE_TRY(const Relation relation, FindRelation(*connection, settings, read));
  TableLook look{relation.name.schema + "." + relation.name.table};
  SLUICE_TRY(look.columns, FindColumns(*connection, "SELECT * FROM " + relation.name.Quoted()));
  SLUICE_TRY(look.constraints, FindConstraints(*connection, relation.name));
  return look;
}

std::string CursorColumn(const TableLook& look) {
  for (const char* name : {"updated_at", "modified_at", "changed_at", "last_updated", "last_modified", "last_updated_at", "updated",
                           "modified", "update_time", "modification_time"})
    for (const FoundColumn& column : look.columns)
      if (EqualsIgnoreCase(column.name, name) && (column.type.wire == Wire::kTimestampTz || column.type.wire == Wire::kTimestamp))
        return column.name;
  return "";
}

std::string SourceYaml(const std::string& connection, const TableLook& look) {
  const std::string cursor = CursorColumn(look);
  std::string out =
      fmt::format("# bronze.{}: rows of {}, as they were.\n", TableName(look.table.substr(look.table.find('.') + 1)), look.table);
  out += "# Proposed from what the database says of its columns. Read it through: a contract is what you promise to your readers.\n";
  out += "connection: " + YamlText(connection) + "\nread: { table: " + YamlText(look.table) + " }\n";
  if (cursor.empty())
    out += "load: full                       # each run takes a snapshot; or: incremental, with a cursor that grows with every change\n";
  else
    out += fmt::format("load: incremental                # what changed since the last run; or: full\ncursor: {}\n", YamlText(cursor));
  if (!look.constraints.primary_key.empty())
    out += fmt::format("# its key is {}: for store: merge in silver\n", FlowList(look.constraints.primary_key));
  out += "contract:\n  columns:\n";
  for (const FoundColumn& column : look.columns) out += ColumnYaml(column, look);
  return out;
}

}  // namespace sluice::sources::postgres
