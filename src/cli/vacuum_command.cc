// table vacuum: files that nobody needs any more.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/in_lake.h"
#include "cli/table_args.h"
#include "cli/table_place.h"
#include "core/counted.h"
#include "core/text.h"
#include "delta/duration.h"
#include "run/vacuum_table.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

// "7d", "36h", "2 weeks".
Result<std::optional<int64_t>> MillisOf(const std::string& text, const char* option) {
  if (text.empty()) return std::optional<int64_t>();
  std::string words = text;
  static constexpr std::pair<char, const char*> kUnits[] = {
      {'s', " seconds"}, {'m', " minutes"}, {'h', " hours"}, {'d', " days"}, {'w', " weeks"}};
  for (const auto& [letter, word] : kUnits)
    if (text.size() > 1 && text.back() == letter && std::isdigit(static_cast<unsigned char>(text[text.size() - 2])) != 0)
      words = text.substr(0, text.size() - 1) + word;
  if (auto millis = delta::ParseDuration(words)) return millis;
  return Fail(UserError("bad-duration", fmt::format("{} {} is no duration", option, text)).Hint("write it as 7d, 36h or \"2 weeks\""));
}

Result<run::VacuumOptions> OptionsOf(const VacuumArgs& args) {
  run::VacuumOptions options;
  SLUICE_TRY(options.retention_millis, MillisOf(args.retention, "--retention"));
  SLUICE_TRY(const auto hold, MillisOf(args.max_hold, "--max-hold"));
  options.max_hold_millis = hold.value_or(run::kMaxHoldMillis);
  options.allow_short = args.force;
  options.dry_run = args.dry_run;
  return options;
}

ordered_json ToJson(const run::VacuumedTable& table) {
  ordered_json json = {{"table", table.table}, {"files", ordered_json::array()}, {"bytes", table.bytes}};
  for (const auto& file : table.files) json["files"].push_back({{"path", file.path}, {"bytes", file.bytes}});
  json["held_by"] = ordered_json::array();
  for (const auto& holder : table.held_by) json["held_by"].push_back({{"version", holder.version}, {"who", holder.who}});
  json["notes"] = table.notes;
  return json;
}

void Print(Context& context, const std::vector<run::VacuumedTable>& tables, bool dry_run) {
  if (context.globals.json) {
    ordered_json json = {{"dry_run", dry_run}, {"tables", ordered_json::array()}};
    for (const auto& table : tables) json["tables"].push_back(ToJson(table));
    context.io.out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
    return;
  }
  for (const auto& table : tables) {
    if (dry_run || context.globals.verbose)
      for (const auto& file : table.files) context.io.out << fmt::format("{}/{}  {}\n", table.table, file.path, FormatBytes(file.bytes));
    context.io.out << fmt::format("{}  {} {} ({})\n", table.table, Counted(static_cast<int64_t>(table.files.size()), "file"),
                                  dry_run ? "would go" : "gone", FormatBytes(table.bytes));
    for (const auto& holder : table.held_by)
      context.io.out << fmt::format("    version {} and later ones stay: {}\n", holder.version, holder.who);
    for (const auto& note : table.notes) context.io.out << "    " << note << "\n";
  }
}

Result<run::VacuumedTable> VacuumPlain(FoundTable& table, const run::VacuumOptions& options) {
  tables::VacuumSpec spec;
  spec.retention_millis = options.retention_millis;
  spec.allow_short = options.allow_short;
  spec.dry_run = options.dry_run;
  spec.clock = &table.session->clock();
  run::VacuumedTable out;
  out.table = table.name;
  SLUICE_TRY(out.files, tables::Vacuum(*table.store, table.root, spec));
  for (const auto& file : out.files) out.bytes += file.bytes;
  return out;
}

// A table that the lake still has may be of a model that is no more.
Result<std::vector<std::string>> Chosen(run::Session& session, const VacuumArgs& args) {
  if (args.all) return run::TablesOfLake(session);
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  if (IsKnown(session, *graph, args.table)) return std::vector<std::string>{args.table};
  SLUICE_TRY(const plan::Node* node, FindNode(session, args.table));
  return std::vector<std::string>{node->table};
}

Result<int> Vacuum(Context& context, const VacuumArgs& args) {
  SLUICE_TRY(const run::VacuumOptions options, OptionsOf(args));
  if (args.all == !args.table.empty())
    return Fail(UserError("bad-flags", args.all ? "--all takes every table: leave out the name" : "which table?")
                    .Hint("`sluice table vacuum TABLE`, or --all for every table of the lake"));
  if (!args.all && IsPlace(context, args.table)) {
    SLUICE_CHECK(CheckNotInLake(context, args.table));
    SLUICE_TRY(FoundTable table, FindTable(context, args.table));
    SLUICE_TRY(auto one, VacuumPlain(table, options));
    Print(context, {std::move(one)}, options.dry_run);
    return kDone;
  }
  // All of the project must be readable: a consumer that is not seen would lose what it has not read.
  SLUICE_TRY(const auto session, OpenSession(context));
  if (!options.dry_run) SLUICE_CHECK(AllowProtected(context, session->project(), args.yes));
  SLUICE_TRY(const auto tables, Chosen(*session, args));
  std::vector<run::VacuumedTable> done;
  for (const std::string& table : tables) {
    SLUICE_TRY(auto one, run::VacuumTable(*session, table, options));
    done.push_back(std::move(one));
  }
  Print(context, done, options.dry_run);
  return kDone;
}

}  // namespace

int TableVacuum(Context& context, const VacuumArgs& args) { return Finish(context, Vacuum(context, args)); }

}  // namespace sluice::cli
