#pragma once
// `sluice backfill`: windows of an interval model computed again, some at a time, each part a batch of its own. What is due of the model is
// not touched: the cursor of the live runs stays where it is (model_plan.h).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/graph.h"
#include "run/model_plan.h"
#include "run/session.h"

namespace sluice::run {

struct BackfillWhat {
  std::string from, to;                 // dates or timestamps; windows that begin in [from, to)
  std::optional<int64_t> every_micros;  // so much of it in one batch; nullopt: all of it
};

struct BackfillParts {
  std::vector<BackfillPart> parts;  // that are still to be done, in order
  std::string done_until;           // not "": an earlier call for the same windows ended here
};

// Only windows that runs have computed before. Errors: kUser "not-an-interval", "bad-window" (from, to), "nothing-to-backfill"; those of
// the records.
Result<BackfillParts> PlanBackfill(Session& session, const plan::Node& node, const BackfillWhat& what);

}  // namespace sluice::run
