// table diff, table changes: what happened between two versions.
#include <fmt/format.h>

#include <iostream>

#include "cli/print_rows.h"
#include "cli/table_args.h"
#include "cli/table_place.h"
#include "core/text.h"
#include "run/missing_file.h"
#include "tables/changes.h"
#include "tables/keyed.h"
#include "tables/restore.h"

namespace sluice::cli {
namespace {

struct Versions {
  int64_t from = 0, to = 0;
};

// `to`: the newest by default.
Result<Versions> VersionsOf(const FoundTable& table, const DiffArgs& args, int64_t newest, int64_t default_from) {
  Versions versions{default_from, newest};
  if (!args.to.empty()) {
    SLUICE_TRY(versions.to, delta::VersionNamed(*table.store, table.root, args.to));
    if (args.from.empty()) versions.from = std::max<int64_t>(0, versions.to - (newest - default_from));
  }
  if (!args.from.empty()) {
    SLUICE_TRY(versions.from, delta::VersionNamed(*table.store, table.root, args.from));
  }
  for (const int64_t version : {versions.from, versions.to})
    if (version > newest || version < 0)
      return Fail(UserError("no-such-version", fmt::format("{} has no version {}: the newest is {}", table.name, version, newest))
                      .Hint("`sluice table history` lists them"));
  return versions;
}

Result<std::vector<std::string>> KeyOf(const FoundTable& table, const DiffArgs& args) {
  std::vector<std::string> key;
  for (const std::string& list : args.key)
    for (const std::string& name : Split(list, ',')) key.emplace_back(Trim(name));
  if (key.empty() && table.node != nullptr && table.node->model != nullptr) key = table.node->model->key;
  if (key.empty())
    return Fail(UserError("needs-key", fmt::format("what tells the rows of {} apart? it has no key", table.name))
                    .Hint("--key COLUMN,…: rows with the same values there are one row, before and after"));
  return key;
}

// One row for each key, in both versions: else pairs are no rows.
Status CheckUnique(FoundTable& table, engines::Connection& connection, const delta::Snapshot& snapshot,
                   const std::vector<std::string>& key) {
  SLUICE_TRY(const auto known, tables::KnownColumns(snapshot.schema, key, "key", table.name));
  SLUICE_TRY(const tables::Scan scan, tables::ScanFor(*table.store, table.root, snapshot, {.columns = known}));
  const std::string columns = tables::Columns("", known);
  SLUICE_TRY(const auto twice,
             tables::FirstKey(connection, known, fmt::format("SELECT {0} FROM {1} GROUP BY {0} HAVING count(*) > 1", columns, scan.sql)));
  if (!twice) return Ok();
  return Fail(DataError("duplicate-key", fmt::format("{} has several rows with {} at version {}", table.name, *twice, snapshot.version))
                  .Hint("choose a --key that each row has of its own"));
}

Result<int> Diff(Context& context, const DiffArgs& args) {
  SLUICE_TRY(const RowsOutput output, RowsOutputOf(context.globals, args.format, args.out, args.limit));
  SLUICE_TRY(FoundTable table, FindTable(context, args.table));
  SLUICE_TRY(const delta::Snapshot newest, delta::LoadSnapshot(*table.store, table.root));
  SLUICE_TRY(const Versions versions, VersionsOf(table, args, newest.version, std::max<int64_t>(0, newest.version - 1)));
  SLUICE_TRY(const auto key, KeyOf(table, args));
  SLUICE_TRY(const delta::Snapshot from, delta::LoadSnapshot(*table.store, table.root, versions.from));
  SLUICE_TRY(const delta::Snapshot to, delta::LoadSnapshot(*table.store, table.root, versions.to));
  SLUICE_TRY(const auto connection, Connect(table));
  const auto print = [&]() -> Status {
    for (const delta::Snapshot* snapshot : {&from, &to}) SLUICE_CHECK(CheckUnique(table, *connection, *snapshot, key));
    SLUICE_TRY(const std::string sql, tables::DiffSql(*table.store, table.root, from, to, key));
    if (!context.globals.quiet) context.io.err << fmt::format("{} v{}→v{}\n", table.name, versions.from, versions.to);
    return PrintRows(context, *connection, fmt::format("SELECT * FROM ({}) ORDER BY ALL", sql), {}, output);
  };
  Status printed = print();
  if (printed) return kDone;
  Error error = std::move(printed).error();
  for (const delta::Snapshot* snapshot : {&from, &to}) {
    const std::string before = error.message;
    error = run::ExplainVersion(*table.store, table.root, table.name, *snapshot, std::move(error));
    if (error.message != before) break;
  }
  return Fail(std::move(error));
}

Result<int> Changes(Context& context, const DiffArgs& args) {
  SLUICE_TRY(const RowsOutput output, RowsOutputOf(context.globals, args.format, args.out, args.limit));
  SLUICE_TRY(FoundTable table, FindTable(context, args.table));
  SLUICE_TRY(const delta::Snapshot newest, delta::LoadSnapshot(*table.store, table.root));
  SLUICE_TRY(const Versions versions, VersionsOf(table, args, newest.version, newest.version));
  SLUICE_TRY(const tables::Changes changes, tables::ChangesFor(*table.store, table.root, versions.from, versions.to));
  if (!changes.scan)
    return Fail(UnsupportedError("changes-unknown", fmt::format("the changes of {} from version {} to {} cannot be told: {}", table.name,
                                                                versions.from, versions.to, changes.why_not))
                    .Hint("`sluice table diff` compares two versions by key, whatever lies between"));
  SLUICE_TRY(const auto connection, Connect(table));
  SLUICE_CHECK(PrintRows(context, *connection, fmt::format("SELECT * FROM {} ORDER BY _commit_version", changes.scan->sql), {}, output));
  return kDone;
}

}  // namespace

int TableDiff(Context& context, const DiffArgs& args) { return Finish(context, Diff(context, args)); }
int TableChanges(Context& context, const DiffArgs& args) { return Finish(context, Changes(context, args)); }

}  // namespace sluice::cli
