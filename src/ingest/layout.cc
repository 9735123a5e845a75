#include "ingest/layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "ingest/ingest.h"
#include "tables/change.h"
#include "tables/generated.h"
#include "tables/partitioning.h"

namespace sluice::ingest {
namespace {

using contract::Contract;
using contract::Field;
using contract::Schema;
using tables::IsGenerated;

Location WhereOf(const Contract& contract, std::string_view column) {
  for (const auto& c : contract.columns) {
    if (EqualsIgnoreCase(c.name, column)) return c.where;
  }
  return contract.where;
}

Status CheckNames(const Contract& contract, const Schema& rows) {
  for (size_t i = 0; i < rows.fields.size(); ++i) {
    const std::string& name = rows.fields[i].name;
    if (contract::IsMetadataColumn(name)) {
      return Fail(UserError("reserved-column", fmt::format("\"{}\" is the name of a metadata column of every bronze table", name))
                      .At(WhereOf(contract, name))
                      .Hint("give the column another name, with from: " + name));
    }
    if (rows.IndexOf(name) != static_cast<int>(i)) {
      return Fail(UserError("duplicate-column", fmt::format("the contract has the column \"{}\" twice", name)).At(WhereOf(contract, name)));
    }
  }
  return Ok();
}

// The fields a new table would have, in its order: the rows' columns with the contract's nullability, then metadata columns.
Schema Wanted(const Contract& contract, const Schema& rows) {
  Schema wanted = contract.ToSchema();
  for (size_t i = wanted.fields.size(); i < rows.fields.size(); ++i) wanted.fields.push_back(rows.fields[i]);
  for (const Field& field : contract::BronzeMetadataColumns()) wanted.fields.push_back(field);
  return wanted;
}

// The way out of what readers of the table as it stands could not bear.
std::string MadeAnew(const std::string& table) {
  return fmt::format("to make the table anew from what the source has now: sluice run -s {}+ --full-refresh --reload-sources", table);
}

Status MergeField(const std::string& name, const Contract& contract, const Field& want, Schema* table, Layout* layout) {
  const int at = table->IndexOf(want.name);
  if (at < 0) {
    Field added = want;
    added.nullable = true;  // the rows before it have none
    table->fields.push_back(std::move(added));
    layout->schema_changed = true;
    return Ok();
  }
  Field& have = table->fields[static_cast<size_t>(at)];
  if (!(have.type == want.type)) {
    if (!contract::IsWidening(have.type, want.type)) {
      return Fail(UserError("column-type-changed", fmt::format("column \"{}\" is a {} in the table and a {} in the contract", want.name,
                                                               have.type.ToString(), want.type.ToString()))
                      .At(WhereOf(contract, want.name))
                      .Hint("rows that are there can only take a wider type; " + MadeAnew(name)));
    }
    have.type = tables::EvolvedType(have.type, want.type);
    layout->widened.push_back(have.name);
    layout->schema_changed = true;
  }
  if (want.nullable && !have.nullable) {
    have.nullable = true;
    layout->schema_changed = true;
  }
  return Ok();
}

// Columns that the table has and this batch does not fill must be able to be NULL.
void RelaxUnfilled(const Schema& wanted, Schema* table, Layout* layout) {
  for (Field& field : table->fields) {
    if (field.nullable || IsGenerated(field) || wanted.Find(field.name) != nullptr) continue;
    field.nullable = true;
    layout->schema_changed = true;
  }
}

std::string PartitionText(const std::vector<std::string>& columns) {
  return columns.empty() ? "not partitioned" : "partitioned by " + Join(columns, ", ");
}

Status ResolvePartitions(const std::string& name, const Contract& contract, const std::vector<std::string>& partition_by,
                         const delta::Snapshot* snapshot, Layout* layout) {
  Schema resolved = layout->table;
  SLUICE_TRY(layout->partition_columns, tables::ResolvePartitioning(partition_by, &resolved));
  if (snapshot == nullptr) {
    layout->table = std::move(resolved);
    return Ok();
  }
  const auto& existing = snapshot->metadata.partition_columns;
  const bool same = std::equal(existing.begin(), existing.end(), layout->partition_columns.begin(), layout->partition_columns.end(),
                               [](const std::string& a, const std::string& b) { return EqualsIgnoreCase(a, b); });
  if (same) {
    layout->partition_columns = existing;
    return Ok();
  }
  return Fail(UserError("partitioning-changed", fmt::format("the table is {}, the project says {}", PartitionText(existing),
                                                            PartitionText(layout->partition_columns)))
                  .At(contract.where)
                  .Hint(MadeAnew(name)));
}

int SourceOf(const Field& field, const Schema& rows) {
  if (const int at = rows.IndexOf(field.name); at >= 0) return at;
  const auto& metadata = contract::BronzeMetadataColumns();
  for (size_t k = 0; k < metadata.size(); ++k) {
    if (EqualsIgnoreCase(metadata[k].name, field.name)) return -1 - static_cast<int>(k);
  }
  return Layout::kNull;
}

}  // namespace

Result<Layout> PlanLayout(const std::string& table, const Contract& contract, const Schema& rows,
                          const std::vector<std::string>& partition_by, const delta::Snapshot* snapshot) {
  SLUICE_CHECK(CheckNames(contract, rows));
  Layout layout;
  const Schema wanted = Wanted(contract, rows);
  if (snapshot == nullptr) {
    layout.table = wanted;
    layout.schema_changed = true;
  } else {
    layout.table = snapshot->schema;
    for (const Field& field : wanted.fields) SLUICE_CHECK(MergeField(table, contract, field, &layout.table, &layout));
    RelaxUnfilled(wanted, &layout.table, &layout);
  }
  SLUICE_CHECK(ResolvePartitions(table, contract, partition_by, snapshot, &layout));
  if (snapshot != nullptr) {
    SLUICE_TRY(layout.rules, tables::RulesOf(snapshot->protocol, snapshot->metadata, &layout.table));
  }
  for (const Field& field : layout.table.fields) {
    if (IsGenerated(field)) continue;
    layout.sources.push_back(SourceOf(field, rows));
    layout.written.fields.push_back(field);
  }
  for (const Field& field : layout.table.fields) {
    if (!IsGenerated(field) || rows.Find(field.name) == nullptr) continue;
    layout.sources.push_back(rows.IndexOf(field.name));
    layout.written.fields.push_back(field);
  }
  return layout;
}

Contract EffectiveContract(const Contract& contract, const delta::Snapshot* bronze, const std::vector<Field>& detected) {
  Contract effective = contract;
  if (!contract.declared && effective.columns.empty()) {
    std::vector<Field> fields = detected;
    if (bronze != nullptr) {
      fields.clear();
      for (const Field& field : bronze->schema.fields) {
        if (!contract::IsMetadataColumn(field.name) && !IsGenerated(field)) fields.push_back(field);
      }
    }
    for (const Field& field : fields) {
      contract::ColumnContract column;
      column.name = field.name;
      column.type = field.type;
      column.where = contract.where;
      effective.columns.push_back(std::move(column));
    }
  }
  if (bronze == nullptr) return effective;
  for (auto& column : effective.columns) {
    const Field* have = bronze->schema.Find(column.name);
    if (have != nullptr && contract::IsWidening(column.type, have->type)) column.type = have->type;
  }
  return effective;
}

}  // namespace sluice::ingest
