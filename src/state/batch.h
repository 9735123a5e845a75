#pragma once
// What has been done? A batch belongs to a node and has a number n; its records are write-once objects, put if absent, under
// <lake>/_sluice/batches/<node>/ (design section 7; docs/exactly-once.md):
//   n.a.open   attempt a began, before anything was staged
//   n.ready    the decision: exactly what will be committed to each table; n.ready.k (k > 1) a later preparation of it
//   n.done     every table shows it. Nothing of n+1 is written before.
// The life of a batch:
//   auto state = log.Recover(reprepare);             finishes what an earlier run decided
//   auto open = log.Open(state, {...});              then stage files, named with StagedFilePrefix
//   auto decision = log.Decide(state, ready);        may be another runner's: then drop the files staged here
//   auto done = log.Finish(decision.ready.n, reprepare);
// Every function may be called again after any failure, by any process, at any time; several at once. JSON values are texts.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "delta/commit.h"
#include "delta/snapshot.h"
#include "store/object_store.h"

namespace sluice::state {

// A batch that makes its tables anew; alone may it write to a table that was dropped or replaced.
inline const std::string kFullRefreshKind = "full-refresh";

struct OpenRecord {
  int64_t n = 0;
  int attempt = 0;
  std::string run_id;
  Instant clock;               // the run's clock; later attempts take that of the first
  std::string kind = "write";  // for people: write | replay | rollback | restore | closed | full-refresh
  std::string inputs = "{}";   // planned: files with size and etag, offset or cursor start, input table ids and ranges
  std::string parameters = "{}";
  std::string fingerprint;  // of the node's SQL, contract and settings
  bool operator==(const OpenRecord&) const = default;
};

// The change of one table within a batch. A table that does not change has none.
struct TableChange {
  std::string table;                    // "bronze.orders", for people
  std::string root;                     // its key prefix in the lake
  delta::PreparedCommit commit;         // with the table's id and the version it was prepared on; no actions: only the txn
  std::optional<int64_t> expected_txn;  // the node's txn in the table at that version
  // Earlier changes of this batch whose staged rows this one was computed from: they are committed as the very version that they were
  // prepared for, or prepared again with this one.
  std::vector<size_t> depends_on;
  bool operator==(const TableChange&) const = default;
};

struct ReadyRecord {
  int64_t n = 0;
  int k = 1;
  int attempt = 0;  // whose staged files these are
  std::string run_id;
  std::string kind = "write";
  std::vector<TableChange> changes;  // committed in this order; may be empty (only the cursor moves)
  std::string inputs = "{}";         // what the batch consumed; see ledger.h for {"files": [...]}
  std::string counts = "{}";         // read, written, quarantined, deduplicated, …
  std::string cursor = "null";       // after this batch
  std::string fingerprint;
  bool abandoned = false;  // the checks of a re-preparation failed: n+1 is the rollback
  std::string abandoned_because;
  bool operator==(const ReadyRecord&) const = default;
};

struct TableVersion {
  std::string table, root, id;
  int64_t version = 0;
  int64_t batch = 0;  // the last one that changed it
  bool operator==(const TableVersion&) const = default;
};

struct DoneRecord {
  int64_t n = 0;
  int k = 1;  // the ready that was committed
  bool abandoned = false;
  std::vector<TableVersion> tables;  // of this batch and, carried forward, of the ones before
  bool operator==(const DoneRecord&) const = default;
};

// What the records of a node say.
struct NodeState {
  int64_t last_done = 0;                                          // 0: no batch yet
  std::string cursor = "null";                                    // of the last done batch
  std::string inputs = "{}", counts = "{}", fingerprint, run_id;  // of the last done batch
  std::vector<TableVersion> tables;                               // as of last_done
  std::map<std::string, int64_t> prepared_for;                    // table → the version that the last done batch's commit was prepared for
  bool abandoned = false;                                         // the last done batch was; Recover rolls it back
  // Of batch last_done + 1:
  std::optional<ReadyRecord> pending;  // decided: Finish it before anything else
  int highest_attempt = 0;             // 0: not opened yet
  std::optional<Instant> first_clock;  // of its first attempt
};

inline const std::string kClosedKind = "closed";  // begun, never decided, and ended without a change

// A table that a batch is going to write, as it stands. Null: it is not there.
struct OutputTable {
  std::string table;
  const delta::Snapshot* snapshot = nullptr;
};

struct OpenRequest {
  std::string kind = "write", inputs = "{}", parameters = "{}", fingerprint;
  std::vector<OutputTable> outputs;
};

struct Decision {
  ReadyRecord ready;  // the winner's
  bool mine = false;  // false: another attempt decided; what this one staged is void
};

// What a re-preparation gives: a new change for each one asked for, or why the batch is abandoned (its checks fail).
struct Repreparation {
  std::vector<TableChange> changes;
  std::optional<std::string> abandon;
};
// A foreign commit voided a change before it was committed. Prepares `redo` (indices into base.changes: the void one and those
// computed from it) again on the tables' present versions; `base.changes` before redo[0] are committed. Inputs and cursor stay:
// an ingest uses the rows already staged, never the source. New files are named for base.n too. May be called several times.
using Reprepare = std::function<Result<Repreparation>(const ReadyRecord& base, const std::vector<size_t>& redo)>;

struct NodeIdentity {
  std::string project, node, run_id;
  std::string engine_info = "sluice";                          // into commitInfo
  std::string app_id() const { return project + "/" + node; }  // of the txn in every commit
};

// "bronze.orders-12.1": how names of files staged by attempt a of batch n start.
std::string StagedFilePrefix(const std::string& node, int64_t n, int attempt);

// A change prepared on `base` (null: a creation): fills in the txn that the fence will ask for.
TableChange MakeChange(const NodeIdentity& identity, std::string table, std::string root, delta::PreparedCommit commit,
                       const delta::Snapshot* base);

// Is this still the table that the node's last batch wrote? Error kConflict "table-replaced" or "table-dropped", and
// "transaction-retention" for a table whose property would make it forget batches. Call for each output when planning.
Status CheckSameTable(const NodeState& state, const std::string& root, const delta::Snapshot* snapshot);

// Which version of a table a reader is shown who must not see half a batch: the newest, unless that holds a batch of the owner which is
// not done or was abandoned; then the one that the newest complete batch named. Null: no complete batch wrote the table.
Result<std::optional<int64_t>> ShownVersion(store::ObjectStore& lake, const NodeIdentity& owner, const std::string& root,
                                            const delta::Snapshot& newest);

// The version from which on a table's log must stay readable, whatever its age: what groups, open decisions and readers need.
using LogFloor = std::function<Result<int64_t>(const std::string& root)>;

// Stateless but for its references: any number may exist for a node, in any process. Not thread-safe.
class BatchLog {
 public:
  // With `floor`, a checkpoint of a table is followed by a clean-up of its log.
  BatchLog(store::ObjectStore& lake, Clock& clock, Random& random, NodeIdentity identity, LogFloor floor = nullptr);

  // Two or three reads, however many batches there were. Error "bad-record".
  Result<NodeState> Load();

  // Load, then finish a pending batch and roll back an abandoned one. The state given has neither.
  Result<NodeState> Recover(const Reprepare& reprepare);

  // Begins the next attempt of batch last_done + 1. The clock is the first attempt's. Requires a state without pending. Error kConflict
  // "records-lost" where an output holds a batch that no record knows: numbers would begin again, and with them the names of files.
  Result<OpenRecord> Open(const NodeState& state, const OpenRequest& request);

  // The clock that an attempt ran with: what is computed again for its batch sees the same time.
  Result<Instant> ClockOf(int64_t n, int attempt);

  // Puts `ready` as the decision on its batch, or finds the one that was there first. Checks every change with CheckSameTable's
  // rule, and that they are well formed (kBug). Errors kConflict, kUnsupported and kBug come before anything is put.
  Result<Decision> Decide(const NodeState& state, ReadyRecord ready);

  // Commits the decision on batch n table by table and puts n.done. A batch already done gives its record. Errors, all kConflict,
  // that stop the node: "table-replaced", "table-dropped", "log-gone", "fence-refused", "batch-overtaken"; kRetryable
  // "commit-contention"; kUnsupported "transaction-retention"; those of the store and of `reprepare`.
  Result<DoneRecord> Finish(int64_t n, const Reprepare& reprepare);

  // When the latest attempt of batch last_done + 1 was begun, by the store's clock; nullopt where there is none, or it is decided.
  Result<std::optional<Instant>> LastAttemptAt(const NodeState& state);
  // Ends that batch by deciding that it changes nothing: whoever is still at work on it follows, and nothing will name what was staged for
  // it. `cursor`: the state's, to be kept. False: there is none, or another run decided it first.
  Result<bool> CloseAttempts(const NodeState& state, const std::string& cursor);

  // The tables as the newest batch left them that is done and not abandoned; empty: there is none.
  Result<std::vector<TableVersion>> NewestComplete();

  const NodeIdentity& identity() const { return identity_; }

 private:
  store::ObjectStore& lake_;
  Clock& clock_;
  Random& random_;
  NodeIdentity identity_;
  LogFloor floor_;
};

// Done, or decided, or only opened: batches of a node for people, newest first.
struct BatchSummary {
  int64_t n = 0;
  int attempts = 0;
  std::optional<ReadyRecord> ready;
  std::optional<DoneRecord> done;
};
Result<std::vector<BatchSummary>> History(store::ObjectStore& lake, const std::string& node, size_t limit);
// A done batch as it was done and decided. Errors: kNotFound where it is not done; "bad-record".
Result<std::pair<DoneRecord, ReadyRecord>> ReadBatch(store::ObjectStore& lake, const std::string& node, int64_t n);
// Nodes that have records, sorted.
Result<std::vector<std::string>> NodesWithRecords(store::ObjectStore& lake);

}  // namespace sluice::state
