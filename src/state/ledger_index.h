#pragma once
#include "state/batch.h"

namespace sluice::state {

// Notes the files of a batch that has just become done, so that LoadLedger need not read its decision; now and then joins such
// notes into one. Failing costs only time.
void IndexFiles(store::ObjectStore& lake, const std::string& node, const ReadyRecord& ready);

}  // namespace sluice::state
