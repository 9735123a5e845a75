#pragma once
// Commits a staged change that no batch decides: maintenance, or a person's statement.
#include <functional>
#include <string>

#include "tables/change.h"

namespace sluice::tables {

struct PlainWriter {
  std::string operation_id;   // what `table history` shows as the run
  std::string staged_prefix;  // StageOptions::file_prefix of the change: such files go where it is not committed
  std::string engine_info = "sluice/0.1.0";
  Clock* clock = nullptr;    // default: SystemClock
  Random* random = nullptr;  // default: SystemRandom
  // The oldest version that somebody needs, for the clean-up of the log behind a checkpoint (delta::CleanLog). Not set: the log stays
  // whole, as of a table by path, whose readers nobody knows.
  std::function<Result<int64_t>()> log_floor;
};

// Puts the commit, past others that do not touch (delta::Commit, by the table's isolation), and a checkpoint where one is due, behind which
// the log is cleaned. Gives the version. Errors: kConflict "commit-conflict" naming the operation that came between: what was staged is
// deleted then; kRetryable "commit-contended", "commit-unknown". Requires a change that is not empty.
Result<int64_t> CommitPlainly(const TableTarget& target, const StagedChange& change, const PlainWriter& writer);

}  // namespace sluice::tables
