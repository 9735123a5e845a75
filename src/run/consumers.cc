#include "run/consumers.h"

#include <algorithm>

#include "run/model_plan.h"
#include "run/model_records.h"
#include "run/relations.h"

namespace sluice::run {
namespace {

using engines::UseMode;

Status AddDecided(const plan::Node& node, const state::NodeState& owner, const std::string& table, std::vector<Consumer>* consumers) {
  if (!owner.pending) return Ok();
  SLUICE_TRY(const auto plan, PlanOfModel(node, *owner.pending));
  const auto at = plan ? plan->to.find(table) : ConsumedInputs::const_iterator();
  if (plan && at != plan->to.end() && at->second.version >= 0)
    consumers->push_back({node.table, at->second.table_id, at->second.version, false, true});
  return Ok();
}

}  // namespace

bool ReadsByChange(const plan::Node& model, const std::string& table) {
  if (model.model->store == project::Store::kInterval) return true;
  return std::any_of(model.uses.begin(), model.uses.end(), [&](const engines::TableUse& use) {
    return (use.mode == UseMode::kNew || use.mode == UseMode::kChanges) && use.schema + "." + use.name == table;
  });
}

Result<std::vector<Consumer>> ConsumersOf(Session& session, const std::string& table) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  std::vector<Consumer> consumers;
  for (const plan::Node& node : graph->nodes) {
    if (node.model == nullptr || node.is_view()) continue;
    SLUICE_TRY(const auto inputs, InputTables(session, node));
    if (!inputs.contains(table)) continue;
    state::BatchLog log(session.lake(), session.clock(), session.random(), {session.project().name, BatchOwner(node), "", ""});
    SLUICE_TRY(const state::NodeState owner, log.Load());
    SLUICE_TRY(const state::NodeState state, StateOfModel(node, owner));
    SLUICE_TRY(const ModelCursor cursor, ModelCursorFromJson(state.cursor));
    const auto at = cursor.inputs.find(table);
    const Consumed consumed = at == cursor.inputs.end() ? Consumed{} : at->second;
    consumers.push_back({node.table, consumed.table_id, consumed.version, ReadsByChange(node, table), false});
    SLUICE_CHECK(AddDecided(node, owner, table, &consumers));
  }
  std::stable_sort(consumers.begin(), consumers.end(), [](const Consumer& a, const Consumer& b) { return a.node < b.node; });
  return consumers;
}

}  // namespace sluice::run
