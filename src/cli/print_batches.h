#pragma once
// Batches of a node, for people and machines.
#include <nlohmann/json.hpp>
#include <string>

#include "state/batch.h"

namespace sluice::cli {

// n, state (open, decided, done, abandoned), kind, attempts, run.
nlohmann::ordered_json ToJson(const state::BatchSummary& batch);
// A list of such, as a table.
std::string RenderBatches(const nlohmann::ordered_json& batches);

}  // namespace sluice::cli
