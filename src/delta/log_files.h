#pragma once
// The files of _delta_log: their names, and which of them make a given version.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/object_store.h"

namespace sluice::delta {

// A complete checkpoint: one file, or all parts of one that has several.
struct CheckpointFiles {
  int64_t version = 0;
  std::vector<store::ObjectMeta> files;
};

struct LogListing {
  std::map<int64_t, store::ObjectMeta> commits;
  std::map<int64_t, CheckpointFiles> checkpoints;  // complete ones; the best where a version has several
  bool empty() const { return commits.empty() && checkpoints.empty(); }
  int64_t newest() const;  // -1 if empty
};

// What a snapshot of `version` is made from: a checkpoint, if any, and all the commits after it, oldest first.
struct LogSegment {
  int64_t version = -1;
  std::optional<CheckpointFiles> checkpoint;
  std::vector<store::ObjectMeta> commits;
  std::optional<store::ObjectMeta> head;  // the commit file of `version`, if it is still there
};

// The key of a file in the table's log.
std::string LogKey(std::string_view table_root, std::string_view name);
// Pure: what these objects are. Other names (checksums, compactions, temporary files) are passed over, as are incomplete checkpoints.
LogListing ReadListing(const std::vector<store::ObjectMeta>& objects, std::string_view table_root);
// Lists the log from `from` on (every file of that version included).
Result<LogListing> ListLog(store::ObjectStore& store, std::string_view table_root, int64_t from);
// Pure. Errors: "no-such-table", "no-such-version", "bad-delta-log" (a gap).
Result<LogSegment> ChooseSegment(const LogListing& listing, std::string_view table, std::optional<int64_t> version);
// Lists, from the _last_checkpoint hint on where it helps, and chooses.
Result<LogSegment> FindSegment(store::ObjectStore& store, std::string_view table_root, std::optional<int64_t> version);
// The version that _last_checkpoint names; nullopt if it is missing or cannot be read: it is only a hint.
std::optional<int64_t> LastCheckpointHint(store::ObjectStore& store, std::string_view table_root);

// Pure. When each commit up to `upto` was made, by the times of their files: version → milliseconds. Clocks may step back, a copied log
// may have any times: a version counts as made after the one before.
std::map<int64_t, int64_t> FileTimes(const LogListing& listing, int64_t upto);

}  // namespace sluice::delta
