#include "state/rollback.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "state/copies.h"
#include "state/record_store.h"

namespace sluice::state {
namespace {

Error Impossible(const TableChange& change, int64_t n, std::string_view why) {
  return ConflictError("rollback-impossible",
                       fmt::format("batch {} was abandoned, but its change of {} cannot be taken back: {}", n, change.table, why))
      .Hint("rebuild the node with --full-refresh");
}

// What takes back `change`, which batch n committed: its files go, those it removed come again as copies (their old names may be
// promised to a VACUUM). Columns that it added stay.
class Undo {
 public:
  Undo(store::ObjectStore& lake, const TableChange& change, int64_t abandoned, std::string file_prefix)
      : lake_(lake),
        change_(change),
        abandoned_(abandoned),
        copies_(lake, change.root, std::move(file_prefix), nullptr, SystemClock(), SystemRandom()) {}

  Result<delta::PreparedCommit> On(const delta::Snapshot& table) {
    delta::PreparedCommit commit{
        .table_id = table.metadata.id, .read_version = table.version, .reads = delta::ReadScope::kNothing, .operation = "RESTORE"};
    for (const delta::Action& action : change_.commit.actions) {
      if (const auto* add = std::get_if<delta::Add>(&action)) {
        SLUICE_TRY(delta::Remove gone, Remove(*add, table));
        commit.actions.emplace_back(std::move(gone));
      } else if (const auto* removed = std::get_if<delta::Remove>(&action)) {
        SLUICE_TRY(delta::Add again, Copy(removed->path));
        commit.actions.emplace_back(std::move(again));
      }
    }
    return commit;
  }

 private:
  Result<delta::Remove> Remove(const delta::Add& add, const delta::Snapshot& table) const {
    const bool live = std::any_of(table.files.begin(), table.files.end(), [&](const delta::Add& file) {
      return file.path == add.path && file.deletion_vector == add.deletion_vector;
    });
    if (!live) return Fail(Impossible(change_, abandoned_, "another writer has rewritten " + add.path));
    return delta::Remove{.path = add.path,
                         .deletion_timestamp = table.timestamp,
                         .data_change = true,
                         .extended_file_metadata = true,
                         .partition_values = add.partition_values,
                         .size = add.size,
                         .deletion_vector = add.deletion_vector};
  }

  Result<delta::Add> Copy(const std::string& path) {
    if (!before_) {
      SLUICE_TRY(before_, delta::LoadSnapshot(lake_, change_.root, change_.commit.read_version));
    }
    const auto old = std::find_if(before_->files.begin(), before_->files.end(), [&](const delta::Add& file) { return file.path == path; });
    if (old == before_->files.end()) return Fail(Impossible(change_, abandoned_, "the file " + path + " cannot be copied"));
    SLUICE_TRY(delta::Add again, copies_.Lasting(*old));
    again.data_change = true;
    return again;
  }

  store::ObjectStore& lake_;
  const TableChange& change_;
  int64_t abandoned_;
  Copies copies_;
  std::optional<delta::Snapshot> before_;
};

bool ChangesData(const TableChange& change) {
  return std::any_of(change.commit.actions.begin(), change.commit.actions.end(), [](const delta::Action& action) {
    return std::holds_alternative<delta::Add>(action) || std::holds_alternative<delta::Remove>(action);
  });
}

Result<TableChange> UndoChange(store::ObjectStore& lake, const NodeIdentity& identity, const TableChange& change, int64_t abandoned,
                               const std::string& file_prefix) {
  SLUICE_TRY(const auto table, delta::LoadSnapshotIfExists(lake, change.root));
  if (!table || table->metadata.id != change.commit.table_id) return Fail(Impossible(change, abandoned, "the table was dropped"));
  SLUICE_TRY(delta::PreparedCommit commit, Undo(lake, change, abandoned, file_prefix).On(*table));
  return MakeChange(identity, change.table, change.root, std::move(commit), &*table);
}

Result<ReadyRecord> DecisionOf(store::ObjectStore& lake, const std::string& node, int64_t n) {
  SLUICE_TRY(const DoneRecord done, ReadDone(lake, node, n));
  return ReadReady(lake, node, n, done.k);
}

}  // namespace

Status RollBack(store::ObjectStore& lake, BatchLog& log, const NodeState& state) {
  const NodeIdentity& identity = log.identity();
  SLUICE_TRY(const ReadyRecord abandoned, DecisionOf(lake, identity.node, state.last_done));
  SLUICE_TRY(const OpenRecord open,
             log.Open(state, {.kind = kRollbackKind, .inputs = fmt::format("{{\"rolls_back\":{}}}", state.last_done)}));
  ReadyRecord ready{.n = open.n, .attempt = open.attempt, .kind = kRollbackKind, .inputs = open.inputs};
  if (state.last_done > 1) {
    SLUICE_TRY(const ReadyRecord before, DecisionOf(lake, identity.node, state.last_done - 1));
    ready.cursor = before.cursor;
    ready.fingerprint = before.fingerprint;
  }
  const std::string prefix = StagedFilePrefix(identity.node, open.n, open.attempt);
  for (const TableChange& change : abandoned.changes) {
    if (!ChangesData(change)) continue;
    SLUICE_TRY(TableChange undo, UndoChange(lake, identity, change, abandoned.n, prefix));
    ready.changes.push_back(std::move(undo));
  }
  SLUICE_CHECK(log.Decide(state, std::move(ready)));
  const Reprepare none = [](const ReadyRecord&, const std::vector<size_t>&) -> Result<Repreparation> {
    return Fail(BugError("a rollback prepares itself again"));
  };
  SLUICE_CHECK(log.Finish(open.n, none));
  return Ok();
}

Result<Repreparation> PrepareRollbackAgain(store::ObjectStore& lake, const NodeIdentity& identity, const ReadyRecord& rollback,
                                           const std::vector<size_t>& redo) {
  SLUICE_TRY(const ReadyRecord abandoned, DecisionOf(lake, identity.node, rollback.n - 1));
  const std::string prefix = fmt::format("{}.{}", StagedFilePrefix(identity.node, rollback.n, rollback.attempt), rollback.k + 1);
  Repreparation again;
  for (const size_t i : redo) {
    const std::string& root = rollback.changes[i].root;
    const auto change =
        std::find_if(abandoned.changes.begin(), abandoned.changes.end(), [&](const TableChange& one) { return one.root == root; });
    if (change == abandoned.changes.end()) return Fail(BugError("a rollback changes a table that its batch did not"));
    SLUICE_TRY(TableChange undo, UndoChange(lake, identity, *change, abandoned.n, prefix));
    again.changes.push_back(std::move(undo));
  }
  return again;
}

}  // namespace sluice::state
