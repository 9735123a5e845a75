// Which version was there at a time?
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/time.h"
#include "delta/action_reader.h"
#include "delta/commit.h"
#include "delta/log_files.h"

namespace sluice::delta {
namespace {

std::optional<int64_t> IntProperty(const Metadata& metadata, const std::string& name) {
  const auto found = metadata.configuration.find(name);
  int64_t value = 0;
  if (found == metadata.configuration.end()) return std::nullopt;
  const auto [end, error] = std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return error == std::errc() && end == found->second.data() + found->second.size() ? std::optional(value) : std::nullopt;
}

using Commits = std::vector<std::pair<int64_t, store::ObjectMeta>>;  // version → its file, oldest first

std::optional<int64_t> ByFileTime(const LogListing& listing, int64_t upto, int64_t at_millis) {
  std::optional<int64_t> newest;
  for (const auto& [version, time] : FileTimes(listing, upto)) {
    if (time > at_millis) break;
    newest = version;
  }
  return newest;
}

// In-commit timestamps rise with the versions, so few commits are read.
Result<std::optional<int64_t>> ByInCommitTime(store::ObjectStore& store, const Commits& commits, int64_t at_millis) {
  size_t low = 0, high = commits.size();  // all before low are not later than `at`, all from high on are
  while (low < high) {
    const size_t middle = (low + high) / 2;
    SLUICE_TRY(const auto text, store.Get(commits[middle].second.key));
    SLUICE_TRY(const auto actions, ParseCommit(text));
    const auto time = InCommitTimestamp(actions);
    if (!time)
      return Fail(BadLog(fmt::format("version {} has no inCommitTimestamp, though the table has them enabled", commits[middle].first)));
    (*time <= at_millis ? low : high) = *time <= at_millis ? middle + 1 : middle;
  }
  return low == 0 ? std::optional<int64_t>() : std::optional(commits[low - 1].first);
}

// The first version with an in-commit timestamp; INT64_MAX: the table has none.
int64_t InCommitTimesFrom(const Metadata& metadata) {
  if (!IsEnabled(metadata, "delta.enableInCommitTimestamps")) return INT64_MAX;
  return IntProperty(metadata, "delta.inCommitTimestampEnablementVersion").value_or(0);
}

}  // namespace

Result<std::map<int64_t, int64_t>> CommitTimes(store::ObjectStore& store, std::string_view table_root, const Snapshot& head,
                                               const std::vector<LogCommit>& commits) {
  SLUICE_TRY(const LogListing listing, ListLog(store, table_root, 0));
  auto times = FileTimes(listing, head.version);
  const int64_t enabled = InCommitTimesFrom(head.metadata);
  for (const LogCommit& commit : commits)
    if (const auto time = InCommitTimestamp(commit.actions); time && commit.version >= enabled) times[commit.version] = *time;
  return times;
}

Result<int64_t> VersionAt(store::ObjectStore& store, std::string_view table_root, Instant at) {
  SLUICE_TRY(const Snapshot head, LoadSnapshot(store, table_root));
  SLUICE_TRY(const LogListing listing, ListLog(store, table_root, 0));
  const int64_t enabled = InCommitTimesFrom(head.metadata);
  Commits since;
  for (const auto& [version, file] : listing.commits)
    if (version >= enabled && version <= head.version) since.emplace_back(version, file);
  std::optional<int64_t> version;
  if (enabled != INT64_MAX && at.millis() >= IntProperty(head.metadata, "delta.inCommitTimestampEnablementTimestamp").value_or(INT64_MIN)) {
    SLUICE_TRY(version, ByInCommitTime(store, since, at.millis()));
  }
  if (!version) version = ByFileTime(listing, std::min(head.version, enabled - 1), at.millis());
  if (version) return *version;
  return Fail(NotFoundError("no-such-version", fmt::format("table {} has no version of {} or earlier: its log begins with version {}",
                                                           store.Uri(std::string(table_root)), FormatInstant(at),
                                                           listing.commits.empty() ? head.version : listing.commits.begin()->first)));
}

Result<int64_t> VersionNamed(store::ObjectStore& store, std::string_view table_root, const std::string& text) {
  int64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error == std::errc() && end == text.data() + text.size()) return version;
  auto time = ParseInstant(text);
  if (!time) time = ParseInstant(text + "Z");  // as Spark writes it, in the zone that Sluice works in
  if (const auto day = ParseDate(text)) time = Instant{*day * int64_t{86'400'000'000}};
  if (!time)
    return Fail(UserError("bad-time", "\"" + text + "\" is neither a version nor a time")
                    .Hint("as 12, 2024-01-31, 2024-01-31T10:00:00Z or \"2024-01-31 10:00:00\" (UTC)"));
  return VersionAt(store, table_root, *time);
}

}  // namespace sluice::delta
