#include "state/finish.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "state/ledger_index.h"
#include "state/rollback.h"

namespace sluice::state {
namespace {

constexpr int kMostSteps = 2000;  // of one Finish: each lost race, and each re-preparation, is one
constexpr int kMostLooks = 5;
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

int64_t CheckpointInterval(const delta::Metadata& metadata) {
  const auto found = metadata.configuration.find("delta.checkpointInterval");
  int64_t interval = 0;
  if (found != metadata.configuration.end()) std::from_chars(found->second.data(), found->second.data() + found->second.size(), interval);
  return interval > 0 ? interval : kCheckpointInterval;
}

}  // namespace

namespace {

Result<TableLook> LookOnce(store::ObjectStore& lake, const TableChange& change) {
  TableLook look;
  SLUICE_TRY(look.snapshot, delta::LoadSnapshotIfExists(lake, change.root));
  if (look.snapshot && look.snapshot->version > change.commit.read_version) {
    SLUICE_TRY(look.since, delta::ReadCommits(lake, change.root, change.commit.read_version, look.snapshot->version));
  }
  return look;
}

}  // namespace

Result<TableLook> LookAt(store::ObjectStore& lake, const TableChange& change) {
  for (int tries = 1;; ++tries) {
    auto look = LookOnce(lake, change);
    // A log file that was listed and is gone: someone cleans the log just now.
    const bool cleaned = !look && look.error().kind == ErrorKind::kNotFound;
    if (!cleaned || tries == kMostLooks) return look;
  }
}

Finisher::Finisher(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity, int64_t n,
                   const Reprepare& reprepare)
    : lake_(lake), clock_(clock), random_(random), identity_(identity), n_(n), reprepare_(reprepare) {}

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
  if (const auto* at = std::get_if<PutAt>(&verdict)) return Put(change, look.snapshot ? &*look.snapshot : nullptr, at->version);
  if (const auto* voided = std::get_if<Voided>(&verdict)) return PrepareAgain(voided->why);
  return Fail(std::get<Stopped>(verdict).error);
}

Status Finisher::Arrived(const delta::Snapshot& table) {
  const TableChange& change = ready_->changes[committed_.size()];
  committed_.push_back({change.table, change.root, table.metadata.id, table.version, n_});
  if (wrote_root_ == change.root && table.version > 0 && table.version % CheckpointInterval(table.metadata) == 0)
    (void)delta::WriteCheckpoint(lake_, change.root, table, clock_);  // only for speed: the next tenth version tries again
  return Ok();
}

Status Finisher::Put(const TableChange& change, const delta::Snapshot* table, int64_t version) {
  if (table != nullptr) SLUICE_CHECK(delta::CheckWritable(table->protocol, table->metadata));
  if (ready_->k > 1 || ready_->run_id != identity_.run_id) SLUICE_CHECK(CheckStagedFiles(change));
  delta::CommitStamp stamp{.commit_id = NewUuid(clock_, random_),
                           .txn = delta::Txn{identity_.app_id(), n_, clock_.Now().millis()},
                           .now = clock_.Now(),
                           .engine_info = identity_.engine_info,
                           .extra = {{"sluiceNode", JsonString(identity_.node)},
                                     {"sluiceBatch", std::to_string(n_)},
                                     {"sluiceRunId", JsonString(ready_->run_id)}},
                           .in_commit_timestamp = table ? delta::NextInCommitTimestamp(*table, clock_.Now()) : std::nullopt};
  // Committed or not: only a fresh look tells (the slot may have been cleaned away beneath a newer checkpoint).
  SLUICE_CHECK(delta::PutCommit(lake_, change.root, version, change.commit, stamp, clock_));
  wrote_root_ = change.root;
  return Ok();
}

// These files were staged some time ago, perhaps by another run; a VACUUM that knows no records, or a drop, may have taken them.
Status Finisher::CheckStagedFiles(const TableChange& change) const {
  for (const delta::Action& action : change.commit.actions) {
    const auto* add = std::get_if<delta::Add>(&action);
    if (add == nullptr || add->path.find("://") != std::string::npos || add->path.starts_with('/')) continue;
    const auto meta = lake_.Head(change.root + "/" + PercentDecode(add->path));
    if (meta) continue;
    if (meta.error().kind != ErrorKind::kNotFound) return Fail(meta.error());
    return Fail(ConflictError("staged-file-missing", fmt::format("batch {} of {} was decided, but its file {} of {} is gone", n_,
                                                                 identity_.node, add->path, change.table))
                    .Hint("a VACUUM by another program took it; rebuild the node with --full-refresh"));
  }
  return Ok();
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
  next.k = ready_->k + 1;
  next.run_id = identity_.run_id;
  SLUICE_TRY(const std::string bytes, Render(next));
  // Whoever was first: the highest is read again.
  SLUICE_CHECK(PutOnce(lake_, clock_, ReadyKey(identity_.node, n_, next.k), bytes));
  return Ok();
}

Result<Repreparation> Finisher::Redo(const std::vector<size_t>& redo) {
  if (ready_->kind == kRollbackKind) return PrepareRollbackAgain(lake_, identity_, *ready_, redo);
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
