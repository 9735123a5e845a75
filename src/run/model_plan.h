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

inline constexpr const char* kChangeDataFeed = "delta.enableChangeDataFeed";

struct ModelPlan {
  std::string why;                      // for people
  bool rebuild = false;                 // everything anew, replacing the table in one commit
  ConsumedInputs to;                    // the version of each input that this batch reads
  ConsumedInputs from;                  // what new() starts from; empty: the beginning
  std::vector<tables::Window> windows;  // interval only: what is due, merged where adjacent
  std::string windows_until;            // interval only: all windows before this are computed after this batch
  std::string backfill;                 // the backfill that this batch is a part of (backfill.h); "" = none
  ConsumedInputs kept;                  // with it: what the cursor holds on to, for what is new is still to come
  std::vector<std::string> notes;
};
std::string ToJson(const ModelPlan& plan);
Result<ModelPlan> ModelPlanFromJson(const std::string& text);

// The cursor a model keeps: what it has consumed.
struct ModelCursor {
  ConsumedInputs inputs;
  std::string windows_until;
  // What the table's log said of other batches of this project (as of another publish group): app id → its batch.
  std::map<std::string, int64_t> others;
};
// Version of an input that the very batch whose cursor this is commits: known only once it is (NodeState::prepared_for).
inline constexpr int64_t kOfThisBatch = -2;
std::string ToJson(const ModelCursor& cursor);
Result<ModelCursor> ModelCursorFromJson(const std::string& text);

// Fingerprint of the model with the views it reads.
Result<std::string> EffectiveFingerprint(Session& session, const plan::Node& node);

// A full read in the place of changes that cannot be told: what a store adds or merges of them must not meet what it has of before. History
// (scd2) stays, and takes the rows that it does not know.
bool IsBuiltAnewFrom(const FullReads& full, project::Store store);

// A part of a backfill: the windows that begin in [from, to), microseconds; and its name.
struct BackfillPart {
  std::string table, name;
  int64_t from = 0, to = 0;
};

struct Decide {
  bool full_refresh = false;
  std::string rebuild_because;  // not "": the table is not what the cursor is about
  bool forced = false;
  Instant clock;
  const delta::Snapshot* table = nullptr;  // the model's own; null: it has none
  const BackfillPart* backfill = nullptr;  // these windows and no others; null: what is due
};
// Null: nothing to do. Errors: kData "model-changed" where a stateful model's SQL changed and on_change blocks; kUser "nothing-to-backfill"
// where all windows are to be computed anyway.
Result<std::optional<ModelPlan>> DecideModel(Session& session, const plan::Node& node, const state::NodeState& state,
                                             const std::vector<PinnedInput>& inputs, const Decide& how);

// "date" or "timestamp": the type of $window_start and $window_end.
std::string WindowParameterType(const project::Model& model);

}  // namespace sluice::run
