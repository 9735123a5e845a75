#pragma once
// What is this table's state? Log replay (PROTOCOL.md, "Action Reconciliation") over an ObjectStore.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delta/actions.h"
#include "store/object_store.h"

namespace sluice::delta {

struct Snapshot {
  int64_t version = -1;
  int64_t timestamp = 0;  // milliseconds: in-commit timestamp, else the commit file's modification time
  Protocol protocol;
  Metadata metadata;
  contract::Schema schema;         // parsed metadata.schema_string
  std::vector<Add> files;          // live files, sorted by path (then deletion vector)
  std::vector<Remove> tombstones;  // unexpired or not: as the log has them
  std::map<std::string, Txn> txns;
  std::map<std::string, DomainMetadata> domains;
  std::string head_etag;  // of this version's commit file, "" if only its checkpoint is left

  std::optional<int64_t> TxnVersion(const std::string& app_id) const;
};

// Loads the newest version, or `version`. `table_root` is the table's key prefix in `store`, without a trailing '/'.
// Errors: kNotFound "no-such-table" (no _delta_log, or empty), "no-such-version"; kUnsupported "unsupported-feature" naming each
// unknown reader feature; "bad-delta-log" (non-contiguous versions, missing protocol or metadata, broken checkpoint).
Result<Snapshot> LoadSnapshot(store::ObjectStore& store, std::string_view table_root, std::optional<int64_t> version = std::nullopt);
// LoadSnapshot, with kNotFound "no-such-table" turned into nullopt.
Result<std::optional<Snapshot>> LoadSnapshotIfExists(store::ObjectStore& store, std::string_view table_root);
// Brings `base` up to the newest version by reading only the commits after it; falls back to LoadSnapshot where they are gone, or
// where base's own version is not there any more as it was read (the table was dropped and made again).
Result<Snapshot> Refresh(store::ObjectStore& store, std::string_view table_root, const Snapshot& base);

struct LogCommit {
  int64_t version = 0;
  std::vector<Action> actions;
};
// The commit files in (after, upto]; `complete` is false if any of that range was cleaned away, or if the log ends before `after`.
struct LogRange {
  std::vector<LogCommit> commits;
  bool complete = true;
  int64_t head = -1;  // the newest version seen in the listing; -1: there is no log
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
