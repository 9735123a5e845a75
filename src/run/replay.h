#pragma once
// Replay and discard of quarantined records: batches of the source's node, like any other.
#include <map>
#include <string>
#include <vector>

#include "ingest/replay.h"
#include "run/session.h"

namespace sluice::run {

struct ReplayWhat {
  std::vector<std::string> ids;  // quarantine rows by id; empty: all open ones that `where` allows
  std::string where;
  std::map<std::string, std::string> edits;  // id → the record as it should have been
  bool discard = false;                      // mark them discarded instead
  bool wait = false;
};

struct ReplayOutcome {
  std::string run_id;
  int64_t batch = 0;  // 0: nothing to do, no batch was made
  int64_t selected = 0, replayed = 0, refused = 0, duplicates = 0;
  std::vector<ingest::RuleCount> rules;  // of those refused again
};

// Errors: "no-quarantine" (the source never refused a record), those of ingest::Replay, "lake-busy".
Result<ReplayOutcome> ReplayQuarantine(Session& session, const plan::Node& source, const ReplayWhat& what);

}  // namespace sluice::run
