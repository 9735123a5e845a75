#pragma once
// VACUUM of a table of the lake: what open batches, readers of publish groups and known consumers need stays (design section 7).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "run/held_versions.h"
#include "run/session.h"
#include "tables/vacuum.h"

namespace sluice::run {

struct VacuumOptions {
  std::optional<int64_t> retention_millis;  // default: the table's delta.deletedFileRetentionDuration, else a week
  bool allow_short = false;                 // else less than a week is kUser "short-retention"
  bool dry_run = false;
  int64_t max_hold_millis = kMaxHoldMillis;  // how long files stay for a consumer that does not read them
};

struct VacuumedTable {
  std::string table;
  std::vector<tables::VacuumedFile> files;  // removed, or what would be
  int64_t bytes = 0;
  std::vector<Holder> held_by;     // who keeps files that are past the retention, or may
  std::vector<std::string> notes;  // consumers that were let go, dead attempts that were closed
};

// `table`: "silver.orders", "quarantine.orders", … Needs no lease, and does no harm to whoever works meanwhile. On an error some of the
// files may be gone, none that is needed ever is. It also ends a batch of the table's owner that was begun longer ago than the retention,
// never decided, and whose run is dead: by deciding that it changes nothing, so that the next VACUUM can take what its attempts staged.
// Errors: kNotFound "no-such-table"; kUser "short-retention"; kUnsupported for a table that Sluice cannot write.
Result<VacuumedTable> VacuumTable(Session& session, const std::string& table, const VacuumOptions& options);

// Every table that the lake has: the project's, and those that records name of nodes that are no more. Sorted.
Result<std::vector<std::string>> TablesOfLake(Session& session);

}  // namespace sluice::run
