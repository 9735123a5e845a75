#pragma once
// What is this table's state? Log replay (PROTOCOL.md, "Action Reconciliation") over an ObjectStore.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "delta/actions.h"
#include "delta/file_list.h"
#include "store/object_store.h"

namespace sluice::delta {

struct Snapshot {
  int64_t version = -1;
  int64_t timestamp = 0;  // milliseconds: in-commit timestamp, else the commit file's modification time
  Protocol protocol;
  Metadata metadata;
  contract::Schema schema;      // parsed metadata.schema_string
  FileList<Add> files;          // live files, sorted by LogicalKey
  FileList<Remove> tombstones;  // unexpired or not: as the log has them; sorted likewise
  std::map<std::string, Txn> txns;
  std::map<std::string, DomainMetadata> domains;
  std::string head_etag;  // of this version's commit file, "" if only its checkpoint is left

  std::optional<int64_t> TxnVersion(const std::string& app_id) const;
};

// Loads the newest version, or `version`. `table_root` is the table's key prefix in `store`, without a trailing '/'.
// Errors: kNotFound "no-such-table" (no _delta_log, or empty), "no-such-version"; kUnsupported "unsupported-feature" naming each
// unknown reader feature; "bad-delta-log" (non-contiguous versions, missing protocol or metadata, a broken checkpoint whose commits
// are gone). A log that is cleaned meanwhile is listed again.
Result<Snapshot> LoadSnapshot(store::ObjectStore& store, std::string_view table_root, std::optional<int64_t> version = std::nullopt);
// LoadSnapshot, with kNotFound "no-such-table" turned into nullopt.
Result<std::optional<Snapshot>> LoadSnapshotIfExists(store::ObjectStore& store, std::string_view table_root);
// Brings `base` up to the newest version by reading only the commits after it; falls back to LoadSnapshot where they are gone, or
// where base's own version is not there any more as it was read (the table was dropped and made again).
Result<Snapshot> Refresh(store::ObjectStore& store, std::string_view table_root, const Snapshot& base);

// The newest version that was there at `at`: by in-commit timestamps where the table has them, before that by the commit files' times,
// made monotone. Error: kNotFound "no-such-version" where the log begins later.
Result<int64_t> VersionAt(store::ObjectStore& store, std::string_view table_root, Instant at);
// The version that a person names: "12", or a time as VersionAt takes it; a day is its first moment, UTC. Error: kUser "bad-time".
Result<int64_t> VersionNamed(store::ObjectStore& store, std::string_view table_root, const std::string& text);

struct LogCommit {
  int64_t version = 0;
  std::vector<Action> actions;
};
// The table as it will be once `commit` stands on top of `base` (null: it creates the table). Nothing is read or written.
Result<Snapshot> Preview(const Snapshot* base, const LogCommit& commit);
// When these commits of the table were made, as VersionAt counts: version → milliseconds. `head`: its newest snapshot.
Result<std::map<int64_t, int64_t>> CommitTimes(store::ObjectStore& store, std::string_view table_root, const Snapshot& head,
                                               const std::vector<LogCommit>& commits);
// The commit files in (after, upto]; `complete` is false if any of that range was cleaned away, or if the log ends before `after`.
struct LogRange {
  std::vector<LogCommit> commits;
  bool complete = true;
  int64_t head = -1;  // the newest version seen in the listing; -1: there is no log
  // The commit `after` itself is still there. Logs are cleaned from their start: where it is gone, what lies after it may be a slot that
  // was cleaned and filled again by a late writer, and says nothing of the table.
  bool anchored = true;
};
Result<LogRange> ReadCommits(store::ObjectStore& store, std::string_view table_root, int64_t after,
                             std::optional<int64_t> upto = std::nullopt);

// Refuses by name what Sluice cannot read; kUnsupported "unsupported-feature". LoadSnapshot has done it.
Status CheckReadable(const Protocol& protocol, const Metadata& metadata);
// Refuses by name what Sluice cannot write (unknown writer features, versions); kUnsupported "unsupported-feature".
Status CheckWritable(const Protocol& protocol, const Metadata& metadata);
// Refuses to take rows out of a table with delta.appendOnly; kUser "append-only-table".
Status CheckAppendOnly(const Protocol& protocol, const Metadata& metadata, const std::vector<Action>& actions);
// Is this table property "true"?
bool IsEnabled(const Metadata& metadata, const std::string& property);

}  // namespace sluice::delta
