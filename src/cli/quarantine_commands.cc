// quarantine list|show|replay|discard.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/counted.h"
#include "core/text.h"
#include "ingest/ingest.h"
#include "run/ingest_batch.h"
#include "run/replay.h"
#include "tables/scan.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

Result<const plan::Node*> FindSource(run::Session& session, std::string name) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  for (const char* prefix : {"quarantine.", "bronze."})
    if (name.starts_with(prefix)) name = name.substr(std::string_view(prefix).size());
  if (const plan::Node* node = graph->Find("bronze." + name); node && node->source) {
    if (!node->source->external) return node;
    return Fail(
        UserError("unknown-source", fmt::format("{} is external: nothing of it is ingested, so nothing is in quarantine", node->table)));
  }
  std::vector<std::string> names;
  for (const auto& source : session.project().sources)
    if (!source.external) names.push_back(source.name);
  return Fail(UserError("unknown-source", fmt::format("no source {} in this project{}", name, DidYouMean(name, names)))
                  .Hint("sources: " + Join(names, ", ")));
}

// The quarantine table's rows as a relation; "" where it does not exist.
Result<std::string> QuarantineScan(run::Session& session, const plan::Node& node) {
  const std::string table = run::QuarantineTable(*node.source);
  SLUICE_TRY(const auto snapshot, session.Pin(table));
  if (!snapshot) return std::string();
  SLUICE_TRY(const tables::Scan scan, tables::ScanFor(session.lake(), run::Session::RootOf(table), *snapshot));
  return scan.sql;
}

// The refused attempts of a gate: Parquet files with the quarantine table's columns.
Result<std::string> RefusedScan(run::Session& session, const plan::Node& node) {
  SLUICE_TRY(const auto files, session.lake().List(fmt::format("_sluice/refused/{}/", node.table)));
  if (files.empty()) return std::string();
  return fmt::format("(SELECT * FROM read_parquet({}))", QuoteLiteral(session.lake().Uri(files.back().key)));
}

using Rows = std::vector<std::vector<std::optional<std::string>>>;

Result<Rows> RowsOf(run::Session& session, const std::string& sql) {
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  return connection->Rows(sql);
}

Result<int> ListAll(Context& context, const QuarantineArgs& args) {
  SLUICE_TRY(const auto session, OpenToLook(context));
  SLUICE_TRY(const plan::Graph* graph, session->graph());
  std::vector<const plan::Node*> nodes;
  if (!args.source.empty()) {
    SLUICE_TRY(const plan::Node* node, FindSource(*session, args.source));
    nodes.push_back(node);
  } else {
    for (const auto& node : graph->nodes)
      if (node.source) nodes.push_back(&node);
  }
  Rows rows;
  ordered_json json = ordered_json::array();
  for (const plan::Node* node : nodes) {
    SLUICE_TRY(const std::string scan, QuarantineScan(*session, *node));
    if (scan.empty()) continue;
    SLUICE_TRY(const Rows counts,
               RowsOf(*session, fmt::format("SELECT v.\"column\", v.\"rule\", q.state, count(DISTINCT q.id), min(v.message) FROM {} AS q, "
                                            "UNNEST(q.violations) AS u(v) GROUP BY ALL ORDER BY count(DISTINCT q.id) DESC, 1, 2, 3",
                                            scan)));
    for (const auto& row : counts) {
      json.push_back({{"source", node->source->name},
                      {"column", row[0].value_or("")},
                      {"rule", row[1].value_or("")},
                      {"state", row[2].value_or("")},
                      {"rows", std::stoll(row[3].value_or("0"))},
                      {"example", row[4].value_or("")}});
      rows.push_back({node->source->name, row[0], row[1], row[2], row[3], row[4]});
    }
  }
  if (context.globals.json)
    context.io.out << json.dump(2) << "\n";
  else if (rows.empty())
    context.io.out << "no quarantined records\n";
  else
    context.io.out << RenderTable({"source", "column", "rule", "state", "rows", "example"}, rows,
                                  {false, false, false, false, true, false});
  return kDone;
}

std::string Filter(const QuarantineArgs& args) {
  std::vector<std::string> parts;
  if (!args.ids.empty()) {
    std::vector<std::string> ids;
    for (const auto& id : args.ids) ids.push_back(QuoteLiteral(id));
    parts.push_back("id IN (" + Join(ids, ", ") + ")");
  } else if (!args.all && !args.refused) {
    parts.push_back("state = " + QuoteLiteral(args.state));
  }
  if (!args.where.empty()) parts.push_back("(" + args.where + ")");
  return parts.empty() ? "true" : Join(parts, " AND ");
}

Result<int> ShowRows(Context& context, const QuarantineArgs& args) {
  SLUICE_TRY(const auto session, OpenToLook(context));
  SLUICE_TRY(const plan::Node* node, FindSource(*session, args.source));
  SLUICE_TRY(const std::string scan, args.refused ? RefusedScan(*session, *node) : QuarantineScan(*session, *node));
  if (scan.empty()) {
    context.io.out << (args.refused ? "no attempt of this source was refused\n" : "no quarantined records\n");
    return kDone;
  }
  const std::string sql = fmt::format(
      "SELECT id, file, line, row, state, CAST(to_json(violations) AS VARCHAR), coalesce(record, CAST(record_bytes AS VARCHAR)) FROM {} "
      "WHERE {} ORDER BY file, row LIMIT {}",
      scan, Filter(args), args.limit);
  auto rows = RowsOf(*session, sql);
  if (!rows) {
    Error error = rows.error();
    if (!args.where.empty())
      error = UserError("bad-predicate", fmt::format("--where {}: {}", args.where, error.message))
                  .Hint("columns: id, file, line, row, state, record, violations, …");
    return Fail(std::move(error));
  }
  ordered_json json = ordered_json::array();
  for (const auto& row : *rows) {
    const ordered_json violations = ordered_json::parse(row[5].value_or("[]"), nullptr, false);
    if (context.globals.json) {
      json.push_back({{"id", row[0].value_or("")},
                      {"file", row[1].value_or("")},
                      {"line", row[2] ? std::stoll(*row[2]) : 0},
                      {"row", row[3] ? std::stoll(*row[3]) : 0},
                      {"state", row[4].value_or("")},
                      {"violations", violations},
                      {"record", row[6].value_or("")}});
      continue;
    }
    context.io.out << fmt::format("{}  {}:{}  {}\n", row[0].value_or(""), row[1].value_or(""), row[2].value_or(row[3].value_or("")),
                                  row[4].value_or(""));
    for (const auto& violation : violations) {
      const auto text = [&](const char* key) {
        return violation.contains(key) && violation[key].is_string() ? violation[key].get<std::string>() : std::string();
      };
      context.io.out << fmt::format("    {} {}: {}\n", text("column"), text("rule"), text("message"));
    }
    context.io.out << "    " << row[6].value_or("") << "\n";
  }
  if (context.globals.json)
    context.io.out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  else if (rows->empty())
    context.io.out << "no records match\n";
  return kDone;
}

// {"ID": "the record as it should have been", …}
Result<std::map<std::string, std::string>> ReadEdits(const std::string& path) {
  std::map<std::string, std::string> edits;
  if (path.empty()) return edits;
  std::ifstream in(path);
  if (!in) return Fail(UserError("unreadable-file", "can't read " + path));
  const auto json = nlohmann::json::parse(in, nullptr, false);
  if (!json.is_object())
    return Fail(
        UserError("bad-edits", path + " is no JSON object of id → record").Hint("{\"<id>\": \"the record as it should have been\"}"));
  for (const auto& [id, record] : json.items()) edits[id] = record.is_string() ? record.get<std::string>() : record.dump();
  return edits;
}

Result<int> ReplayOrDiscard(Context& context, const QuarantineArgs& args, bool discard) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const plan::Node* node, FindSource(*session, args.source));
  if (discard && args.ids.empty() && args.where.empty() && !args.all)
    return Fail(UserError("needs-selection", "say which records to discard").Hint("--id ID …, --where SQL, or --all"));
  run::ReplayWhat what;
  what.ids = args.ids;
  what.where = args.where;
  what.discard = discard;
  SLUICE_TRY(what.edits, ReadEdits(args.edits_file));
  if (what.ids.empty())
    for (const auto& [id, record] : what.edits) what.ids.push_back(id);
  SLUICE_TRY(const run::ReplayOutcome outcome, run::ReplayQuarantine(*session, *node, what));
  if (context.globals.json) {
    context.io.out << ordered_json{{"run", outcome.run_id},        {"batch", outcome.batch},     {"selected", outcome.selected},
                                   {"replayed", outcome.replayed}, {"refused", outcome.refused}, {"duplicates", outcome.duplicates}}
                          .dump(2)
                   << "\n";
    return kDone;
  }
  if (outcome.batch == 0)
    context.io.out << "nothing to do: no open record matches\n";
  else if (discard)
    context.io.out << fmt::format("{}  batch {}  discarded {}\n", node->table, outcome.batch, FormatCount(outcome.selected));
  else
    context.io.out << fmt::format(
        "{}  batch {}  selected {} = replayed {} + still refused {}{}\n", node->table, outcome.batch, FormatCount(outcome.selected),
        FormatCount(outcome.replayed), FormatCount(outcome.refused),
        outcome.duplicates > 0 ? fmt::format(" (of the replayed, {} there already)", Counted(outcome.duplicates, "was", "were")) : "");
  for (const auto& rule : outcome.rules)
    context.io.out << fmt::format("    {}{}: {}\n", rule.column.empty() ? "" : rule.column + " ", rule.rule, Counted(rule.rows, "row"));
  return kDone;
}

int Finish(Context& context, Result<int> result) { return result ? *result : Report(context, result.error()); }

}  // namespace

int QuarantineList(Context& context, const QuarantineArgs& args) { return Finish(context, ListAll(context, args)); }
int QuarantineShow(Context& context, const QuarantineArgs& args) { return Finish(context, ShowRows(context, args)); }
int QuarantineReplay(Context& context, const QuarantineArgs& args) { return Finish(context, ReplayOrDiscard(context, args, false)); }
int QuarantineDiscard(Context& context, const QuarantineArgs& args) { return Finish(context, ReplayOrDiscard(context, args, true)); }

}  // namespace sluice::cli
