#include "delta/snapshot.h"

#include <fmt/format.h>

#include "delta/action_reader.h"
#include "delta/checkpoint.h"
#include "delta/commit.h"
#include "delta/log_files.h"
#include "delta/replay.h"

namespace sluice::delta {
namespace {

Error InFile(Error error, std::string_view file) {
  error.message = fmt::format("{}: {}", file, error.message);
  return error;
}

Result<std::vector<Action>> ReadCommitFile(store::ObjectStore& store, const std::string& key) {
  SLUICE_TRY(auto text, store.Get(key));
  std::vector<Action> actions;
  auto read = ForEachLine(std::move(text), [&](LogLine&& line) {
    if (auto* action = std::get_if<Action>(&line)) actions.push_back(std::move(*action));
  });
  if (!read) return Fail(InFile(std::move(read).error(), store.Uri(key)));
  return actions;
}

// Milliseconds. The commit's own time where the table has in-commit timestamps; enabling it is part of the commit that carries the
// first one, so that the property of this very snapshot decides.
int64_t TimestampOf(const LogSegment& segment, const Metadata& metadata, std::optional<int64_t> in_commit) {
  if (in_commit && IsEnabled(metadata, "delta.enableInCommitTimestamps")) return *in_commit;
  if (segment.head) return segment.head->modified.millis();
  return segment.checkpoint ? segment.checkpoint->files.front().modified.millis() : 0;
}

Status Complete(const LogSegment& segment, std::optional<int64_t> in_commit, Snapshot* snapshot) {
  SLUICE_CHECK(CheckReadable(snapshot->protocol, snapshot->metadata));
  SLUICE_TRY(snapshot->schema, ParseSchemaString(snapshot->metadata.schema_string));
  snapshot->version = segment.version;
  snapshot->timestamp = TimestampOf(segment, snapshot->metadata, in_commit);
  if (segment.head) snapshot->head_etag = segment.head->etag;
  return Ok();
}

// The in-commit timestamp of the segment's version. Its commit need not be among the ones replayed: the checkpoint may be of the
// same version.
Result<std::optional<int64_t>> ReadInCommitTimestamp(store::ObjectStore& store, const LogSegment& segment, const Metadata& metadata) {
  if (!segment.head || !IsEnabled(metadata, "delta.enableInCommitTimestamps")) return std::optional<int64_t>();
  SLUICE_TRY(auto actions, ReadCommitFile(store, segment.head->key));
  return InCommitTimestamp(actions);
}

// Replays the segment's commits, newest first, and gives the newest one's in-commit timestamp.
Result<std::optional<int64_t>> ReplayCommits(store::ObjectStore& store, const LogSegment& segment, Replay* replay) {
  std::optional<int64_t> in_commit;
  for (auto commit = segment.commits.rbegin(); commit != segment.commits.rend(); ++commit) {
    SLUICE_TRY(auto actions, ReadCommitFile(store, commit->key));
    if (commit == segment.commits.rbegin()) in_commit = InCommitTimestamp(actions);
    replay->TakeCommit(std::move(actions));
  }
  return in_commit;
}

Result<Snapshot> LoadSegment(store::ObjectStore& store, std::string_view table_root, const LogSegment& segment) {
  Replay replay;
  SLUICE_TRY(auto in_commit, ReplayCommits(store, segment, &replay));
  if (segment.checkpoint)
    SLUICE_CHECK(
        ReadCheckpoint(store, table_root, *segment.checkpoint, [&](Action&& action) { replay.TakeCheckpoint(std::move(action)); }));
  auto snapshot = std::move(replay).Finish();
  if (!snapshot) return Fail(InFile(std::move(snapshot).error(), store.Uri(std::string(table_root))));
  if (segment.commits.empty()) {
    SLUICE_TRY(in_commit, ReadInCommitTimestamp(store, segment, snapshot->metadata));
  }
  SLUICE_CHECK(Complete(segment, in_commit, &*snapshot));
  return snapshot;
}

// A snapshot as the older side of a replay.
void TakeSnapshot(const Snapshot& base, Replay* replay) {
  replay->TakeCheckpoint(base.protocol);
  replay->TakeCheckpoint(base.metadata);
  for (const auto& [id, txn] : base.txns) replay->TakeCheckpoint(txn);
  for (const auto& [name, domain] : base.domains) replay->TakeCheckpoint(domain);
  for (const Add& add : base.files) replay->TakeCheckpoint(add);
  for (const Remove& remove : base.tombstones) replay->TakeCheckpoint(remove);
}

// Is the commit that `base` ended with still the one that lies there?
bool StillThere(const LogListing& listing, const Snapshot& base) {
  const auto head = listing.commits.find(base.version);
  return head != listing.commits.end() && !base.head_etag.empty() && head->second.etag == base.head_etag;
}

// The commits after base, up to the listing's newest; nullopt if one is missing.
std::optional<LogSegment> SegmentAfter(const LogListing& listing, const Snapshot& base) {
  LogSegment segment;
  segment.version = listing.newest();
  for (int64_t version = base.version + 1; version <= segment.version; ++version) {
    const auto commit = listing.commits.find(version);
    if (commit == listing.commits.end()) return std::nullopt;
    segment.commits.push_back(commit->second);
  }
  segment.head = listing.commits.at(segment.version);
  return segment;
}

}  // namespace

std::optional<int64_t> Snapshot::TxnVersion(const std::string& app_id) const {
  const auto it = txns.find(app_id);
  return it == txns.end() ? std::nullopt : std::optional(it->second.version);
}

Result<Snapshot> LoadSnapshot(store::ObjectStore& store, std::string_view table_root, std::optional<int64_t> version) {
  SLUICE_TRY(auto segment, FindSegment(store, table_root, version));
  return LoadSegment(store, table_root, segment);
}

Result<std::optional<Snapshot>> LoadSnapshotIfExists(store::ObjectStore& store, std::string_view table_root) {
  auto snapshot = LoadSnapshot(store, table_root);
  if (snapshot) return std::optional<Snapshot>(std::move(*snapshot));
  if (snapshot.error().code == "no-such-table") return std::optional<Snapshot>();
  return Fail(std::move(snapshot).error());
}

Result<Snapshot> Refresh(store::ObjectStore& store, std::string_view table_root, const Snapshot& base) {
  SLUICE_TRY(auto listing, ListLog(store, table_root, base.version));
  if (!StillThere(listing, base)) return LoadSnapshot(store, table_root);
  const auto segment = SegmentAfter(listing, base);
  if (!segment) return LoadSnapshot(store, table_root);
  if (segment->commits.empty()) return base;

  Replay replay;
  SLUICE_TRY(const auto in_commit, ReplayCommits(store, *segment, &replay));
  TakeSnapshot(base, &replay);
  SLUICE_TRY(auto snapshot, std::move(replay).Finish());
  SLUICE_CHECK(Complete(*segment, in_commit, &snapshot));
  return snapshot;
}

Result<LogRange> ReadCommits(store::ObjectStore& store, std::string_view table_root, int64_t after, std::optional<int64_t> upto) {
  SLUICE_TRY(auto listing, ListLog(store, table_root, std::max<int64_t>(after, 0)));
  // Nothing at or after `after`: the log was cut back or made again. Its true head is told.
  if (listing.empty() && after > 0) {
    SLUICE_TRY(listing, ListLog(store, table_root, 0));
  }
  LogRange range;
  range.head = listing.newest();
  range.complete = range.head >= after;
  for (int64_t version = after + 1; version <= std::min(upto.value_or(range.head), range.head); ++version) {
    const auto commit = listing.commits.find(version);
    if (commit == listing.commits.end()) {
      range.complete = false;
      continue;
    }
    SLUICE_TRY(auto actions, ReadCommitFile(store, commit->second.key));
    range.commits.push_back({version, std::move(actions)});
  }
  return range;
}

}  // namespace sluice::delta
