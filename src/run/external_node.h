#pragma once
#include <string>
#include <vector>

#include "run/node.h"
#include "run/relations.h"

namespace sluice::run {

// A batch of an external table changes nothing: it remembers which version was read, and that the checks let it pass.
NodeReport RunExternal(Session& session, const plan::Node& node, const RunContext& context);

// Why this version of an external table is looked at; "" = it was.
std::string WhyExternalRuns(const plan::Node& node, const state::NodeState& state, const delta::Snapshot& table, bool forced);

// Fails with kConflict "unchecked-input" where an input is an external table with checks that block, at a version they have not passed on.
Status CheckWasChecked(Session& session, const std::vector<PinnedInput>& inputs);

}  // namespace sluice::run
