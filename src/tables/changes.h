#pragma once
// What changed in a table from one version to another, row by row (PROTOCOL.md, "Change Data Files").
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "delta/snapshot.h"
#include "tables/scan.h"

namespace sluice::tables {

struct Changes {
  // Gives the columns of the table at `to`, and contract::ChangeColumns: _change_type (insert, update_preimage, update_postimage, delete),
  // _commit_version and _commit_timestamp. Absent where the changes cannot be told, `why_not` then says why, for people.
  std::optional<Scan> scan;
  std::string why_not;
  bool only_inserts = true;
};

// The changes of the versions from `from` to `to`, both included. Of a version with change data files only these are read; of another,
// rows of its added files are inserts and those of its removed files deletes, if the table kept its change data then or nothing was
// removed; where only a file's deletion vector changed, its difference. Commits without data change give none.
// Errors: those of LoadSnapshot; "bad-range" where from > to.
Result<Changes> ChangesFor(store::ObjectStore& store, std::string_view table_root, int64_t from, int64_t to,
                           const std::optional<std::vector<std::string>>& columns = std::nullopt);

// Commits that the caller has read.
struct ChangeRange {
  const delta::Snapshot& upto;              // the table after the last of them; what it holds is there
  std::vector<delta::LogCommit> commits;    // oldest first, without a gap
  std::optional<int64_t> staged_timestamp;  // where the last one is in no log yet: its time, in milliseconds
};
// The changes of these. A row that one version takes and brings again with the same values, metadata columns aside, is no change of it: of
// a table that is computed anew and replaced, only what differs. Errors: those of LoadSnapshot.
Result<Changes> ChangesIn(store::ObjectStore& store, std::string_view table_root, const ChangeRange& range);

}  // namespace sluice::tables
