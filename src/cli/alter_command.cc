// table alter: columns, properties and constraints.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/foreign_change.h"
#include "cli/table_args.h"
#include "core/text.h"
#include "tables/alter.h"

namespace sluice::cli {
namespace {

using Pair = std::pair<std::string, std::string>;

// "name=value", or "name value" where a blank comes first.
Result<Pair> SplitPair(const std::string& option, const std::string& text, const std::string& separators, const std::string& example) {
  const size_t at = text.find_first_of(separators);
  const std::string name(Trim(text.substr(0, at)));
  const std::string value(at == std::string::npos ? "" : Trim(text.substr(at + 1)));
  if (name.empty() || at == std::string::npos)
    return Fail(UserError("bad-flags", fmt::format("{} \"{}\"", option, text)).Hint("as " + option + " " + example));
  return Pair(name, value);
}

Result<std::vector<Pair>> Pairs(const std::string& option, const std::vector<std::string>& texts, const std::string& example) {
  std::vector<Pair> pairs;
  for (const std::string& text : texts) {
    SLUICE_TRY(pairs.emplace_back(), SplitPair(option, text, "=", example));
  }
  return pairs;
}

// What other engines write behind a column's type.
Status RefuseDefaults(const std::string& text) {
  for (const std::string_view word : {"DEFAULT", "GENERATED", "IDENTITY"})
    if (ToLower(text).find(" " + ToLower(word)) != std::string::npos)
      return Fail(UnsupportedError("unsupported-feature",
                                   fmt::format("--add-column \"{}\": columns with {} are not written by Sluice", text, word)));
  return Ok();
}

Result<contract::DataType> TypeOf(const std::string& option, const std::string& text) {
  auto type = contract::ParseType(text);
  if (type) return type;
  return Fail(UserError(type.error().code, fmt::format("{}: {}", option, type.error().message)).Hint(type.error().hint));
}

Result<tables::AlterSpec> SpecOf(const AlterArgs& args, bool has_description) {
  tables::AlterSpec spec;
  spec.drop = args.drop;
  SLUICE_TRY(spec.rename, Pairs("--rename-column", args.rename, "old=new"));
  SLUICE_TRY(const auto types, Pairs("--type", args.type, "amount=decimal(18,2)"));
  for (const auto& [name, text] : types) {
    SLUICE_TRY(auto type, TypeOf("--type " + name, text));
    spec.retype.emplace_back(name, std::move(type));
  }
  for (const std::string& text : args.add) {
    SLUICE_CHECK(RefuseDefaults(text));
    SLUICE_TRY(const Pair column, SplitPair("--add-column", text, " \t", "\"note string\""));
    SLUICE_TRY(auto type, TypeOf("--add-column " + column.first, column.second));
    spec.add.push_back({column.first, std::move(type)});
  }
  spec.nullable = args.nullable;
  spec.not_null = args.not_null;
  SLUICE_TRY(spec.comment, Pairs("--comment", args.comment, "\"amount=in euros\""));
  if (has_description) spec.description = args.description;
  spec.unset = args.unset;
  SLUICE_TRY(const auto set, Pairs("--set", args.set, "delta.enableChangeDataFeed=true"));
  spec.set.insert(set.begin(), set.end());
  spec.drop_constraint = args.drop_constraint;
  SLUICE_TRY(spec.add_constraint, Pairs("--add-constraint", args.add_constraint, "\"positive_amount=amount > 0\""));
  return spec;
}

bool IsNothing(const tables::AlterSpec& spec) {
  return spec.drop.empty() && spec.rename.empty() && spec.retype.empty() && spec.add.empty() && spec.nullable.empty() &&
         spec.not_null.empty() && spec.comment.empty() && !spec.description && spec.unset.empty() && spec.set.empty() &&
         spec.drop_constraint.empty() && spec.add_constraint.empty();
}

// A node's columns come from its project; what is changed here only, the next run refuses or undoes.
void WarnOfColumns(Context& context, const FoundTable& table, const tables::AlterSpec& spec) {
  const bool columns = !spec.drop.empty() || !spec.rename.empty() || !spec.retype.empty() || !spec.add.empty();
  if (table.by_path() || table.node == nullptr || !columns) return;
  const char* from = table.node->model ? "its model's SELECT gives" : table.node->seed ? "its file has" : "its contract names";
  PrintWarnings(context, {UserError("beside-runs", fmt::format("{} has the columns that {}: bring that in line before the next run, which "
                                                               "refuses a column that it does not know",
                                                               table.name, from))});
}

// Compacting is what a node's maintenance, or a person, does.
void WarnOfAutoCompact(Context& context, const tables::AlterSpec& spec) {
  const auto asked = spec.set.find("delta.autoOptimize.autoCompact");
  if (asked == spec.set.end() || EqualsIgnoreCase(asked->second, "false")) return;
  PrintWarnings(context, {UserError("beside-runs",
                                    "delta.autoOptimize.autoCompact: other writers heed it; Sluice packs files by a node's "
                                    "`maintenance: { compact_after: … }`, or `sluice table optimize`")});
}

// The project says by what a node's table is partitioned: its next run would refuse another name.
Status CheckPartitionNames(const FoundTable& table, const tables::TableTarget& target, const tables::AlterSpec& spec) {
  if (table.node == nullptr) return Ok();
  for (const auto& [path, name] : spec.rename)
    for (const std::string& column : target.snapshot->metadata.partition_columns)
      if (EqualsIgnoreCase(column, path))
        return Fail(
            UserError("column-in-use", fmt::format("{}: the table is partitioned by \"{}\", which its project says", table.name, path))
                .Hint(fmt::format("rename it there, in the columns and in partition_by, then build it anew: sluice run -s {} "
                                  "--full-refresh{}",
                                  table.name, table.node->source != nullptr ? " --reload-sources" : "")));
  return Ok();
}

Result<int> Alter(Context& context, const AlterArgs& args, bool has_description) {
  SLUICE_TRY(const tables::AlterSpec spec, SpecOf(args, has_description));
  if (IsNothing(spec))
    return Fail(
        UserError("usage", "`sluice table alter` needs something to change").Hint("`sluice table alter --help` lists what it takes"));
  SLUICE_TRY(FoundTable table, FindTable(context, args.table));
  SLUICE_CHECK(AllowChange(context, table, args.yes));
  SLUICE_TRY(const tables::TableTarget target, TargetOf(table));
  SLUICE_CHECK(CheckPartitionNames(table, target, spec));
  SLUICE_TRY(const auto connection, Connect(table));
  const TableOperation operation(table, "alter");
  SLUICE_TRY(const tables::StagedChange change, tables::StageAlter(target, *connection, spec, operation.Options()));
  if (!change.empty) WarnOfColumns(context, table, spec);
  WarnOfAutoCompact(context, spec);
  return CommitAndTell(context, table, operation, target, change);
}

}  // namespace

int TableAlter(Context& context, const AlterArgs& args) { return Finish(context, Alter(context, args, !args.description.empty())); }

}  // namespace sluice::cli
