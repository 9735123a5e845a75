#include "cli/foreign_change.h"

#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/in_lake.h"
#include "core/counted.h"
#include "core/text.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;
using project::Store;

std::string AfterModelRun(const project::Model& model) {
  switch (model.store) {
    case Store::kAppend:
      return "later runs add to it and leave this change until it is built anew (--full-refresh)";
    case Store::kMerge:
      return "later runs leave this change, until a row with the same key and a higher sequence comes or it is built anew (--full-refresh)";
    case Store::kScd2:
      return "later runs go on from the history as it now is; built anew (--full-refresh) it forgets this change";
    case Store::kInterval:
      return "a window that is computed again replaces its rows, and this change with them";
    default:
      return "it is computed anew when its inputs or its SQL change, and this change is lost then: change its inputs or SQL instead";
  }
}

std::string AfterRun(const plan::Node& node) {
  if (node.model != nullptr) return AfterModelRun(*node.model);
  if (node.seed != nullptr) return "when its file changes its rows are replaced, and this change is lost then: change the file instead";
  const bool latest = node.source->load == project::Load::kFull && node.source->keep == project::Keep::kLatest;
  return latest ? "the next snapshot of the source replaces its rows, and this change with them"
                : "later runs add to it and leave this change; models take it up when they run";
}

// DuckDB's message without the text that is ours: the first line, and its kind cut off.
std::string Brief(const std::string& message) {
  std::string line = message.substr(0, message.find('\n'));
  const size_t colon = line.find("Error: ");
  return colon == std::string::npos ? line : line.substr(colon + 7);
}

// The name between the quotes of "Referenced column "x" not found …"; "" if the message is another.
std::string UnknownName(const std::string& message) {
  for (const std::string_view start : {"Referenced column \"", "does not have a column named \""}) {
    const size_t at = message.find(start);
    if (at == std::string::npos) continue;
    const size_t from = at + start.size();
    return message.substr(from, message.find('"', from) - from);
  }
  return "";
}

std::string EmptyRows(const NamedSchema& relation) {
  std::vector<std::string> columns;
  for (const auto& field : relation.schema.fields)
    columns.push_back(fmt::format("CAST(NULL AS {}) AS {}", field.type.ToDuckDb(), QuoteIdentifier(field.name)));
  return fmt::format("(SELECT {} WHERE false) {}", Join(columns, ", "), relation.alias);
}

Error BadExpression(const std::string& option, const std::string& sql, const Error& error, const std::vector<NamedSchema>& relations) {
  const std::string name = UnknownName(error.message);
  if (name.empty()) {
    Error bad = UserError("bad-expression", fmt::format("{} \"{}\": {}", option, sql, Brief(error.message)));
    if (error.message.starts_with("Catalog Error: Table"))
      return std::move(bad).Hint("an expression sees this table's columns only; rows of other tables come in by `sluice table merge`");
    return bad;
  }
  std::vector<std::string> known;
  for (const NamedSchema& relation : relations)
    for (const std::string& column : relation.schema.Names()) known.push_back(column);
  return UserError("unknown-column", fmt::format("{} \"{}\": there is no column \"{}\"{}", option, sql, name, DidYouMean(name, known)))
      .Hint("texts stand in single quotes; the columns are " + Join(known, ", "));
}

// As in a model: whether a row is meant, and what it becomes, must not depend on how often that is asked.
Status RefuseVolatile(const FoundTable& table, const std::string& option, const std::string& sql) {
  SLUICE_TRY(engines::SqlFrontend * frontend, table.session->sql().Frontend());
  const auto parsed = frontend->ParseExpression(sql, {});
  if (parsed) return Ok();
  std::vector<const Error*> errors = {&parsed.error()};
  for (const Error& error : parsed.error().more) errors.push_back(&error);
  for (const Error* error : errors)
    if (error->code == "nondeterministic")
      return Fail(UserError(error->code, fmt::format("{} \"{}\": {}", option, sql, error->message)).Hint(error->hint));
  return Ok();
}

std::string RowsText(const tables::ChangeCounts& counts) {
  std::vector<std::string> parts;
  const std::pair<int64_t, const char*> all[] = {{counts.added, "inserted"}, {counts.changed, "updated"}, {counts.deleted, "deleted"}};
  for (const auto& [rows, what] : all)
    if (rows > 0) parts.push_back(Counted(rows, "row") + " " + what);
  return Join(parts, ", ");
}

}  // namespace

Error WithoutOurSql(Error error) {
  if (error.code != "sql") return error;
  error.message = Brief(error.message);
  return error;
}

Status AllowChange(Context& context, const FoundTable& table, bool confirmed) {
  if (table.by_path()) return CheckNotInLake(context, table.name);
  if (!table.session->project().environment.is_protected) return Ok();
  const std::string& name = table.session->project().environment.name;
  if (context.globals.environment != name)
    return Fail(UserError("protected-environment", fmt::format("environment {} is protected: name it", name)).Hint("add --env " + name));
  if (confirmed) return Ok();
  return Fail(UserError("protected-environment", fmt::format("environment {} is protected: confirm the change of {}", name, table.name))
                  .Hint("add --yes"));
}

void WarnOfRuns(Context& context, const FoundTable& table) {
  if (table.by_path()) return;
  const std::string what = table.node != nullptr                   ? AfterRun(*table.node)
                           : table.name.starts_with("quarantine.") ? "replays go on from the records as they now are"
                                                                   : "no node of the project writes it now";
  PrintWarnings(context, {UserError("beside-runs", fmt::format("{} is written by runs: {}", table.name, what))});
}

Status CheckColumn(const std::string& option, const std::string& column, const FoundTable& table, const contract::Schema& schema) {
  if (schema.Find(column) != nullptr) return Ok();
  return Fail(UserError("unknown-column",
                        fmt::format("{}: {} has no column \"{}\"{}", option, table.name, column, DidYouMean(column, schema.Names())))
                  .Hint("its columns are " + Join(schema.Names(), ", ")));
}

Status CheckExpression(const FoundTable& table, engines::Connection& connection, const std::string& option, const std::string& sql,
                       const std::vector<NamedSchema>& relations, bool is_condition) {
  std::vector<std::string> from;
  for (const NamedSchema& relation : relations) from.push_back(EmptyRows(relation));
  const auto bound = connection.Describe(fmt::format("SELECT ({}\n) FROM {}", sql, Join(from, ", ")));
  if (!bound) return Fail(BadExpression(option, sql, bound.error(), relations));
  SLUICE_CHECK(RefuseVolatile(table, option, sql));
  if (bound->size() == 1 && (!is_condition || bound->front().duckdb_type == "BOOLEAN")) return Ok();
  return Fail(UserError("bad-expression", fmt::format("{} \"{}\" is no {}", option, sql, is_condition ? "condition" : "value")));
}

Result<int> CommitAndTell(Context& context, const FoundTable& table, const TableOperation& operation, const tables::TableTarget& target,
                          const tables::StagedChange& change) {
  const int64_t from = target.snapshot->version;
  int64_t to = from;
  if (!change.empty) {
    SLUICE_TRY(to, operation.Commit(target, change));
  }
  const tables::ChangeCounts& counts = change.counts;
  if (context.globals.json) {
    ordered_json json = {{"table", table.name},      {"location", table.location()}, {"operation", change.commit.operation},
                         {"changed", !change.empty}, {"from_version", from},         {"to_version", to}};
    if (change.empty) json.erase("operation");
    json["rows"] = {{"inserted", counts.added}, {"updated", counts.changed}, {"deleted", counts.deleted}};
    json["files"] = {{"added", change.added.size()}, {"removed", change.removed_paths.size()}};
    json["seconds"] = operation.Seconds();
    context.io.out << json.dump(2) << "\n";
  } else if (change.empty) {
    context.io.out << fmt::format("{} v{}: nothing changed\n", table.name, from);
  } else {
    const std::string rows = RowsText(counts);
    context.io.out << fmt::format("{} v{}→v{}: {}, {:.1f} s\n", table.name, from, to, rows.empty() ? change.commit.operation : rows,
                                  operation.Seconds());
  }
  return kDone;
}

}  // namespace sluice::cli
