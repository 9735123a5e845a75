#pragma once
// What one batch of a model will read and how: decided before anything is staged, kept in the batch's records, so that the same batch can
// be computed again from the same inputs (design section 7).
#include <optional>
#include <string>
#include <vector>

#include "run/relations.h"
#include "state/batch.h"
#include "tables/change.h"

namespace sluice::run {

struct ModelPlan {
  std::string why;                      // for people
  bool rebuild = false;                 // everything anew, replacing the table in one commit
  ConsumedInputs to;                    // the version of each input that this batch reads
  ConsumedInputs from;                  // what new() starts from; empty: the beginning
  std::vector<tables::Window> windows;  // interval only: what is due, merged where adjacent
  std::string windows_until;            // interval only: all windows before this are computed after this batch
  std::vector<std::string> notes;
};
std::string ToJson(const ModelPlan& plan);
Result<ModelPlan> ModelPlanFromJson(const std::string& text);

// The cursor a model keeps: what it has consumed.
struct ModelCursor {
  ConsumedInputs inputs;
  std::string windows_until;
};
std::string ToJson(const ModelCursor& cursor);
Result<ModelCursor> ModelCursorFromJson(const std::string& text);

// Fingerprint of the model with the views it reads.
Result<std::string> EffectiveFingerprint(Session& session, const plan::Node& node);

struct Decide {
  bool full_refresh = false;
  bool forced = false;
  Instant clock;
};
// Null: nothing to do. Errors: kData "model-changed" where a stateful model's SQL changed and on_change blocks.
Result<std::optional<ModelPlan>> DecideModel(Session& session, const plan::Node& node, const state::NodeState& state,
                                             const std::vector<PinnedInput>& inputs, const Decide& how);

// "date" or "timestamp": the type of $window_start and $window_end.
std::string WindowParameterType(const project::Model& model);

}  // namespace sluice::run
