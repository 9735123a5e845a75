#include "sources/postgres/catalog.h"

#include <fmt/format.h>

#include <set>

#include "core/text.h"

namespace sluice::sources::postgres {
namespace {

int64_t Integer(const std::optional<std::string>& text) { return text && !text->empty() ? std::stoll(*text) : 0; }
std::string TextOf(const std::optional<std::string>& text) { return text.value_or(""); }

// The types that `wanted` leads to, through domains and arrays.
Result<CatalogTypes> LoadTypes(Connection& connection, std::set<uint32_t> wanted) {
  CatalogTypes types;
  while (!wanted.empty()) {
    std::vector<std::string> list;
    for (const uint32_t oid : wanted) list.push_back(std::to_string(oid));
    SLUICE_TRY(const auto rows,
               connection.Query(
                   fmt::format("SELECT t.oid, t.typname, n.nspname = 'pg_catalog', t.typtype, CASE WHEN t.typcategory = 'A' THEN t.typelem "
                               "ELSE 0 END, t.typbasetype, t.typtypmod FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = "
                               "t.typnamespace WHERE t.oid IN ({})",
                               Join(list, ", "))));
    std::set<uint32_t> next;
    for (const Row& row : rows) {
      CatalogType type{static_cast<uint32_t>(Integer(row[0])),
                       TextOf(row[1]),
                       row[2] == "t",
                       TextOf(row[3])[0],
                       static_cast<uint32_t>(Integer(row[4])),
                       static_cast<uint32_t>(Integer(row[5])),
                       static_cast<int32_t>(Integer(row[6]))};
      for (const uint32_t further : {type.element, type.base})
        if (further != 0 && !types.contains(further) && !wanted.contains(further)) next.insert(further);
      types[type.oid] = std::move(type);
    }
    wanted = std::move(next);
  }
  return types;
}

Error NoTable(const Settings& settings, const RowsRead& read, const std::vector<Row>& near) {
  std::vector<std::string> names;
  for (const Row& row : near) names.push_back(TextOf(row[0]));
  return UserError("postgres-no-table", fmt::format("{} has no table \"{}\" that user \"{}\" may see{}", settings.Place(), read.table,
                                                    settings.user, DidYouMean(read.table, names)))
      .At(read.where)
      .Hint(fmt::format("`sluice inspect {}` lists the tables", settings.name));
}

}  // namespace

std::string RelationName::Quoted() const { return QuoteIdentifier(schema) + "." + QuoteIdentifier(table); }

RelationName ParseTableName(const std::string& text) {
  const size_t dot = text.find('.');
  if (dot == std::string::npos) return {"public", text};
  return {text.substr(0, dot), text.substr(dot + 1)};
}

Result<Relation> FindRelation(Connection& connection, const Settings& settings, const RowsRead& read) {
  Relation relation{ParseTableName(read.table)};
  const std::string schema = QuoteLiteral(relation.name.schema), table = QuoteLiteral(relation.name.table);
  // A table with its partitions, or children that inherit it.
  SLUICE_TRY(
      const auto rows,
      connection.Query(fmt::format(
          "WITH RECURSIVE parts AS (SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
          "c.relnamespace WHERE n.nspname = {} AND c.relname = {} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') UNION ALL SELECT c.oid, "
          "c.relkind FROM parts p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid) "
          "SELECT pg_catalog.count(*), pg_catalog.bool_and(relkind IN ('r', 'p', 'm')), coalesce(pg_catalog.max(size), 0) / "
          "pg_catalog.current_setting('block_size')::int8, coalesce(pg_catalog.sum(size), 0) FROM (SELECT relkind, CASE WHEN relkind IN "
          "('r', 'm') THEN pg_catalog.pg_relation_size(oid) END AS size FROM parts) s",
          schema, table)));
  if (rows.empty() || Integer(rows[0][0]) == 0) {
    SLUICE_TRY(const auto near,
               connection.Query("SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
                                "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN "
                                "('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 1000"));
    return Fail(NoTable(settings, read, near));
  }
  relation.has_rows_of_its_own = rows[0][1] == "t";
  relation.pages = Integer(rows[0][2]);
  relation.bytes = Integer(rows[0][3]);
  return relation;
}

Result<std::vector<FoundColumn>> FindColumns(Connection& connection, const std::string& select) {
  SLUICE_TRY(const auto described, connection.Describe(select));
  std::set<uint32_t> oids;
  for (const ResultColumn& column : described) oids.insert(column.type);
  SLUICE_TRY(const CatalogTypes types, LoadTypes(connection, std::move(oids)));
  std::vector<FoundColumn> columns;
  for (const ResultColumn& column : described) columns.push_back({column.name, WireTypeOf(column.type, column.modifier, types)});
  return columns;
}

Result<Constraints> FindConstraints(Connection& connection, const RelationName& table) {
  Constraints out;
  const std::string relation = fmt::format("{}::pg_catalog.regclass", QuoteLiteral(table.Quoted()));
  SLUICE_TRY(
      const auto columns,
      connection.Query(fmt::format("SELECT attname, attnotnull, pg_catalog.col_description(attrelid, attnum) FROM pg_catalog.pg_attribute "
                                   "WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                                   relation)));
  for (const Row& row : columns) {
    if (row[1] == "t") out.not_null.push_back(TextOf(row[0]));
    if (row[2]) out.comments[TextOf(row[0])] = *row[2];
  }
  SLUICE_TRY(const auto key, connection.Query(fmt::format(
                                 "SELECT a.attname FROM pg_catalog.pg_index i CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH "
                                 "ORDINALITY k(n, at) JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE "
                                 "i.indrelid = {} AND i.indisprimary ORDER BY k.at",
                                 relation)));
  for (const Row& row : key) out.primary_key.push_back(TextOf(row[0]));
  SLUICE_TRY(const auto labels,
             connection.Query(
                 fmt::format("SELECT a.attname, e.enumlabel FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_enum e ON e.enumtypid = "
                             "a.atttypid WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum, e.enumsortorder",
                             relation)));
  for (const Row& row : labels) out.enums[TextOf(row[0])].push_back(TextOf(row[1]));
  return out;
}

}  // namespace sluice::sources::postgres
