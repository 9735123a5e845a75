#pragma once
// Files that no version within the retention needs are removed (design section 7, "VACUUM").
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "delta/snapshot.h"

namespace sluice::tables {

struct VacuumSpec {
  std::optional<int64_t> retention_millis;  // default: the table's delta.deletedFileRetentionDuration, else a week
  bool allow_short = false;                 // else less than a week is kUser "short-retention"
  bool dry_run = false;
  // Read before this is called: VACUUM reads the records, then the snapshot, then lists. A file below a folder, or of a name, that
  // begins with one of these ("silver.orders-12.") belongs to an open batch.
  std::vector<std::string> open_batches;
  // Set in a lake: by node or publish group its last batch that was done when the records were read. A file that is named for a later one
  // ("silver.orders-12.1-…"), or for a batch of who is not among them, is live whether or not a record names it.
  std::optional<std::map<std::string, int64_t>> done_batches;
  std::vector<int64_t> kept_versions;          // whose files stay; one that the log does not have any more is passed over
  std::optional<int64_t> changes_unread_from;  // what commits of this version and later ones add, remove and say of changes stays
  Clock* clock = nullptr;                      // default: SystemClock
};
struct VacuumedFile {
  std::string path;  // below the table's root
  int64_t bytes = 0;
};
// What was removed, or would be. On an error some of the files may be gone; none that is needed ever is.
// Errors: those of LoadSnapshot; kUnsupported for a table that Sluice cannot write.
Result<std::vector<VacuumedFile>> Vacuum(store::ObjectStore& store, std::string_view table_root, const VacuumSpec& spec);

}  // namespace sluice::tables
