#pragma once
// Checks on what a batch will show, before the commit that would show it (design section 8).
#include <string>
#include <vector>

#include "run/relations.h"

namespace sluice::run {

enum class CheckStatus { kPassed, kTolerated, kWarned, kFailed };

struct CheckOutcome {
  std::string name;
  CheckStatus status = CheckStatus::kPassed;
  int64_t violations = 0;
  int64_t checked_rows = -1;           // only counted where there are violations
  std::vector<std::string> samples;    // up to three violating rows, the first by all columns: "column=value, …"
  std::vector<std::string> explained;  // accounts_for: which filter or join dropped how many keys
  Location where;
  std::string description;
};

// Runs every check of `node` over `own`; other tables as `pin_of` has them. Errors are of the engine or of the check's SQL; a failed check
// is an outcome.
Result<std::vector<CheckOutcome>> RunChecks(Session& session, const PinOf& pin_of, const plan::Node& node, const OwnRelations& own);

bool Blocks(const std::vector<CheckOutcome>& outcomes);
const char* ToString(CheckStatus status);

}  // namespace sluice::run
