#include "run/model_records.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace sluice::run {
namespace {

using nlohmann::json;

json Parsed(const std::string& text) { return json::parse(text, nullptr, false); }

// The cursor of one model, its versions of the owner's last batch filled in.
Result<std::string> Resolved(const std::string& cursor_text, const state::NodeState& owner) {
  SLUICE_TRY(ModelCursor cursor, ModelCursorFromJson(cursor_text));
  for (auto& [table, consumed] : cursor.inputs) {
    if (consumed.version != kOfThisBatch) continue;
    const auto at = owner.prepared_for.find(table);
    consumed = at == owner.prepared_for.end() ? Consumed{"?", 0} : Consumed{consumed.table_id, at->second};  // "?": no table has that id
  }
  return ToJson(cursor);
}

}  // namespace

bool IsGroup(const plan::Node& node) { return node.model != nullptr && !node.model->publish.empty(); }

std::string PartOf(const std::string& text, const std::string& table) {
  const json all = Parsed(text);
  return all.is_object() && all.contains(table) ? all.at(table).dump() : "null";
}

std::string WithPart(const std::string& text, const std::string& table, const std::string& part) {
  json all = Parsed(text);
  if (!all.is_object()) all = json::object();
  all[table] = Parsed(part);
  return all.dump();
}

std::map<std::string, int64_t> OthersIn(const delta::Snapshot* table, const state::NodeIdentity& own) {
  std::map<std::string, int64_t> others;
  if (table == nullptr) return others;
  for (const auto& [app, txn] : table->txns)
    if (app.starts_with(own.project + "/") && app != own.app_id()) others[app] = txn.version;
  return others;
}

std::string BatchOwner(const plan::Node& node) { return IsGroup(node) ? std::string(kGroupOwnerPrefix) + node.model->publish : node.table; }

Result<ModelCursor> CursorOfModel(const plan::Node& node, const std::string& owner_cursor) {
  return ModelCursorFromJson(IsGroup(node) ? PartOf(owner_cursor, node.table) : owner_cursor);
}

std::string WithCursorOfModel(const plan::Node& node, const std::string& owner_cursor, const ModelCursor& cursor) {
  return IsGroup(node) ? WithPart(owner_cursor, node.table, ToJson(cursor)) : ToJson(cursor);
}

Result<std::string> ResolvedCursor(const std::string& owner, const state::NodeState& state) {
  if (!owner.starts_with(kGroupOwnerPrefix)) return state.cursor;
  json all = Parsed(state.cursor);
  if (!all.is_object()) return state.cursor;
  for (auto& [table, cursor] : all.items()) {
    SLUICE_TRY(const std::string resolved, Resolved(cursor.dump(), state));
    cursor = Parsed(resolved);
  }
  return all.dump();
}

Result<state::NodeState> StateOfModel(const plan::Node& node, const state::NodeState& owner) {
  if (!IsGroup(node)) return owner;
  state::NodeState state = owner;
  state.cursor = PartOf(owner.cursor, node.table);
  state.counts = PartOf(owner.counts, node.table);
  const json fingerprint = Parsed(PartOf(owner.fingerprint, node.table));
  state.fingerprint = fingerprint.is_string() ? fingerprint.get<std::string>() : "";
  if (state.cursor == "null") {  // the group had batches, this model had none
    state.last_done = 0;
    return state;
  }
  SLUICE_TRY(state.cursor, Resolved(state.cursor, owner));
  return state;
}

Result<std::optional<ModelPlan>> PlanOfModel(const plan::Node& node, const state::ReadyRecord& ready) {
  const std::string text = IsGroup(node) ? PartOf(ready.inputs, node.table) : ready.inputs;
  const json inputs = Parsed(text);
  if (!inputs.is_object() || !inputs.contains("to")) return std::optional<ModelPlan>();  // left out, or a rollback's
  SLUICE_TRY(ModelPlan plan, ModelPlanFromJson(text));
  return std::optional(std::move(plan));
}

Result<std::string> WrittenByOthers(Session& session, const plan::Node& node, const state::NodeState& state, const delta::Snapshot* table) {
  if (table == nullptr) return std::string();
  SLUICE_TRY(const ModelCursor cursor, ModelCursorFromJson(state.cursor));
  const state::NodeIdentity own{.project = session.project().name, .node = BatchOwner(node), .run_id = ""};
  for (const auto& [app, n] : OthersIn(table, own)) {
    const auto known = cursor.others.find(app);
    if (known == cursor.others.end() || known->second != n)
      return fmt::format("its table was last written as {}: it is built anew as {}", app.substr(own.project.size() + 1), own.node);
  }
  return std::string();
}

}  // namespace sluice::run
