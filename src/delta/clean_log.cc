#include "delta/clean_log.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "core/text.h"
#include "delta/checkpoint.h"
#include "delta/duration.h"
#include "delta/log_files.h"

namespace sluice::delta {
namespace {

constexpr int64_t kDefaultRetention = 30 * kDayMillis;
constexpr size_t kVersionDigits = 20;

int64_t Midnight(int64_t millis) { return millis - ((millis % kDayMillis) + kDayMillis) % kDayMillis; }

// The version that an object of the log belongs to; of a compaction the first. -1: none of ours to judge.
int64_t VersionOf(std::string_view name) {
  int64_t version = -1;
  if (name.size() <= kVersionDigits || name[kVersionDigits] != '.' || name.find('/') != std::string_view::npos) return -1;
  const std::string_view digits = name.substr(0, kVersionDigits);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  if (error != std::errc() || end != digits.data() + digits.size()) return -1;
  const auto words = Split(name, '.');
  const bool known = words.back() == "json" || words.back() == "crc" || words.back() == "parquet";
  return known ? version : -1;
}

// The newest commit that was there at the cutoff.
int64_t CommitAt(const LogListing& listing, int64_t cutoff_millis) {
  int64_t newest = -1;
  for (const auto& [version, time] : FileTimes(listing, listing.newest())) {
    if (time > cutoff_millis) break;
    newest = version;
  }
  return newest;
}

// The checkpoint that is to stand for what goes must be one that can be read.
Status CheckStandIn(store::ObjectStore& store, std::string_view table_root, const LogListing& listing,
                    const std::vector<std::string>& gone) {
  const std::set<std::string> keys(gone.begin(), gone.end());
  for (const auto& [version, checkpoint] : listing.checkpoints) {
    if (keys.contains(checkpoint.files.front().key)) continue;
    Replay replay;
    return ReadCheckpoint(store, table_root, checkpoint, &replay);
  }
  return Ok();
}

Result<std::set<std::string>> SidecarsInUse(store::ObjectStore& store, std::string_view table_root, const LogListing& listing,
                                            const std::set<std::string>& gone) {
  std::set<std::string> names;
  for (const auto& [version, checkpoint] : listing.checkpoints) {
    if (std::any_of(checkpoint.files.begin(), checkpoint.files.end(), [&](const auto& file) { return gone.contains(file.key); })) continue;
    SLUICE_TRY(auto sidecars, SidecarsOf(store, table_root, checkpoint));
    names.insert(sidecars.begin(), sidecars.end());
  }
  return names;
}

}  // namespace

std::vector<std::string> ExpiredLogFiles(const std::vector<store::ObjectMeta>& objects, std::string_view table_root, int64_t cutoff_millis,
                                         int64_t floor) {
  const LogListing listing = ReadListing(objects, table_root);
  auto after = listing.checkpoints.upper_bound(std::min(CommitAt(listing, cutoff_millis), floor));
  if (after == listing.checkpoints.begin()) return {};
  const int64_t kept = std::prev(after)->first;
  std::vector<std::pair<int64_t, std::string>> expired;
  const std::string prefix = LogKey(table_root, "");
  for (const auto& object : objects) {
    if (!object.key.starts_with(prefix)) continue;
    const std::string_view name = std::string_view(object.key).substr(prefix.size());
    const int64_t version = VersionOf(name);
    // A compaction that begins at the checkpoint holds only what the checkpoint has, or what the commits after it have.
    const bool compaction = name.ends_with(".compacted.json");
    if (version >= 0 && (version < kept || (compaction && version == kept))) expired.emplace_back(version, object.key);
  }
  std::sort(expired.begin(), expired.end());
  std::vector<std::string> keys;
  for (auto& [version, key] : expired) keys.push_back(std::move(key));
  return keys;
}

Result<int64_t> CleanLog(store::ObjectStore& store, std::string_view table_root, const Metadata& metadata, int64_t floor, Clock& clock) {
  return CleanLog(store, table_root, metadata, [floor]() -> Result<int64_t> { return floor; }, clock);
}

Result<int64_t> CleanLog(store::ObjectStore& store, std::string_view table_root, const Metadata& metadata,
                         const std::function<Result<int64_t>()>& floor, Clock& clock) {
  const auto enabled = metadata.configuration.find("delta.enableExpiredLogCleanup");
  if (enabled != metadata.configuration.end() && EqualsIgnoreCase(enabled->second, "false")) return int64_t{0};
  const auto retention = DurationOf(metadata, "delta.logRetentionDuration", kDefaultRetention);
  if (!retention) return int64_t{0};
  const int64_t today = Midnight(clock.Now().millis());
  SLUICE_TRY(const auto objects, store.List(LogKey(table_root, "")));
  const auto expired_before = [&](int64_t version) { return ExpiredLogFiles(objects, table_root, today - *retention, version); };
  if (expired_before(INT64_MAX).empty()) return int64_t{0};
  SLUICE_TRY(const int64_t needed, floor());
  const auto keys = expired_before(needed);
  if (keys.empty()) return int64_t{0};
  SLUICE_CHECK(CheckStandIn(store, table_root, ReadListing(objects, table_root), keys));
  for (const std::string& key : keys) SLUICE_CHECK(store.Delete(key));
  auto deleted = static_cast<int64_t>(keys.size());

  const std::string sidecars = LogKey(table_root, "_sidecars/");
  const bool has_sidecars =
      std::any_of(objects.begin(), objects.end(), [&](const auto& object) { return object.key.starts_with(sidecars); });
  if (!has_sidecars) return deleted;
  SLUICE_TRY(const auto used, SidecarsInUse(store, table_root, ReadListing(objects, table_root), {keys.begin(), keys.end()}));
  for (const auto& object : objects) {
    // Those of the last day may be of a checkpoint that is being written.
    if (!object.key.starts_with(sidecars) || object.modified.millis() >= today - kDayMillis || used.contains(object.key)) continue;
    SLUICE_CHECK(store.Delete(object.key));
    ++deleted;
  }
  return deleted;
}

}  // namespace sluice::delta
