#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "state/batch.h"
#include "state/fence.h"
#include "state/finish.h"
#include "state/record_store.h"
#include "state/rollback.h"

namespace sluice::state {
namespace {

constexpr int kMostAttempts = 10'000;  // of one batch: beyond, something opens attempts in a circle

void Take(NodeState& state, const HeadIndex& head) {
  state.last_done = head.done.n;
  state.abandoned = head.done.abandoned;
  state.tables = head.done.tables;
  state.cursor = head.cursor;
  state.inputs = head.inputs;
  state.counts = head.counts;
  state.fingerprint = head.fingerprint;
  state.run_id = head.run_id;
  state.prepared_for = head.prepared_for;
}

// A decision is never unmade, so a done batch without one was damaged.
Result<ReadyRecord> ReadyOfDone(store::ObjectStore& lake, const std::string& node, const DoneRecord& done) {
  auto ready = ReadReady(lake, node, done.n, done.k);
  if (ready || ready.error().kind != ErrorKind::kNotFound) return ready;
  return Fail(ConflictError("record-missing", fmt::format("batch {} of {} is done, but its decision {} is gone", done.n, node,
                                                          ReadyKey(node, done.n, done.k)))
                  .Hint("records are never deleted by Sluice: restore it from a copy, or rebuild the node with --full-refresh"));
}

Status LoadNext(store::ObjectStore& lake, const std::string& node, const BatchRecords& batch, NodeState& state) {
  state.highest_attempt = batch.highest_attempt;
  if (batch.lowest_attempt > 0) {
    SLUICE_TRY(const OpenRecord first, ReadOpen(lake, node, batch.n, batch.lowest_attempt));
    state.first_clock = first.clock;
  }
  if (batch.highest_k > 0) {
    SLUICE_TRY(state.pending, ReadReady(lake, node, batch.n, batch.highest_k));
  }
  return Ok();
}

Status CheckWellFormed(const ReadyRecord& ready) {
  std::set<std::string> roots;
  for (size_t i = 0; i < ready.changes.size(); ++i) {
    const TableChange& change = ready.changes[i];
    if (!roots.insert(change.root).second) return Fail(BugError("a batch changes " + change.table + " twice"));
    if (change.commit.table_id.empty()) return Fail(BugError("a change of " + change.table + " names no table id"));
    for (const size_t before : change.depends_on) {
      if (before >= i) return Fail(BugError("a change of " + change.table + " depends on a later one"));
    }
    for (const delta::Action& action : change.commit.actions) {
      if (const auto* metadata = std::get_if<delta::Metadata>(&action)) SLUICE_CHECK(CheckKeepsTransactions(change.table, *metadata));
    }
  }
  return Ok();
}

Status CheckSameIds(const NodeState& state, const ReadyRecord& ready) {
  if (ready.kind == kFullRefreshKind) return Ok();
  for (const TableChange& change : ready.changes) {
    for (const TableVersion& last : state.tables) {
      if (last.root != change.root || last.id == change.commit.table_id) continue;
      return Fail(ConflictError("table-replaced", fmt::format("{} is not the table that batch {} wrote", change.table, last.batch))
                      .Hint("if it was dropped and made again on purpose, rebuild the node with --full-refresh"));
    }
  }
  return Ok();
}

Error RecordsLost(const std::string& table, int64_t holds, int64_t n) {
  return ConflictError("records-lost",
                       fmt::format("{} holds batch {}, but the records of its batches end before batch {}", table, holds, n))
      .Hint("put <lake>/_sluice back from a backup, or remove the table's folder and let it be built anew");
}

Status CheckRecordsThere(store::ObjectStore& lake, const NodeIdentity& identity, const NodeState& state,
                         const std::vector<OutputTable>& outputs) {
  for (const OutputTable& output : outputs) {
    const auto holds = output.snapshot ? output.snapshot->TxnVersion(identity.app_id()) : std::nullopt;
    if (!holds || *holds <= state.last_done) continue;
    const auto decided = lake.Head(ReadyKey(identity.node, *holds, 1));  // by another run, since the state was loaded
    if (decided) continue;
    if (decided.error().kind != ErrorKind::kNotFound) return Fail(decided.error());
    return Fail(RecordsLost(output.table, *holds, state.last_done + 1));
  }
  return Ok();
}

// A table that shows this batch, or a later one, though nobody decided it: its records are gone. Going on would take the old commit for
// ours.
Status CheckKnowsBatches(store::ObjectStore& lake, const ReadyRecord& ready, const std::string& ready_key) {
  for (const TableChange& change : ready.changes) {
    if (!change.expected_txn || *change.expected_txn < ready.n) continue;
    const auto decided = lake.Head(ready_key);  // by another run, just now: that one is followed
    if (decided) return Ok();
    if (decided.error().kind != ErrorKind::kNotFound) return Fail(decided.error());
    return Fail(RecordsLost(change.table, *change.expected_txn, ready.n));
  }
  return Ok();
}

}  // namespace

std::string StagedFilePrefix(const std::string& node, int64_t n, int attempt) { return fmt::format("{}-{}.{}", node, n, attempt); }

TableChange MakeChange(const NodeIdentity& identity, std::string table, std::string root, delta::PreparedCommit commit,
                       const delta::Snapshot* base) {
  TableChange change{.table = std::move(table), .root = std::move(root), .commit = std::move(commit)};
  if (base != nullptr) change.expected_txn = base->TxnVersion(identity.app_id());
  return change;
}

Status CheckSameTable(const NodeState& state, const std::string& root, const delta::Snapshot* snapshot) {
  const auto last = std::find_if(state.tables.begin(), state.tables.end(), [&](const TableVersion& table) { return table.root == root; });
  if (snapshot != nullptr) SLUICE_CHECK(CheckKeepsTransactions(root, snapshot->metadata));
  if (last == state.tables.end()) return Ok();
  const std::string hint = "if that was meant, rebuild the node with --full-refresh; a source also needs --reload-sources";
  if (snapshot == nullptr)
    return Fail(ConflictError("table-dropped", fmt::format("{} was dropped since batch {} wrote it", last->table, last->batch)).Hint(hint));
  if (snapshot->metadata.id == last->id) return Ok();
  return Fail(ConflictError("table-replaced", fmt::format("{} was dropped and made again since batch {} wrote it (id {} instead of {})",
                                                          last->table, last->batch, snapshot->metadata.id, last->id))
                  .Hint(hint));
}

BatchLog::BatchLog(store::ObjectStore& lake, Clock& clock, Random& random, NodeIdentity identity, LogFloor floor)
    : lake_(lake), clock_(clock), random_(random), identity_(std::move(identity)), floor_(std::move(floor)) {}

Result<NodeState> BatchLog::Load() {
  const std::string& node = identity_.node;
  std::optional<HeadIndex> head = ReadHead(lake_, node);
  SLUICE_TRY(auto batches, ListBatches(lake_, node, head ? head->done.n : 0));
  const auto is_done = [](const BatchRecords& batch) { return batch.done; };
  auto last = std::find_if(batches.rbegin(), batches.rend(), is_done);
  if (head && last == batches.rend()) {  // an index of records that are not there
    head.reset();
    SLUICE_TRY(batches, ListBatches(lake_, node, 0));
    last = std::find_if(batches.rbegin(), batches.rend(), is_done);
  }
  NodeState state;
  if (last != batches.rend()) {
    if (!head || head->done.n != last->n) {
      SLUICE_TRY(const DoneRecord done, ReadDone(lake_, node, last->n));
      SLUICE_TRY(const ReadyRecord ready, ReadyOfDone(lake_, node, done));
      head = MakeHead(done, ready);
    }
    Take(state, *head);
  }
  for (const BatchRecords& batch : batches) {
    if (batch.n == state.last_done + 1) SLUICE_CHECK(LoadNext(lake_, node, batch, state));
  }
  return state;
}

Result<NodeState> BatchLog::Recover(const Reprepare& reprepare) {
  SLUICE_TRY(NodeState state, Load());
  while (state.pending || state.abandoned) {
    if (state.pending) {
      SLUICE_CHECK(Finish(state.pending->n, reprepare));
    } else {
      SLUICE_CHECK(RollBack(lake_, *this, state));
    }
    SLUICE_TRY(state, Load());
  }
  return state;
}

Result<OpenRecord> BatchLog::Open(const NodeState& state, const OpenRequest& request) {
  if (state.pending) return Fail(BugError(fmt::format("batch {} of {} is decided: finish it first", state.last_done + 1, identity_.node)));
  SLUICE_CHECK(CheckRecordsThere(lake_, identity_, state, request.outputs));
  OpenRecord record{.n = state.last_done + 1,
                    .attempt = state.highest_attempt,
                    .run_id = identity_.run_id,
                    .clock = state.first_clock.value_or(clock_.Now()),
                    .kind = request.kind,
                    .inputs = request.inputs,
                    .parameters = request.parameters,
                    .fingerprint = request.fingerprint};
  bool clock_known = state.first_clock.has_value();
  while (++record.attempt <= kMostAttempts) {
    SLUICE_TRY(const std::string bytes, Render(record));
    SLUICE_TRY(const store::PutOutcome outcome, lake_.PutIfAbsent(OpenKey(identity_.node, record.n, record.attempt), bytes));
    if (outcome == store::PutOutcome::kWritten) return record;
    // Unknown counts as lost: were it taken for ours, two attempts might stage under one name.
    if (outcome == store::PutOutcome::kExists && !clock_known) {
      SLUICE_TRY(const OpenRecord theirs, ReadOpen(lake_, identity_.node, record.n, record.attempt));
      record.clock = theirs.clock;
      clock_known = true;
    }
  }
  return Fail(
      RetryableError("too-many-attempts", fmt::format("batch {} of {} was begun {} times", record.n, identity_.node, kMostAttempts)));
}

Result<Instant> BatchLog::ClockOf(int64_t n, int attempt) {
  SLUICE_TRY(const OpenRecord open, ReadOpen(lake_, identity_.node, n, attempt));
  return open.clock;
}

Result<Decision> BatchLog::Decide(const NodeState& state, ReadyRecord ready) {
  ready.k = 1;
  ready.run_id = identity_.run_id;
  SLUICE_CHECK(CheckWellFormed(ready));
  SLUICE_CHECK(CheckSameIds(state, ready));
  SLUICE_TRY(const std::string bytes, Render(ready));
  const std::string key = ReadyKey(identity_.node, ready.n, 1);
  SLUICE_CHECK(CheckKnowsBatches(lake_, ready, key));
  SLUICE_TRY(const std::string standing, PutOnce(lake_, clock_, key, bytes));
  if (standing == bytes) return Decision{std::move(ready), true};
  SLUICE_TRY(ReadyRecord theirs, ParseReady(standing, key));
  return Decision{std::move(theirs), false};
}

Result<std::optional<Instant>> BatchLog::LastAttemptAt(const NodeState& state) {
  if (state.pending || state.highest_attempt == 0) return std::optional<Instant>();
  SLUICE_TRY(const auto open, lake_.Head(OpenKey(identity_.node, state.last_done + 1, state.highest_attempt)));
  return std::optional(open.modified);
}

Result<bool> BatchLog::CloseAttempts(const NodeState& state, const std::string& cursor) {
  if (state.pending || state.abandoned || state.highest_attempt == 0) return false;
  SLUICE_TRY(const OpenRecord open, ReadOpen(lake_, identity_.node, state.last_done + 1, state.highest_attempt));
  ReadyRecord ready{.n = open.n, .attempt = open.attempt, .kind = kClosedKind, .changes = {}, .cursor = cursor};
  ready.fingerprint = state.last_done == 0 ? open.fingerprint : state.fingerprint;
  SLUICE_TRY(const Decision decision, Decide(state, std::move(ready)));
  if (!decision.mine) return false;
  const Reprepare none = [](const ReadyRecord&, const std::vector<size_t>&) -> Result<Repreparation> {
    return Fail(BugError("a batch without changes is prepared again"));
  };
  SLUICE_CHECK(Finish(open.n, none));
  return true;
}

Result<std::vector<TableVersion>> BatchLog::NewestComplete() {
  SLUICE_TRY(const auto batches, ListBatches(lake_, identity_.node, 0));
  for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
    if (!batch->done) continue;
    SLUICE_TRY(DoneRecord done, ReadDone(lake_, identity_.node, batch->n));
    if (!done.abandoned) return std::move(done.tables);
  }
  return std::vector<TableVersion>();
}

Result<DoneRecord> BatchLog::Finish(int64_t n, const Reprepare& reprepare) {
  return Finisher(lake_, clock_, random_, identity_, n, reprepare, floor_).Run();
}

}  // namespace sluice::state
