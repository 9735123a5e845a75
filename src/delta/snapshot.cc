#include "delta/snapshot.h"

#include <fmt/format.h>

#include "delta/action_reader.h"
#include "delta/checkpoint.h"
#include "delta/commit.h"
#include "delta/log_files.h"
#include "delta/replay.h"
#include "delta/segment.h"
#include "delta/type_widening.h"

namespace sluice::delta {
namespace {

constexpr int kMostListings = 5;

// A file that the listing had was gone when it was opened: somebody cleans the log, and a newer checkpoint covers it. A new listing
// tells what there is now.
bool WasCleaned(const Error& error) { return error.code == "no-such-object"; }

Error GoneAgainAndAgain(store::ObjectStore& store, std::string_view table_root, const Error& last) {
  return BadLog(fmt::format("the log of {} lists files that cannot be opened: {}", store.Uri(std::string(table_root)), last.message));
}

Error InFile(Error error, std::string_view file) {
  error.message = fmt::format("{}: {}", file, error.message);
  return error;
}

// A file system may keep a name and lose its bytes when the power fails. Whatever the commit said, taken for one that said nothing it would
// bring deleted rows back.
Status CheckNotEmpty(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") != std::string_view::npos) return Ok();
  Error error = BadLog("the commit file is empty: what this version did is lost");
  error.hint =
      "put the file back from a backup; if there is none and it is the log's last, the table can go on from the version before once the "
      "empty file is removed, without what the version did; or remove the table's folder and build it anew with "
      "sluice run -s TABLE+ --full-refresh (a source also needs --reload-sources)";
  return Fail(std::move(error));
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
  SLUICE_CHECK(CheckTypeChanges(snapshot->schema));
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
  int64_t bytes_left = 0;
  for (const auto& commit : segment.commits) bytes_left += commit.size;
  for (auto commit = segment.commits.rbegin(); commit != segment.commits.rend(); ++commit) {
    const bool newest = commit == segment.commits.rbegin();
    SLUICE_TRY(auto text, store.Get(commit->key));
    if (auto whole = CheckNotEmpty(text); !whole) return Fail(InFile(std::move(whole).error(), store.Uri(commit->key)));
    size_t actions = 0;
    auto read = ForEachLineBackwards(std::move(text), [&](LogLine&& line) {
      auto* action = std::get_if<Action>(&line);
      if (action == nullptr) return;
      if (const auto* info = std::get_if<CommitInfo>(action); info && newest) in_commit = InCommitTimestamp(*info);
      replay->TakeNewest(std::move(*action));
      ++actions;
    });
    if (!read) return Fail(InFile(std::move(read).error(), store.Uri(commit->key)));
    bytes_left -= commit->size;
    if (newest && commit->size > 0 && bytes_left > 0)  // the others are taken to be like it
      replay->Expect(
          static_cast<size_t>(static_cast<double>(bytes_left) / static_cast<double>(commit->size) * static_cast<double>(actions)));
  }
  return in_commit;
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

Result<std::vector<Action>> ReadCommitFile(store::ObjectStore& store, const std::string& key) {
  SLUICE_TRY(auto text, store.Get(key));
  if (auto whole = CheckNotEmpty(text); !whole) return Fail(InFile(std::move(whole).error(), store.Uri(key)));
  std::vector<Action> actions;
  auto read = ForEachLine(std::move(text), [&](LogLine&& line) {
    if (auto* action = std::get_if<Action>(&line)) actions.push_back(std::move(*action));
  });
  if (!read) return Fail(InFile(std::move(read).error(), store.Uri(key)));
  return actions;
}

Result<Snapshot> LoadSegment(store::ObjectStore& store, std::string_view table_root, const LogSegment& segment, bool* torn) {
  Replay replay;
  SLUICE_TRY(auto in_commit, ReplayCommits(store, segment, &replay));
  if (segment.checkpoint) {
    auto read = ReadCheckpoint(store, table_root, *segment.checkpoint, &replay);
    if (torn != nullptr) *torn = !read && read.error().code == "bad-delta-log";
    if (!read) return Fail(std::move(read).error());
  }
  auto snapshot = std::move(replay).Finish();
  if (!snapshot) return Fail(InFile(std::move(snapshot).error(), store.Uri(std::string(table_root))));
  if (segment.commits.empty()) {
    SLUICE_TRY(in_commit, ReadInCommitTimestamp(store, segment, snapshot->metadata));
  }
  SLUICE_CHECK(Complete(segment, in_commit, &*snapshot));
  return snapshot;
}

Result<Snapshot> ApplyCommits(const Snapshot& base, std::vector<LogCommit> commits, const store::ObjectMeta& head) {
  LogSegment segment;
  segment.version = commits.back().version;
  segment.head = head;
  const auto in_commit = InCommitTimestamp(commits.back().actions);
  Replay replay;
  for (auto commit = commits.rbegin(); commit != commits.rend(); ++commit)
    for (auto action = commit->actions.rbegin(); action != commit->actions.rend(); ++action) replay.TakeNewest(std::move(*action));
  Snapshot snapshot = std::move(replay).FinishOnto(base);
  SLUICE_CHECK(Complete(segment, in_commit, &snapshot));
  return snapshot;
}

std::optional<int64_t> Snapshot::TxnVersion(const std::string& app_id) const {
  const auto it = txns.find(app_id);
  return it == txns.end() ? std::nullopt : std::optional(it->second.version);
}

namespace {

// A checkpoint only saves time. Where it cannot be read (one that can, and lacks what it must hold, is its writer's fault and an error),
// the commits that it stands for, from an earlier one on, tell the same as long as they are there. nullopt: they are not.
std::optional<Snapshot> LoadWithoutBrokenCheckpoint(store::ObjectStore& store, std::string_view table_root, LogSegment segment) {
  auto listing = ListLog(store, table_root, 0);
  while (listing && segment.checkpoint) {
    listing->checkpoints.erase(listing->checkpoints.lower_bound(segment.checkpoint->version), listing->checkpoints.end());
    auto earlier = ChooseSegment(*listing, table_root, segment.version);
    if (!earlier) return std::nullopt;
    segment = *std::move(earlier);
    if (auto snapshot = LoadSegment(store, table_root, segment)) return *std::move(snapshot);
  }
  return std::nullopt;
}

}  // namespace

Result<Snapshot> LoadSnapshot(store::ObjectStore& store, std::string_view table_root, std::optional<int64_t> version) {
  for (int listings = 1;; ++listings) {
    SLUICE_TRY(const auto segment, FindSegment(store, table_root, version));
    bool torn = false;
    auto snapshot = LoadSegment(store, table_root, segment, &torn);
    if (torn)
      if (auto found = LoadWithoutBrokenCheckpoint(store, table_root, segment)) return *std::move(found);
    if (snapshot || !WasCleaned(snapshot.error())) return snapshot;
    if (listings == kMostListings) return Fail(GoneAgainAndAgain(store, table_root, snapshot.error()));
  }
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
  const auto in_commit = ReplayCommits(store, *segment, &replay);
  if (!in_commit && WasCleaned(in_commit.error())) return LoadSnapshot(store, table_root);
  if (!in_commit) return Fail(in_commit.error());
  Snapshot snapshot = std::move(replay).FinishOnto(base);
  SLUICE_CHECK(Complete(*segment, *in_commit, &snapshot));
  return snapshot;
}

namespace {

Result<LogRange> ReadCommitsOnce(store::ObjectStore& store, std::string_view table_root, int64_t after, std::optional<int64_t> upto) {
  SLUICE_TRY(auto listing, ListLog(store, table_root, std::max<int64_t>(after, 0)));
  // Nothing at or after `after`: the log was cut back or made again. Its true head is told.
  if (listing.empty() && after > 0) {
    SLUICE_TRY(listing, ListLog(store, table_root, 0));
  }
  LogRange range;
  range.head = listing.newest();
  range.complete = range.head >= after;
  range.anchored = after < 0 || listing.commits.contains(after);
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

}  // namespace

Result<Snapshot> Preview(const Snapshot* base, const LogCommit& commit) {
  Replay replay;
  for (auto action = commit.actions.rbegin(); action != commit.actions.rend(); ++action) replay.TakeNewest(Action(*action));
  auto snapshot = base ? Result<Snapshot>(std::move(replay).FinishOnto(*base)) : std::move(replay).Finish();
  if (!snapshot) return snapshot;
  SLUICE_CHECK(CheckReadable(snapshot->protocol, snapshot->metadata));
  SLUICE_TRY(snapshot->schema, ParseSchemaString(snapshot->metadata.schema_string));
  snapshot->version = commit.version;
  snapshot->timestamp = base != nullptr ? base->timestamp : 0;
  return snapshot;
}

Result<LogRange> ReadCommits(store::ObjectStore& store, std::string_view table_root, int64_t after, std::optional<int64_t> upto) {
  for (int listings = 1;; ++listings) {
    auto range = ReadCommitsOnce(store, table_root, after, upto);
    if (range || !WasCleaned(range.error())) return range;
    if (listings == kMostListings) return Fail(GoneAgainAndAgain(store, table_root, range.error()));
  }
}

}  // namespace sluice::delta
