#pragma once
// `sluice rollback` and `sluice table restore` of a table of the lake: a node's tables, or a publish group's, as an earlier batch left
// them, as the next batch (design section 7, "Rollback"; docs/restore-and-vacuum.md). What was consumed since comes again.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/graph.h"
#include "run/session.h"

namespace sluice::run {

struct RollbackWhat {
  std::string table;  // "silver.orders", "quarantine.orders": of the node that is rolled back
  // One of these; none of them: the last batch is taken back.
  std::optional<int64_t> to_batch;    // 0: as before the first, without rows
  std::optional<int64_t> to_version;  // of `table`; the node's other tables as the batch left them that this version is of
  std::optional<Instant> to_time;     // every table of the node as it was then
  bool with_later = false;            // also what was built on what is taken back
  bool dry_run = false;
  bool wait = false;  // for another run on this lake
};

struct RolledBackTable {
  std::string table;
  int64_t from_version = -1;  // as it stood
  int64_t of_version = -1;    // whose contents it has again; -1: no rows
  int64_t to_version = -1;    // the version that has them; of a dry run -1
  bool operator==(const RolledBackTable&) const = default;
};

// One node or publish group.
struct RolledBack {
  std::string owner;     // "silver.orders", "publish.evening"
  int64_t to_batch = 0;  // whose state it has again
  int64_t batch = 0;     // that brought it back; 0: a dry run, or it was so already
  std::vector<RolledBackTable> tables;
  std::vector<std::string> notes;  // which files come again, which the source no longer has, …
};

struct RollbackOutcome {
  std::string run_id;
  std::vector<RolledBack> owners;  // in the order in which they were rolled back: what was built on others first
};

// Takes the lake's lease (not for a dry run), finishes what was decided before, and makes a batch for each node. A kill leaves some of them
// rolled back and others not: the lake is consistent, and the same call goes on. Errors: kUser "no-such-batch", "no-table"; kConflict
// "later-batches" naming those that were built on what would be taken back; "inputs-taken-back" where the batch was built on rows that an
// input has had taken back; "restore-impossible" naming files that are gone; "lake-busy"; those of the batch protocol.
Result<RollbackOutcome> RollBackNode(Session& session, const plan::Node& node, const RollbackWhat& what);

}  // namespace sluice::run
