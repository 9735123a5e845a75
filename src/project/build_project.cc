// What several kinds of nodes share, and what only the whole project can tell.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/text.h"
#include "project/build.h"
#include "project/names.h"

namespace sluice::project {
namespace {

using contract::ColumnContract;
using contract::TypeKind;

struct Partition {
  std::string function, column;  // function "" = the column itself
};

std::optional<Partition> ParsePartition(std::string_view text) {
  const size_t open = text.find('(');
  if (open == std::string_view::npos) return Partition{"", std::string(Trim(text))};
  if (!text.ends_with(')')) return std::nullopt;
  return Partition{ToLower(Trim(text.substr(0, open))), std::string(Trim(text.substr(open + 1, text.size() - open - 2)))};
}

// Does the function fit the type? hour needs a time.
bool Fits(const std::string& function, TypeKind kind) {
  if (function.empty()) return kind < TypeKind::kStruct && kind != TypeKind::kBinary;
  const bool is_time = kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz;
  return is_time || (kind == TypeKind::kDate && function != "hour");
}

void CheckPartition(const PlacedText& text, const std::vector<ColumnContract>& columns, Diagnostics& diagnostics) {
  static const std::vector<std::string> kFunctions = {"year", "month", "day", "hour"};
  const auto partition = ParsePartition(text.value);
  if (!partition || partition->column.empty()) {
    diagnostics.Add(UserError("bad-partition", fmt::format("\"{}\" is no column and no function of one", text.value))
                        .At(text.where)
                        .Hint("write order_date or month(order_date)"));
    return;
  }
  if (!partition->function.empty() && std::find(kFunctions.begin(), kFunctions.end(), partition->function) == kFunctions.end()) {
    diagnostics.Add(UserError("bad-partition", fmt::format("there is no partition by \"{}\"{}", partition->function,
                                                           DidYouMean(partition->function, kFunctions)))
                        .At(text.where)
                        .Hint("year, month, day and hour of a date or timestamp, or the column itself"));
    return;
  }
  if (columns.empty()) return;
  std::vector<std::string> names;
  for (const ColumnContract& column : columns) names.push_back(column.name);
  CheckColumns({{partition->column, text.where}}, names, "partition column", "this contract", diagnostics);
  for (const ColumnContract& column : columns)
    if (EqualsIgnoreCase(column.name, partition->column) && !Fits(partition->function, column.type.kind))
      diagnostics.Add(
          UserError("bad-partition", fmt::format("\"{}\" does not fit: {} is a {}", text.value, column.name, column.type.ToString()))
              .At(text.where)
              .Hint(partition->function.empty() ? "partition by a column that is neither binary nor nested"
                                                : "year, month, day fit dates and timestamps, hour timestamps"));
}

using Places = std::map<std::string, Location>;  // table → where it is defined

void AddTable(const std::string& table, const Location& where, Places& places, Diagnostics& diagnostics) {
  const auto [first, is_new] = places.emplace(ToLower(table), where);
  if (!is_new)
    diagnostics.Add(UserError("duplicate-table", fmt::format("{} is made twice, first in {}", table, first->second.file))
                        .At(where)
                        .Hint("rename one of the two"));
}

const std::string kAnyBronze = "bronze.*";  // patterns of tables may make any

void CheckReference(const std::string& table, std::string_view key, const Location& where, const Places& places, Diagnostics& diagnostics) {
  if (places.contains(ToLower(table)) || table.starts_with("quarantine.")) return;
  if (places.contains(kAnyBronze) && table.starts_with("bronze.")) return;
  std::vector<std::string> tables;
  for (const auto& [name, place] : places) tables.push_back(name);
  diagnostics.Add(
      UserError("unknown-table", fmt::format("\"{}\" names the table {}, which nothing makes{}", key, table, DidYouMean(table, tables)))
          .At(where)
          .Hint("write LAYER.NAME of a source, a seed or a model"));
}

const Source* FindSource(const Project& project, const std::string& table) {
  for (const Source& source : project.sources)
    if ("bronze." + source.name == table) return &source;
  return nullptr;
}

// In a table that is a source with a closed contract the column must be.
void CheckFarColumns(const Texts& columns, const std::string& table, const Project& project, Diagnostics& diagnostics) {
  const Source* source = FindSource(project, table);
  if (!source || !source->contract.declared || source->contract.on_new_column == contract::OnNewColumn::kEvolve) return;
  std::vector<std::string> names;
  for (const auto& column : source->contract.columns) names.push_back(column.name);
  CheckColumns(columns, names, "column", table, diagnostics);
}

void CheckReferences(const std::vector<Check>& checks, const Places& places, const Project& project, Diagnostics& diagnostics) {
  for (const Check& check : checks) {
    if (check.kind == Check::Kind::kRelationship) {
      CheckReference(check.to_table, "to", check.where, places, diagnostics);
      CheckFarColumns({{check.to_column, check.where}}, check.to_table, project, diagnostics);
    }
    if (check.kind == Check::Kind::kAccountsFor) CheckReference(check.accounts_for, "accounts_for", check.where, places, diagnostics);
  }
}

void CheckMacros(const Project& project, Diagnostics& diagnostics) {
  Texts names;
  for (const Macro& macro : project.macros) names.push_back({macro.name, macro.where});
  CheckDistinct(names, "duplicate-macro", "the macro", diagnostics);
}

}  // namespace

Properties BuildProperties(const PropertiesSpec& spec, const Project& project, Diagnostics& diagnostics) {
  Properties properties;
  properties.description = spec.description;
  properties.owner = spec.owner;
  for (const PlacedText& tag : spec.tags) properties.tags.insert(tag.value);
  for (const auto& [key, value] : spec.meta) properties.meta[key.value] = value;
  if (!spec.schedule) return properties;
  properties.schedule = spec.schedule->value;
  if (project.schedules.contains(properties.schedule)) return properties;
  std::vector<std::string> names;
  for (const auto& [name, cron] : project.schedules) names.push_back(name);
  diagnostics.Add(UserError("unknown-schedule",
                            fmt::format("there is no schedule \"{}\"{}", properties.schedule, DidYouMean(properties.schedule, names)))
                      .At(spec.schedule->where)
                      .Hint("declare it in sluice.yml, schedules: { " + properties.schedule + ": \"0 2 * * * UTC\" }"));
  return properties;
}

void CheckPartitioning(const Texts& partition_by, const std::vector<ColumnContract>& columns, Diagnostics& diagnostics) {
  CheckDistinct(partition_by, "duplicate-item", "the partition", diagnostics);
  for (const PlacedText& text : partition_by) CheckPartition(text, columns, diagnostics);
}

void CheckColumns(const Texts& names, const std::vector<std::string>& columns, std::string_view what, std::string_view of,
                  Diagnostics& diagnostics) {
  std::vector<std::string> named;
  for (const std::string& column : columns)
    if (!column.empty() && std::find(named.begin(), named.end(), column) == named.end()) named.push_back(column);
  for (const PlacedText& name : names) {
    const auto same = [&](const std::string& column) { return EqualsIgnoreCase(column, name.value); };
    if (std::any_of(columns.begin(), columns.end(), same) || contract::IsMetadataColumn(ToLower(name.value))) continue;
    diagnostics.Add(
        UserError("unknown-column", fmt::format("{} \"{}\" is not a column of {}{}", what, name.value, of, DidYouMean(name.value, columns)))
            .At(name.where)
            .Hint("the columns are " + Join(named, ", ")));
  }
}

void CheckProject(const Project& project, Diagnostics& diagnostics) {
  Places places;
  for (const Source& source : project.sources) AddTable("bronze." + source.name, source.where, places, diagnostics);
  for (const Seed& seed : project.seeds) AddTable("seed." + seed.name, seed.where, places, diagnostics);
  for (const Model& model : project.models) AddTable(model.table(), {model.sql_file, 1, 1}, places, diagnostics);
  if (!project.table_patterns.empty()) places.emplace(kAnyBronze, Location{});
  for (const Source& source : project.sources) CheckReferences(source.checks, places, project, diagnostics);
  for (const Model& model : project.models) CheckReferences(model.checks, places, project, diagnostics);
  CheckMacros(project, diagnostics);
}

}  // namespace sluice::project
