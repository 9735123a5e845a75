// table history|show|check: a table's versions and contents, by node or by path.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/table_place.h"
#include "core/counted.h"
#include "core/text.h"
#include "core/time.h"
#include "tables/check.h"
#include "tables/history.h"
#include "tables/show.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

Result<int> History(Context& context, const TableArgs& args) {
  SLUICE_TRY(const FoundTable table, FindTable(context, args.table));
  SLUICE_TRY(const auto entries, tables::History(*table.store, table.root, args.limit));
  ordered_json json = ordered_json::array();
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const auto& entry : entries) {
    const std::string when = FormatInstant({entry.timestamp * 1000});
    json.push_back({{"version", entry.version},
                    {"timestamp", when},
                    {"operation", entry.operation},
                    {"engine", entry.engine},
                    {"run", entry.run_id},
                    {"batch", entry.batch},
                    {"node", entry.node},
                    {"files_added", entry.files_added},
                    {"files_removed", entry.files_removed},
                    {"rows_added", entry.rows_added},
                    {"schema_changed", entry.schema_changed}});
    rows.push_back({std::to_string(entry.version), when, entry.operation, entry.batch, std::to_string(entry.files_added),
                    std::to_string(entry.files_removed),
                    entry.rows_added < 0 ? std::nullopt : std::optional(std::to_string(entry.rows_added)), entry.run_id});
  }
  if (context.globals.json)
    context.io.out << json.dump(2) << "\n";
  else
    context.io.out << RenderTable({"version", "timestamp", "operation", "batch", "files +", "files -", "rows +", "run"}, rows,
                                  {true, false, false, true, true, true, true, false});
  return kDone;
}

std::string ProtocolText(const tables::TableSummary& summary) {
  return fmt::format("reader {} writer {}", summary.min_reader_version, summary.min_writer_version);
}

Result<int> ShowTable(Context& context, const TableArgs& args) {
  SLUICE_TRY(const FoundTable table, FindTable(context, args.table));
  std::optional<int64_t> version;
  if (!args.at.empty()) {
    SLUICE_TRY(version, delta::VersionNamed(*table.store, table.root, args.at));
  }
  SLUICE_TRY(const delta::Snapshot snapshot, delta::LoadSnapshot(*table.store, table.root, version));
  const std::string location = table.store->Uri(table.root);
  if (context.globals.json) {
    tables::WriteSnapshot(context.io.out, snapshot, table.name, location);
    return kDone;
  }
  const tables::TableSummary summary = tables::Summarise(snapshot);
  context.io.out << fmt::format(
      "table       {}\nlocation    {}\nversion     {} of {}\nrows        {}\nfiles       {} ({})\nprotocol    {}\n", table.name, location,
      summary.version, FormatInstant({summary.timestamp * 1000}), summary.rows < 0 ? "unknown" : FormatCount(summary.rows),
      FormatCount(summary.files), FormatBytes(summary.bytes), ProtocolText(summary));
  if (!summary.features.empty()) context.io.out << "features    " << Join(summary.features, ", ") << "\n";
  if (!summary.partition_columns.empty())
    context.io.out << fmt::format("partitions  {} by {}\n", summary.partitions, Join(summary.partition_columns, ", "));
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const auto& field : summary.schema.fields) rows.push_back({field.name, field.type.ToString(), field.nullable ? "" : "not null"});
  context.io.out << "\n" << RenderTable({"column", "type", ""}, rows);
  return kDone;
}

Result<int> CheckOne(Context& context, const TableArgs& args) {
  SLUICE_TRY(FoundTable table, FindTable(context, args.table));
  SLUICE_TRY(const auto connection, Connect(table));
  SLUICE_TRY(const tables::TableCheck check, tables::CheckTable(*table.store, table.root, *connection));
  const auto doubts = std::count_if(check.findings.begin(), check.findings.end(), [](const auto& one) { return one.is_doubt; });
  const auto faults = static_cast<int64_t>(check.findings.size()) - doubts;
  const int exit = faults == 0 ? kDone : kFailed;
  if (context.globals.json) {
    ordered_json json = {{"table", table.name}, {"version", check.version < 0 ? ordered_json() : ordered_json(check.version)}};
    json["checked"] = {{"commits", check.commits},
                       {"checkpoints", check.checkpoints},
                       {"checksum_files", check.checksums},
                       {"files", check.files},
                       {"deletion_vectors", check.deletion_vectors}};
    json["findings"] = ordered_json::array();
    for (const auto& finding : check.findings)
      json["findings"].push_back(
          {{"code", finding.code}, {"where", finding.where}, {"message", finding.message}, {"doubt", finding.is_doubt}});
    context.io.out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
    return exit;
  }
  for (const auto& finding : check.findings)
    context.io.out << fmt::format("{}{}: {}: {}\n", finding.is_doubt ? "in doubt: " : "", finding.code, finding.where, finding.message);
  context.io.out << fmt::format(
      "{} at version {}: {}, {}, {}, {}, {} checked: {}\n", table.name, check.version < 0 ? "unknown" : std::to_string(check.version),
      Counted(check.commits, "commit"), Counted(check.checkpoints, "checkpoint"), Counted(check.checksums, "checksum file"),
      Counted(check.files, "file"), Counted(check.deletion_vectors, "deletion vector"),
      (faults == 0 ? "sound" : Counted(faults, "fault") + " found") + (doubts == 0 ? "" : fmt::format(", {} in doubt", doubts)));
  return exit;
}

}  // namespace

int TableHistory(Context& context, const TableArgs& args) { return Finish(context, History(context, args)); }
int TableShow(Context& context, const TableArgs& args) { return Finish(context, ShowTable(context, args)); }
int TableCheck(Context& context, const TableArgs& args) { return Finish(context, CheckOne(context, args)); }

}  // namespace sluice::cli
