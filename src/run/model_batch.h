#pragma once
// One batch of models: of one alone, or of all that share a publish group (design section 8). Its records are the node's, or those of
// "publish.GROUP" (model_records.h).
#include <vector>

#include "run/node.h"

namespace sluice::run {

// Finishes what an earlier run decided on the members' batch; their owner's state then.
Result<state::NodeState> RecoverModels(Session& session, const std::vector<const plan::Node*>& members, const RunContext& context);

// Runs the batch of `members`, upstream first: all are staged and checked before any is shown. A report for each.
std::vector<NodeReport> RunModels(Session& session, const std::vector<const plan::Node*>& members, const RunContext& context);

}  // namespace sluice::run
