#pragma once
// Does a checkpoint say what the commits up to it say?
#include <string>
#include <vector>

#include "delta/snapshot.h"

namespace sluice::delta {

// Pure: in what the checkpoint, written at `written`, differs from the replay, as sentences; of many files only the first are named.
// What a checkpoint may leave out does not count: expired tombstones and transactions, statistics that the table keeps as a struct.
std::vector<std::string> CompareSnapshots(const Snapshot& checkpoint, const Snapshot& replay, Instant written);

}  // namespace sluice::delta
