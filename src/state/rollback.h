#pragma once
// Undoing an abandoned batch: the next batch takes back what the abandoned one had already committed.
#include <string>
#include <vector>

#include "state/batch.h"

namespace sluice::state {

inline const std::string kRollbackKind = "rollback";

// Runs the batch after the abandoned `state.last_done`, whose cursor is the one before it.
Status RollBack(store::ObjectStore& lake, BatchLog& log, const NodeState& state);

// The changes `redo` of a rollback, prepared again on the tables' present versions.
Result<Repreparation> PrepareRollbackAgain(store::ObjectStore& lake, const NodeIdentity& identity, const ReadyRecord& rollback,
                                           const std::vector<size_t>& redo);

}  // namespace sluice::state
