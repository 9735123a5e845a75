#include "state/finish.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "delta/clean_log.h"
#include "delta/duration.h"
#include "delta/path.h"
#include "state/copies.h"
#include "state/ledger_index.h"
#include "state/restore.h"
#include "state/rollback.h"

namespace sluice::state {
namespace {

constexpr int kMostSteps = 2000;             // of one Finish: each lost race, and each re-preparation, is one
constexpr int64_t kCheckpointInterval = 10;  // as other writers do by default

std::string JsonString(const std::string& plain) { return nlohmann::json(plain).dump(); }

// `first` and, transitively, the changes computed from it.
std::vector<size_t> WithDependents(const std::vector<TableChange>& changes, size_t first) {
  std::vector<size_t> redo{first};
  for (size_t i = first + 1; i < changes.size(); ++i) {
    const auto& on = changes[i].depends_on;
    if (std::any_of(on.begin(), on.end(), [&](size_t j) { return std::find(redo.begin(), redo.end(), j) != redo.end(); }))
      redo.push_back(i);
  }
  return redo;
}

bool HasDependents(const std::vector<TableChange>& changes, size_t at) { return WithDependents(changes, at).size() > 1; }

int64_t CheckpointInterval(const delta::Metadata& metadata) {
  const auto found = metadata.configuration.find("delta.checkpointInterval");
  int64_t interval = 0;
  if (found != metadata.configuration.end()) std::from_chars(found->second.data(), found->second.data() + found->second.size(), interval);
  return interval > 0 ? interval : kCheckpointInterval;
}

// The files that a change names and that were staged some time ago, perhaps by another run.
class StagedFiles {
 public:
  StagedFiles(store::ObjectStore& lake, const std::string& node, int64_t n, const TableChange& change, Copies& copies, Instant old_at)
      : lake_(lake), node_(node), n_(n), table_(change.table), root_(change.root), copies_(copies), old_at_(old_at) {}

  // Puts a copy in the place of what is too old. Error "staged-file-missing".
  Result<bool> Renew(delta::Action& action) {
    if (auto* add = std::get_if<delta::Add>(&action); add != nullptr && !delta::IsAbsolutePath(add->path)) {
      SLUICE_TRY(const bool old, AnyOld(copies_.NeedsOf(*add)));
      if (!old) return false;
      SLUICE_TRY(*add, copies_.Lasting(*add));
      return true;
    }
    if (auto* cdc = std::get_if<delta::CdcFile>(&action); cdc != nullptr && !delta::IsAbsolutePath(cdc->path)) {
      SLUICE_TRY(const bool old, AnyOld({delta::StoreKey(root_, cdc->path)}));
      if (!old) return false;
      SLUICE_TRY(*cdc, copies_.Copy(*cdc));
      return true;
    }
    return false;
  }

 private:
  Result<bool> AnyOld(const std::vector<std::string>& keys) {
    bool old = false;
    for (const std::string& key : keys) {
      const auto meta = lake_.Head(key);
      if (!meta && meta.error().kind != ErrorKind::kNotFound) return Fail(meta.error());
      if (!meta)
        return Fail(ConflictError("staged-file-missing", fmt::format("batch {} of {} was decided, but its file {} of {} is gone", n_, node_,
                                                                     key.substr(root_.size() + 1), table_))
                        .Hint("a VACUUM by another program took it; rebuild the node with --full-refresh"));
      old = old || meta->modified < old_at_;
    }
    return old;
  }

  store::ObjectStore& lake_;
  const std::string& node_;
  const int64_t n_;
  const std::string table_, root_;
  Copies& copies_;
  const Instant old_at_;
};

}  // namespace

Result<TableLook> LookAt(store::ObjectStore& lake, const TableChange& change) {
  TableLook look;
  SLUICE_TRY(look.snapshot, delta::LoadSnapshotIfExists(lake, change.root));
  if (look.snapshot && look.snapshot->version > change.commit.read_version) {
    SLUICE_TRY(look.since, delta::ReadCommits(lake, change.root, change.commit.read_version, look.snapshot->version));
  }
  return look;
}

Finisher::Finisher(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity, int64_t n,
                   const Reprepare& reprepare, const LogFloor& floor)
    : lake_(lake), clock_(clock), random_(random), identity_(identity), n_(n), reprepare_(reprepare), floor_(floor) {}

Result<DoneRecord> Finisher::Run() {
  for (int step = 0; step < kMostSteps; ++step) {
    SLUICE_TRY(const bool done, ReadRecords());
    if (done) return ReadDone(lake_, identity_.node, n_);
    if (committed_.size() == ready_->changes.size()) return WriteDone();
    if (auto status = Advance(); !status) {
      // What stops this run may be what came after another run had finished the batch.
      const auto now = ListBatch(lake_, identity_.node, n_);
      if (now && now->done) return ReadDone(lake_, identity_.node, n_);
      return Fail(std::move(status).error());
    }
  }
  return Fail(RetryableError("commit-contention",
                             fmt::format("other writers were always first at the tables of {} (batch {})", identity_.node, n_)));
}

Result<bool> Finisher::ReadRecords() {
  SLUICE_TRY(const BatchRecords records, ListBatch(lake_, identity_.node, n_));
  if (records.done) return true;
  if (records.highest_k == 0) return Fail(BugError(fmt::format("batch {} of {} is not decided", n_, identity_.node)));
  if (ready_ && ready_->k == records.highest_k) return false;
  SLUICE_TRY(ready_, ReadReady(lake_, identity_.node, n_, records.highest_k));
  committed_.clear();
  return false;
}

Status Finisher::Advance() {
  const TableChange& change = ready_->changes[committed_.size()];
  SLUICE_TRY(const TableLook look, LookAt(lake_, change));
  const Verdict verdict = Judge(change, identity_.app_id(), n_, look);
  if (std::holds_alternative<AlreadyCommitted>(verdict)) return Arrived(*look.snapshot);
  if (const auto* at = std::get_if<PutAt>(&verdict)) {
    // Another change was computed from this one's rows on the version before: it would not know what a foreign commit put between. And
    // which version a restore made must be known from its decision.
    if (at->version != change.commit.read_version + 1 &&
        (ready_->kind == kRestoreKind || HasDependents(ready_->changes, committed_.size())))
      return PrepareAgain(fmt::format("{} has a foreign commit, and the batch was prepared on the version before it", change.table));
    if (IsRecovery() && !renewed_) {
      SLUICE_TRY(renewed_, RenewOldFiles());
      if (renewed_) return Ok();
    }
    return Put(change, look.snapshot ? &*look.snapshot : nullptr, at->version);
  }
  if (const auto* voided = std::get_if<Voided>(&verdict)) return PrepareAgain(voided->why);
  return Fail(std::get<Stopped>(verdict).error);
}

Status Finisher::Arrived(const delta::Snapshot& table) {
  const TableChange& change = ready_->changes[committed_.size()];
  committed_.push_back({change.table, change.root, table.metadata.id, table.version, n_});
  if (wrote_root_ == change.root && table.version > 0 && table.version % CheckpointInterval(table.metadata) == 0)
    KeepUp(change.root, table);
  return Ok();
}

// Only for speed and space: where it fails, the next tenth version tries again.
void Finisher::KeepUp(const std::string& root, const delta::Snapshot& table) {
  if (!delta::WriteCheckpoint(lake_, root, table, clock_) || !floor_) return;
  (void)delta::CleanLog(lake_, root, table.metadata, [&] { return floor_(root); }, clock_);
}

Status Finisher::Put(const TableChange& change, const delta::Snapshot* table, int64_t version) {
  if (table != nullptr) {
    SLUICE_CHECK(delta::CheckWritable(table->protocol, table->metadata));
    SLUICE_CHECK(delta::CheckAppendOnly(table->protocol, table->metadata, change.commit.actions));
  }
  delta::CommitStamp stamp{.commit_id = NewUuid(clock_, random_),
                           .txn = delta::Txn{identity_.app_id(), n_, clock_.Now().millis()},
                           .now = clock_.Now(),
                           .engine_info = identity_.engine_info,
                           .extra = {{"sluiceNode", JsonString(identity_.node)},
                                     {"sluiceBatch", std::to_string(n_)},
                                     {"sluiceRunId", JsonString(ready_->run_id)}},
                           .in_commit_timestamp = delta::NextInCommitTimestamp(table, change.commit, clock_.Now())};
  // Committed or not: only a fresh look tells (the slot may have been cleaned away beneath a newer checkpoint).
  SLUICE_CHECK(delta::PutCommit(lake_, change.root, version, change.commit, stamp, clock_));
  wrote_root_ = change.root;
  return Ok();
}

Result<bool> Finisher::RenewOldFiles() {
  ReadyRecord next = *ready_;
  bool renewed = false;
  for (size_t i = committed_.size(); i < next.changes.size(); ++i) {
    TableChange& change = next.changes[i];
    SLUICE_TRY(const auto table, delta::LoadSnapshotIfExists(lake_, change.root));
    const std::string prefix = fmt::format("{}.{}", StagedFilePrefix(identity_.node, n_, next.attempt), next.k + 1);
    Copies copies(lake_, change.root, prefix, table ? &*table : nullptr, clock_, random_);
    StagedFiles staged(lake_, identity_.node, n_, change, copies, OldAt(table ? &*table : nullptr));
    for (delta::Action& action : change.commit.actions) {
      SLUICE_TRY(const bool old, staged.Renew(action));
      renewed = renewed || old;
    }
  }
  if (renewed) SLUICE_CHECK(PutReady(std::move(next)));
  return renewed;
}

// Staged before this, a file has seen half of what other programs' VACUUMs leave to files that no log names.
Instant Finisher::OldAt(const delta::Snapshot* table) const {
  constexpr int64_t kWeekMillis = 7 * delta::kDayMillis;
  const auto retention = table ? delta::DurationOf(table->metadata, "delta.deletedFileRetentionDuration", kWeekMillis) : kWeekMillis;
  return Instant{clock_.Now().micros - retention.value_or(kWeekMillis) / 2 * 1000};
}

Status Finisher::PrepareAgain(const std::string& why) {
  const size_t first = committed_.size();
  const std::vector<size_t> redo = WithDependents(ready_->changes, first);
  ReadyRecord next = *ready_;
  if (ready_->abandoned) {
    SLUICE_TRY(next, Abandoned(ready_->abandoned_because));
  } else {
    SLUICE_TRY(Repreparation again, Redo(redo));
    if (again.abandon) {
      SLUICE_TRY(next, Abandoned(fmt::format("{}, and then: {}", why, *again.abandon)));
    } else {
      if (again.changes.size() != redo.size()) return Fail(BugError("a re-preparation gave other changes than it was asked for"));
      for (size_t i = 0; i < redo.size(); ++i) {
        again.changes[i].depends_on = ready_->changes[redo[i]].depends_on;
        next.changes[redo[i]] = std::move(again.changes[i]);
      }
    }
  }
  return PutReady(std::move(next));
}

// As the next preparation; whoever was first with it: the highest is read again.
Status Finisher::PutReady(ReadyRecord next) {
  next.k = ready_->k + 1;
  next.run_id = identity_.run_id;
  SLUICE_TRY(const std::string bytes, Render(next));
  SLUICE_CHECK(PutOnce(lake_, clock_, ReadyKey(identity_.node, n_, next.k), bytes));
  return Ok();
}

Result<Repreparation> Finisher::Redo(const std::vector<size_t>& redo) {
  if (ready_->kind == kRollbackKind) return PrepareRollbackAgain(lake_, identity_, *ready_, redo);
  if (ready_->kind == kRestoreKind) return PrepareRestoreAgain(lake_, clock_, random_, identity_, *ready_, redo);
  return reprepare_(*ready_, redo);
}

// Txn-only commits for the tables that are left; a table that was not made yet needs none.
Result<ReadyRecord> Finisher::Abandoned(const std::string& why) const {
  ReadyRecord next = *ready_;
  next.abandoned = true;
  next.abandoned_because = why;
  next.changes.resize(committed_.size());
  for (size_t i = committed_.size(); i < ready_->changes.size(); ++i) {
    const TableChange& old = ready_->changes[i];
    SLUICE_TRY(const auto table, delta::LoadSnapshotIfExists(lake_, old.root));
    if (!table || old.commit.read_version < 0) continue;
    delta::PreparedCommit nothing{.table_id = old.commit.table_id, .read_version = table->version, .operation = "WRITE"};
    next.changes.push_back(MakeChange(identity_, old.table, old.root, std::move(nothing), &*table));
  }
  return next;
}

Result<DoneRecord> Finisher::WriteDone() {
  std::vector<TableVersion> before;
  if (n_ > 1) {
    SLUICE_TRY(DoneRecord last, ReadDone(lake_, identity_.node, n_ - 1));
    before = std::move(last.tables);
  }
  SLUICE_TRY(DoneRecord done, DoneFrom(before));
  SLUICE_TRY(const std::string bytes, Render(done));
  const std::string key = DoneKey(identity_.node, n_);
  SLUICE_TRY(const std::string standing, PutOnce(lake_, clock_, key, bytes));
  if (standing != bytes) {
    SLUICE_TRY(done, ParseDone(standing, key));
  }
  if (done.k == ready_->k) {
    WriteHead(lake_, identity_.node, MakeHead(done, *ready_));
    IndexFiles(lake_, identity_.node, *ready_);
  }
  return done;
}

Result<DoneRecord> Finisher::DoneFrom(const std::vector<TableVersion>& before) const {
  DoneRecord done{.n = n_, .k = ready_->k, .abandoned = ready_->abandoned, .tables = committed_};
  for (const TableVersion& table : before) {
    const bool changed = std::any_of(committed_.begin(), committed_.end(), [&](const TableVersion& now) { return now.root == table.root; });
    if (!changed) done.tables.push_back(table);
  }
  return done;
}

}  // namespace sluice::state
