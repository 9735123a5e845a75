#pragma once
// Checkpoints (PROTOCOL.md, "Checkpoints"): classic, in several parts, and v2 with sidecars, in Parquet and in JSON.
#include <functional>
#include <string_view>

#include "delta/actions.h"
#include "delta/log_files.h"

namespace sluice::delta {

using TakeAction = std::function<void(Action&&)>;

// Gives every action of a checkpoint, in no order. Errors: "bad-delta-log", naming the file. `take` may have seen a part by then.
Status ReadCheckpoint(store::ObjectStore& store, std::string_view table_root, const CheckpointFiles& checkpoint, const TakeAction& take);

}  // namespace sluice::delta
