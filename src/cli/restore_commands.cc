// rollback, table restore: earlier states of a node's tables as a batch, or of any Delta table as a commit.
#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/in_lake.h"
#include "cli/table_args.h"
#include "cli/table_place.h"
#include "core/counted.h"
#include "core/time.h"
#include "run/rollback.h"
#include "tables/restore.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

std::string VersionText(int64_t version) { return version < 0 ? "no rows" : fmt::format("version {}", version); }

std::string BatchText(int64_t batch) { return batch == 0 ? "before its first batch" : fmt::format("after batch {}", batch); }

ordered_json ToJson(const run::RolledBack& one) {
  ordered_json json = {
      {"node", one.owner}, {"to_batch", one.to_batch}, {"batch", one.batch == 0 ? ordered_json() : ordered_json(one.batch)}};
  json["tables"] = ordered_json::array();
  for (const auto& table : one.tables)
    json["tables"].push_back({{"table", table.table},
                              {"from_version", table.from_version},
                              {"of_version", table.of_version < 0 ? ordered_json() : ordered_json(table.of_version)},
                              {"to_version", table.to_version < 0 ? ordered_json() : ordered_json(table.to_version)}});
  json["notes"] = one.notes;
  return json;
}

void Print(Context& context, const run::RollbackOutcome& outcome, bool dry_run) {
  if (context.globals.json) {
    ordered_json json = {{"run", outcome.run_id}, {"dry_run", dry_run}, {"nodes", ordered_json::array()}};
    for (const auto& one : outcome.owners) json["nodes"].push_back(ToJson(one));
    context.io.out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
    return;
  }
  for (const auto& one : outcome.owners) {
    if (one.batch == 0 && !dry_run) {
      context.io.out << fmt::format("{}  is already as {}\n", one.owner, BatchText(one.to_batch));
      continue;
    }
    context.io.out << fmt::format("{}  {} as {}{}\n", one.owner, dry_run ? "would be" : "is again", BatchText(one.to_batch),
                                  dry_run ? "" : fmt::format(" (batch {})", one.batch));
    for (const auto& table : one.tables)
      context.io.out << fmt::format("    {}  v{}{}  {}\n", table.table, table.from_version,
                                    table.to_version < 0 ? "" : fmt::format("→v{}", table.to_version), VersionText(table.of_version));
    for (const auto& note : one.notes) context.io.out << "    " << note << "\n";
  }
}

Result<int> RollBack(Context& context, const plan::Node& node, run::Session& session, const run::RollbackWhat& what, bool confirmed) {
  if (!what.dry_run) SLUICE_CHECK(AllowProtected(context, session.project(), confirmed));
  SLUICE_TRY(const run::RollbackOutcome outcome, run::RollBackNode(session, node, what));
  Print(context, outcome, what.dry_run);
  return kDone;
}

Result<int> RollBackTyped(Context& context, const RollbackArgs& args) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const plan::Node* node, FindNode(*session, args.table));
  run::RollbackWhat what{.table = node->table, .with_later = args.with_later, .dry_run = args.dry_run, .wait = args.wait};
  if (args.to_batch >= 0) what.to_batch = args.to_batch;
  return RollBack(context, *node, *session, what, args.yes);
}

// A version's number, or a time.
Status Aim(const std::string& to, run::RollbackWhat* what) {
  int64_t version = 0;
  const auto [end, error] = std::from_chars(to.data(), to.data() + to.size(), version);
  if (error == std::errc() && end == to.data() + to.size()) {
    what->to_version = version;
    return Ok();
  }
  what->to_time = ParseInstant(to);
  if (!what->to_time) what->to_time = ParseInstant(to + "Z");  // as Spark writes it: UTC
  if (const auto day = ParseDate(to)) what->to_time = Instant{*day * int64_t{86'400'000'000}};
  if (what->to_time) return Ok();
  return Fail(
      UserError("bad-time", fmt::format("--to {}: neither a version nor a time", to)).Hint("as 12, 2024-01-31 or 2024-01-31T10:00:00Z"));
}

// A table that no node owns: one commit.
Result<int> RestorePlain(Context& context, FoundTable& table, const RestoreArgs& args) {
  SLUICE_TRY(const int64_t version, delta::VersionNamed(*table.store, table.root, args.to));
  SLUICE_TRY(const tables::TableTarget target, TargetOf(table));
  const TableOperation operation(table, "restore");
  SLUICE_TRY(const tables::StagedChange change, tables::StageRestore(target, version, operation.Options()));
  const int64_t from = target.snapshot->version;
  int64_t now = from;
  if (!change.empty && !args.dry_run) {
    SLUICE_TRY(now, operation.Commit(target, change));
  }
  if (context.globals.json) {
    const ordered_json json = {{"table", table.name},
                               {"dry_run", args.dry_run},
                               {"changed", !change.empty},
                               {"from_version", from},
                               {"of_version", version},
                               {"to_version", now},
                               {"files_added", change.added.size()},
                               {"files_removed", change.removed_paths.size()}};
    context.io.out << json.dump(2) << "\n";
  } else if (change.empty) {
    context.io.out << fmt::format("{} v{} is already as version {}\n", table.name, from, version);
  } else {
    context.io.out << fmt::format("{} v{}{}  version {}: {} again, {} gone\n", table.name, from,
                                  args.dry_run ? " would be" : fmt::format("→v{}", now), version,
                                  Counted(static_cast<int64_t>(change.added.size()), "file"), change.removed_paths.size());
  }
  return kDone;
}

Result<int> Restore(Context& context, const RestoreArgs& args) {
  if (IsPlace(context, args.table)) {
    SLUICE_CHECK(CheckNotInLake(context, args.table));
    SLUICE_TRY(FoundTable table, FindTable(context, args.table));
    return RestorePlain(context, table, args);
  }
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const plan::Node* node, FindNode(*session, args.table));
  const bool quarantine = args.table.starts_with("quarantine.");
  run::RollbackWhat what{
      .table = quarantine ? args.table : node->table, .with_later = args.with_later, .dry_run = args.dry_run, .wait = args.wait};
  SLUICE_CHECK(Aim(args.to, &what));
  return RollBack(context, *node, *session, what, args.yes);
}

}  // namespace

int Rollback(Context& context, const RollbackArgs& args) { return Finish(context, RollBackTyped(context, args)); }
int TableRestore(Context& context, const RestoreArgs& args) { return Finish(context, Restore(context, args)); }

}  // namespace sluice::cli
