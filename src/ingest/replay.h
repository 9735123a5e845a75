#pragma once
// Refused records, once more: a batch like any other, over quarantine and bronze together (design section 5).
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ingest/ingest.h"

namespace sluice::ingest {

struct ReplayRequest {
  const project::Source* source = nullptr;   // with the contract as it is now
  std::vector<std::string> ids;              // quarantine rows by id; empty: all open ones that `where` allows
  std::string where;                         // SQL predicate over the quarantine table; "" = all
  std::map<std::string, std::string> edits;  // id → the record as it should have been
  Target bronze;                             // must exist, or be created by this batch
  Target quarantine;                         // snapshot must be there
  BatchIdentity batch;
};

struct ReplayResult {
  StagedTable bronze;      // rows that pass now
  StagedTable quarantine;  // rewritten files: those rows are 'replayed', the others as they were, or with the
                           // violations they have now
  int64_t selected = 0, replayed = 0, refused = 0;
  int64_t duplicates = 0;        // of the replayed: identical under `unique`, so not written again
  std::vector<RuleCount> rules;  // of the refused
};

// Only rows whose state is open are touched, so replaying twice changes nothing. Errors: kUser "no-such-quarantine-row" (an id that is
// not there or not open), "bad-predicate"; else as Ingest.
Result<ReplayResult> Replay(const ReplayRequest& request, const Environment& environment);

struct DiscardRequest {
  std::vector<std::string> ids;  // as in ReplayRequest
  std::string where;
  Target quarantine;
  BatchIdentity batch;
};
// Marks open rows discarded: `bronze` of the result is without change.
Result<ReplayResult> Discard(const DiscardRequest& request, const Environment& environment);

}  // namespace sluice::ingest
