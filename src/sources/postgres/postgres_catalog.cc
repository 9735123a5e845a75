#include "sources/postgres/postgres_catalog.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "sources/postgres/catalog.h"
#include "sources/postgres/connection.h"
#include "sources/profile.h"
#include "sources/propose.h"

namespace sluice::sources::postgres {
namespace {

// A table, looked at.
struct TableLook {
  std::string table;  // "public.users"
  std::vector<FoundColumn> columns;
  Constraints constraints;
};

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

class PostgresCatalog : public Catalog {
 public:
  PostgresCatalog(const Settings& settings, const std::atomic<bool>* cancel) : settings_(settings), cancel_(cancel) {}

  Result<std::string> Reach() override {
    SLUICE_TRY(const auto connection, Connection::Open(settings_, cancel_));
    return fmt::format("{} as {}", settings_.Place(), settings_.user);
  }

  Result<std::vector<Listed>> List() override {
    SLUICE_TRY(const auto connection, Connection::Open(settings_, cancel_));
    SLUICE_TRY(const auto rows,
               connection->Query(
                   "SELECT n.nspname || '.' || c.relname, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' "
                   "WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, CASE WHEN c.relkind IN ('r', 'm') "
                   "THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END, greatest(c.reltuples, 0)::int8 FROM pg_catalog.pg_class c JOIN "
                   "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT "
                   "c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND "
                   "n.nspname NOT LIKE 'pg\\_temp%' AND pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY 1"));
    std::vector<Listed> tables;
    for (const Row& row : rows)
      tables.push_back({row[0].value_or(""), row[1].value_or(""), std::stoll(row[3].value_or("0")), std::stoll(row[2].value_or("0"))});
    return tables;
  }

  Result<Proposed> Propose(const std::string& name) override {
    SLUICE_TRY(const TableLook look, LookAtTable(settings_, name, cancel_));
    Proposed proposed{look.table, {}, look.constraints.primary_key, CursorColumn(look), SourceYaml(settings_.name, look)};
    for (const FoundColumn& column : look.columns) proposed.columns.push_back({column.name, ContractTypeOf(column.type)});
    return proposed;
  }

 private:
  const Settings settings_;
  const std::atomic<bool>* cancel_;
};

}  // namespace

Result<std::unique_ptr<Catalog>> OpenPostgresCatalog(const SourceSpec& spec) {
  return std::make_unique<PostgresCatalog>(std::get<Settings>(spec.peer), spec.cancel);
}

}  // namespace sluice::sources::postgres
