#include "tables/vacuum.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/text.h"
#include "delta/deletion_vector.h"
#include "delta/duration.h"
#include "delta/log_files.h"
#include "delta/path.h"
#include "tables/tombstones.h"

namespace sluice::tables {
namespace {

constexpr int64_t kWeekMillis = 7 * delta::kDayMillis;
constexpr std::string_view kChangeData = "_change_data/";

class Vacuuming {
 public:
  Vacuuming(store::ObjectStore& store, std::string_view root, const VacuumSpec& spec)
      : store_(store), root_(root), spec_(spec), clock_(spec.clock ? *spec.clock : SystemClock()) {}

  Result<std::vector<VacuumedFile>> Run() {
    SLUICE_TRY(const delta::Snapshot newest, delta::LoadSnapshot(store_, root_));
    SLUICE_CHECK(delta::CheckWritable(newest.protocol, newest.metadata));
    SLUICE_CHECK(FindCutoff(newest));
    SLUICE_CHECK(KeepNeeded(newest));
    SLUICE_TRY(auto gone, FindGarbage());
    SLUICE_CHECK(SpareDeletedKeys(newest, &gone));
    if (!spec_.dry_run)
      for (const VacuumedFile& file : gone) SLUICE_CHECK(store_.Delete(Key(file.path)));
    return gone;
  }

 private:
  std::string Key(const std::string& path) const { return std::string(root_) + "/" + path; }

  Status FindCutoff(const delta::Snapshot& newest) {
    auto retention = spec_.retention_millis;
    if (!retention) retention = delta::DurationOf(newest.metadata, "delta.deletedFileRetentionDuration", kWeekMillis);
    if (!retention)
      return Fail(UserError("bad-property", "the table's delta.deletedFileRetentionDuration cannot be read").Hint("give a retention"));
    if (*retention < kWeekMillis && spec_.retention_millis && !spec_.allow_short)
      return Fail(UserError("short-retention", "a retention of less than 7 days may remove files that readers, or writers at work, need")
                      .Hint("if nobody reads or writes the table, say so: --force"));
    cutoff_ = clock_.Now().millis() - *retention;
    return Ok();
  }

  template <typename File>
  void Keep(const File& file) {
    if (!delta::IsAbsolutePath(file.path)) {
      kept_.insert(delta::PathKey(file.path));
    } else if (const std::string key = delta::PathKey(file.path), prefix = store_.Uri(std::string(root_)) + "/"; key.starts_with(prefix)) {
      kept_.insert(key.substr(prefix.size()));
    }
    if (!file.deletion_vector) return;
    if (auto vector = delta::DeletionVectorFile(store_, root_, *file.deletion_vector)) kept_.insert(std::move(*vector));
  }

  void KeepFiles(const delta::Snapshot& snapshot) {
    for (const delta::Add& add : snapshot.files) Keep(add);
  }

  Status KeepNeeded(const delta::Snapshot& newest) {
    KeepFiles(newest);
    for (const delta::Remove& remove : newest.tombstones)
      if (remove.deletion_timestamp.value_or(0) >= cutoff_) Keep(remove);
    for (const int64_t version : spec_.kept_versions) {
      const auto snapshot = delta::LoadSnapshot(store_, root_, version);
      if (snapshot) KeepFiles(*snapshot);
      if (!snapshot && snapshot.error().kind != ErrorKind::kNotFound) return Fail(snapshot.error());
    }
    if (!spec_.changes_unread_from) return Ok();
    SLUICE_TRY(const delta::LogRange range, delta::ReadCommits(store_, root_, *spec_.changes_unread_from - 1));
    for (const delta::LogCommit& commit : range.commits)
      for (const delta::Action& action : commit.actions) {
        if (const auto* cdc = std::get_if<delta::CdcFile>(&action)) kept_.insert(delta::PathKey(cdc->path));
        if (const auto* add = std::get_if<delta::Add>(&action)) Keep(*add);
        if (const auto* remove = std::get_if<delta::Remove>(&action)) Keep(*remove);
      }
    return Ok();
  }

  // A file or folder whose name begins with '_' or '.' belongs to someone else, but for partition folders, change data and deleted keys.
  static bool IsHidden(std::string_view path) {
    if (path.starts_with(kChangeData) || path.starts_with(kTombstoneFolder)) return false;
    while (!path.empty()) {
      const size_t slash = path.find('/');
      const std::string_view part = path.substr(0, slash);
      const bool partition = slash != std::string_view::npos && part.find('=') != std::string_view::npos;
      if (!partition && (part.starts_with('_') || part.starts_with('.'))) return true;
      if (slash == std::string_view::npos) break;
      path.remove_prefix(slash + 1);
    }
    return false;
  }

  // "silver.orders-12.1-…" → is batch 12 of silver.orders done?
  bool IsOfLaterBatch(std::string_view name) const {
    const size_t dash = name.find('-');
    if (dash == std::string_view::npos) return false;
    int64_t n = 0;
    const char* const end = name.data() + name.size();
    const auto [after, error] = std::from_chars(name.data() + dash + 1, end, n);
    if (error != std::errc() || after == end || *after != '.' || n < 1) return false;
    const auto done = spec_.done_batches->find(std::string(name.substr(0, dash)));
    return done == spec_.done_batches->end() || n > done->second;
  }

  bool IsOfOpenBatch(std::string_view path) const {
    if (spec_.done_batches)
      for (const std::string& part : Split(path, '/'))
        if (IsOfLaterBatch(part)) return true;
    return std::any_of(spec_.open_batches.begin(), spec_.open_batches.end(), [&](const std::string& prefix) {
      return path.starts_with(prefix) || path.find("/" + prefix) != std::string_view::npos;
    });
  }

  Result<std::vector<VacuumedFile>> FindGarbage() {
    const std::string prefix = std::string(root_) + "/";
    SLUICE_TRY(const auto objects, store_.List(prefix));
    std::vector<VacuumedFile> gone;
    for (const store::ObjectMeta& object : objects) {
      const std::string path = object.key.substr(prefix.size());
      if (object.modified.millis() >= cutoff_ || IsHidden(path) || kept_.contains(path) || IsOfOpenBatch(path)) continue;
      gone.push_back({path, object.size});
    }
    return gone;
  }

  // The files of deleted keys are named by a metadata domain, of which no tombstone tells when it was another: what any version within
  // the retention names stays.
  Status SpareDeletedKeys(const delta::Snapshot& newest, std::vector<VacuumedFile>* gone) {
    const auto is_of_keys = [](const VacuumedFile& file) { return file.path.starts_with(kTombstoneFolder); };
    if (std::none_of(gone->begin(), gone->end(), is_of_keys)) return Ok();
    std::set<std::string> named;
    SLUICE_CHECK(NameDeletedKeys(newest, &named));
    for (const int64_t version : spec_.kept_versions) {
      const auto snapshot = delta::LoadSnapshot(store_, root_, version);
      if (snapshot) SLUICE_CHECK(NameDeletedKeys(*snapshot, &named));
      if (!snapshot && snapshot.error().kind != ErrorKind::kNotFound) return Fail(snapshot.error());
    }
    SLUICE_TRY(const int64_t oldest, OldestWithinRetention());
    if (oldest < newest.version) {
      SLUICE_TRY(const delta::Snapshot then, delta::LoadSnapshot(store_, root_, oldest));
      SLUICE_CHECK(NameDeletedKeys(then, &named));
      SLUICE_TRY(const delta::LogRange range, delta::ReadCommits(store_, root_, oldest, newest.version));
      for (const delta::LogCommit& commit : range.commits)
        for (const delta::Action& action : commit.actions)
          if (const auto* domain = std::get_if<delta::DomainMetadata>(&action)) SLUICE_CHECK(NameDeletedKeys(*domain, &named));
    }
    std::erase_if(*gone, [&](const VacuumedFile& file) { return named.contains(file.path); });
    return Ok();
  }
  static Status NameDeletedKeys(const delta::DomainMetadata& domain, std::set<std::string>* named) {
    if (domain.domain != kTombstoneDomain) return Ok();
    SLUICE_TRY(const auto paths, TombstoneFiles(domain));
    for (const std::string& path : paths) named->insert(delta::PathKey(path));
    return Ok();
  }
  static Status NameDeletedKeys(const delta::Snapshot& snapshot, std::set<std::string>* named) {
    const auto domain = snapshot.domains.find(kTombstoneDomain);
    return domain == snapshot.domains.end() ? Ok() : NameDeletedKeys(domain->second, named);
  }
  // The version that was the newest at the cutoff; where the log begins later, its first.
  Result<int64_t> OldestWithinRetention() {
    auto version = delta::VersionAt(store_, root_, Instant{cutoff_ * 1000});
    if (version || version.error().code != "no-such-version") return version;
    SLUICE_TRY(const auto listing, delta::ListLog(store_, root_, 0));
    const int64_t first = listing.commits.empty() ? listing.newest() : listing.commits.begin()->first;
    if (first == 0 || listing.checkpoints.empty()) return first;
    return std::max(first, listing.checkpoints.begin()->first);
  }

  store::ObjectStore& store_;
  const std::string_view root_;
  const VacuumSpec& spec_;
  Clock& clock_;
  int64_t cutoff_ = 0;
  std::set<std::string> kept_;  // paths below the root
};

}  // namespace

Result<std::vector<VacuumedFile>> Vacuum(store::ObjectStore& store, std::string_view table_root, const VacuumSpec& spec) {
  return Vacuuming(store, table_root, spec).Run();
}

}  // namespace sluice::tables
