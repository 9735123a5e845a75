#pragma once
// The metadata of a table that goes back to an earlier version.
#include "delta/snapshot.h"

namespace sluice::delta {

// Schema, partitioning, description and properties of `then`; but the table keeps its id, the highest column id that it has given out, its
// in-commit timestamps and its change data feed, which later versions rely on. Error: kConflict "restore-impossible" where the two map
// columns to names in their files in different ways.
Result<Metadata> RestoredMetadata(const Snapshot& then, const Snapshot& now);

}  // namespace sluice::delta
