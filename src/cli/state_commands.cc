// state show, set, reset, rebuild: where sources go on, and what batches there were.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/print_batches.h"
#include "contract/decode_column.h"
#include "core/counted.h"
#include "run/cursor.h"
#include "run/source_input.h"
#include "state/ledger.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

constexpr size_t kBatches = 10;  // that are shown of a node

int Finish(Context& context, const Result<int>& result) { return result ? *result : Report(context, result.error()); }

state::BatchLog LogOf(run::Session& session, const plan::Node& node) {
  return {session.lake(), session.clock(), session.random(), {session.project().name, node.table, ""}};
}

// Where a source goes on, as far as its records say it.
Result<ordered_json> StateOf(run::Session& session, const plan::Node& node) {
  SLUICE_TRY(const state::NodeState state, LogOf(session, node).Load());
  ordered_json json = {{"node", node.table}, {"last_batch", state.last_done}};
  if (run::GivesRows(*node.source)) {
    json["cursor"] = ordered_json::parse(state.cursor, nullptr, false);
  } else {
    SLUICE_TRY(const auto ledger, state::LoadLedger(session.lake(), node.table, state));
    json["files"] = ledger.files.size();
  }
  json["open"] = state.pending ? "decided" : state.highest_attempt > 0 ? "begun" : "";
  if (state.pending || state.highest_attempt > 0) {
    json["open_batch"] = state.last_done + 1;
    json["attempts"] = state.highest_attempt;
  }
  if (state.abandoned) json["open"] = "to be rolled back";
  return json;
}

std::string Brief(const ordered_json& state) {
  if (state.contains("files")) return Counted(state["files"].get<int64_t>(), "file");
  std::string text = state["cursor"].dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (text == "null") return "(the beginning)";
  const std::string cut = contract::CutValue(text);
  return cut.size() == text.size() ? text : cut + "…";
}

Result<int> ShowAll(Context& context, run::Session& session) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  ordered_json json = ordered_json::array();
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const plan::Node& node : graph->nodes) {
    if (node.source == nullptr || node.source->external) continue;
    SLUICE_TRY(const ordered_json state, StateOf(session, node));
    rows.push_back({node.table, state["last_batch"].dump(), state["open"].get<std::string>(), Brief(state)});
    json.push_back(state);
  }
  if (context.globals.json)
    context.io.out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  else
    context.io.out << RenderTable({"source", "last batch", "open", "goes on behind"}, rows, {false, true, false, false});
  return kDone;
}

Result<int> ShowOne(Context& context, run::Session& session, const std::string& name) {
  SLUICE_TRY(const plan::Node* node, FindNode(session, name));
  if (node->source == nullptr || node->source->external)
    return Fail(UserError("no-cursor", node->table + " is no source that batches go on from")
                    .Hint("sluice show " + node->table + " has its batches"));
  SLUICE_TRY(ordered_json json, StateOf(session, *node));
  SLUICE_TRY(const auto batches, state::History(session.lake(), node->table, kBatches));
  json["batches"] = ordered_json::array();
  for (const auto& batch : batches) {
    ordered_json one = ToJson(batch);
    if (batch.ready) one["cursor"] = ordered_json::parse(batch.ready->cursor, nullptr, false);
    if (batch.ready) one["counts"] = ordered_json::parse(batch.ready->counts, nullptr, false);
    json["batches"].push_back(std::move(one));
  }
  if (context.globals.json) {
    context.io.out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
    return kDone;
  }
  context.io.out << fmt::format("{}  after batch {}\n", node->table, json["last_batch"].dump());
  if (!json["open"].get<std::string>().empty())
    context.io.out << fmt::format(
        "open: batch {} {}{}\n", json.value("open_batch", int64_t{0}), json["open"].get<std::string>(),
        json.contains("attempts") ? fmt::format(", {}", Counted(json["attempts"].get<int64_t>(), "attempt")) : "");
  if (json.contains("files"))
    context.io.out << fmt::format("{} read\n", Brief(json));
  else
    context.io.out << "cursor: " << json["cursor"].dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  if (!json["batches"].empty()) context.io.out << "\n" << RenderBatches(json["batches"]);
  return kDone;
}

Result<int> ShowState(Context& context, const std::string& name) {
  SLUICE_TRY(const auto session, OpenToLook(context));
  return name.empty() ? ShowAll(context, *session) : ShowOne(context, *session, name);
}

Result<int> Set(Context& context, const StateArgs& args, const std::optional<std::string>& cursor) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_CHECK(AllowProtected(context, session->project(), args.yes));
  SLUICE_TRY(const plan::Node* node, FindNode(*session, args.node));
  SLUICE_TRY(const auto change, run::SetCursor(*session, *node, cursor, args.wait));
  if (context.globals.json) {
    const ordered_json json = {{"node", node->table},
                               {"batch", change.batch == 0 ? ordered_json() : ordered_json(change.batch)},
                               {"before", ordered_json::parse(change.before, nullptr, false)},
                               {"after", ordered_json::parse(change.after, nullptr, false)}};
    context.io.out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
    return kDone;
  }
  if (change.batch == 0) {
    context.io.out << fmt::format("{}  stands there already\n", node->table);
    return kDone;
  }
  context.io.out << fmt::format("{}  the next run goes on {} (batch {})\n    before: {}\n    back again: sluice rollback {}\n", node->table,
                                change.after == "null" ? "at the beginning" : "behind " + change.after, change.batch, change.before,
                                node->table);
  return kDone;
}

Result<int> Rebuild(Context& context, const std::string& node) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const auto nodes, state::RebuildIndexes(session->lake(), node));
  context.io.out << fmt::format("rebuilt the indexes of {}\n", Counted(nodes.size(), "node"));
  return kDone;
}

}  // namespace

int StateShow(Context& context, const StateArgs& args) { return Finish(context, ShowState(context, args.node)); }
int StateSet(Context& context, const StateArgs& args) { return Finish(context, Set(context, args, args.cursor)); }
int StateReset(Context& context, const StateArgs& args) { return Finish(context, Set(context, args, std::nullopt)); }
int StateRebuild(Context& context, const StateArgs& args) { return Finish(context, Rebuild(context, args.node)); }

}  // namespace sluice::cli
