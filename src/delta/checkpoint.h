#pragma once
// Checkpoints (PROTOCOL.md, "Checkpoints"): classic, in several parts, and v2 with sidecars, in Parquet and in JSON.
#include <string_view>

#include "delta/log_files.h"
#include "delta/replay.h"

namespace sluice::delta {

// Gives every action of a checkpoint to `replay`. Errors: "bad-delta-log", naming the file; `replay` may have seen a part by then.
Status ReadCheckpoint(store::ObjectStore& store, std::string_view table_root, const CheckpointFiles& checkpoint, Replay* replay);

// The keys of the sidecars that it names.
Result<std::vector<std::string>> SidecarsOf(store::ObjectStore& store, std::string_view table_root, const CheckpointFiles& checkpoint);

}  // namespace sluice::delta
