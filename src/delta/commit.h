#pragma once
// What would the next commit say, and may it still be said? A prepared commit is a value: it can be stored in a record, and
// committed later by another process (design section 7).
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "contract/type.h"
#include "delta/actions.h"
#include "delta/snapshot.h"

namespace sluice::delta {

// What the writer read of the table to compute this commit: decides which foreign commits void it.
enum class ReadScope {
  kNothing,     // blind append: only metadata and protocol changes conflict
  kPartitions,  // rows of the partitions that read_where does not exclude, of those too that come to be only later
  kWholeTable,  // any foreign add, remove or metadata change conflicts
};

// What the rows read have in a partition column; NULL never compares. `value` is the protocol's text of one of the type. A file whose own
// value cannot be compared counts as meeting it.
struct PartitionComparison {
  enum class Op { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
  std::string column;  // its physical name
  contract::TypeKind type = contract::TypeKind::kString;
  Op op = Op::kEqual;
  std::string value;
  bool operator==(const PartitionComparison&) const = default;
};
using PartitionCondition = std::vector<PartitionComparison>;      // one of them holds
using PartitionConditions = std::vector<PartitionCondition>;      // all of them hold
using AnyPartitionConditions = std::vector<PartitionConditions>;  // one set of them holds
// May a file of these partition values hold such rows? Pure.
bool MayMeet(const AnyPartitionConditions& any, const PartitionValues& file);

struct PreparedCommit {
  std::string table_id;         // the id it was prepared on; for a creation the id it makes
  int64_t read_version = -1;    // -1: a creation, which goes to version 0 or is void
  std::vector<Action> actions;  // protocol and metadata where they change, adds, removes; no txn, no commitInfo
  ReadScope reads = ReadScope::kNothing;
  AnyPartitionConditions read_where;                        // of kPartitions
  std::string operation;                                    // "WRITE", "MERGE", "CREATE TABLE AS SELECT", … as Spark names them
  std::map<std::string, std::string> operation_parameters;  // values are JSON texts
  std::map<std::string, std::string> operation_metrics;
  bool operator==(const PreparedCommit&) const = default;
};
nlohmann::json ToJson(const PreparedCommit& commit);
Result<PreparedCommit> PreparedCommitFromJson(const nlohmann::json& json);

struct Conflict {
  int64_t version = 0;  // the foreign commit
  std::string what;     // "version 7 (OPTIMIZE) removed a file that this commit removes: part-…", for people
};
// What a commit may miss of those that came between (delta.isolationLevel; Spark's terms).
enum class Isolation {
  kSerializable,       // nothing that touches what it read
  kWriteSerializable,  // rows that blind appends added: as if they had come after it
};
Isolation IsolationOf(const Metadata& metadata);

// Pure. Does any of the commits after read_version touch what `commit` read or changes? Blind appends never conflict with appends.
// What only rearranges rows (dataChange false) conflicts with no reader, but whoever removes or adds a file that we remove or add
// does, dataChange or not; so does whoever commits for the application of `txn`. A creation conflicts with any commit.
std::optional<Conflict> FindConflict(const PreparedCommit& commit, const std::vector<LogCommit>& since,
                                     Isolation isolation = Isolation::kSerializable, const std::optional<Txn>& txn = std::nullopt);

// What goes into every commit of ours beside the actions.
struct CommitStamp {
  std::string commit_id;  // written into commitInfo; recognises our own commit after a lost answer
  std::optional<Txn> txn;
  Instant now;
  std::string engine_info;                     // "sluice/0.1.0"
  std::map<std::string, std::string> extra;    // further commitInfo keys → JSON text (run id, batch, node)
  std::optional<int64_t> in_commit_timestamp;  // required where the table has in-commit timestamps enabled
};
// Is this commit ours: does its commitInfo carry this id?
bool HasCommitId(const std::vector<Action>& actions, std::string_view commit_id);
// The in-commit timestamp of a commit, if it has one: milliseconds.
std::optional<int64_t> InCommitTimestamp(const std::vector<Action>& actions);
std::optional<int64_t> InCommitTimestamp(const CommitInfo& info);
// What the next commit must carry on a table that has in-commit timestamps, or gets them by this very commit: now, but later than
// the snapshot's. nullopt without them. `before`: null for a creation.
std::optional<int64_t> NextInCommitTimestamp(const Snapshot* before, const PreparedCommit& commit, Instant now);

// The bytes of N.json.
std::string RenderCommit(const PreparedCommit& commit, const CommitStamp& stamp);

struct Committed {
  int64_t version = 0;
};
struct Conflicted {
  Conflict with;
};
struct LostRace {
  int64_t version = 0;
};  // someone else wrote this version: look at the log again, nothing was written
using PutCommitOutcome = std::variant<Committed, LostRace>;

// Puts version `version`. An unknown answer is settled by reading N.json back until it is seen: with our commit id → Committed,
// another's → LostRace, absent → put again (the same N). Never goes on to another N. Where it cannot be settled: kRetryable
// "commit-unknown"; calling again with the same arguments goes on settling it.
Result<PutCommitOutcome> PutCommit(store::ObjectStore& store, std::string_view table_root, int64_t version, const PreparedCommit& commit,
                                   const CommitStamp& stamp, Clock& clock);

using CommitOutcome = std::variant<Committed, Conflicted>;
// The plain writer's loop, for changes that no batch record decides: rebases past foreign commits that do not touch, up to
// `max_tries`, then kRetryable "commit-contended". A foreign commit with a txn of our application conflicts, as does a log of
// which a part since read_version is gone. Used by maintenance and tests; nodes go through state::BatchProtocol.
Result<CommitOutcome> Commit(store::ObjectStore& store, std::string_view table_root, const PreparedCommit& commit, const CommitStamp& stamp,
                             Clock& clock, Isolation isolation = Isolation::kSerializable, int max_tries = 32);

// Writes a checkpoint of `snapshot` (classic, one file) and _last_checkpoint, if that names no newer one. Tombstones older than
// the table's delta.deletedFileRetentionDuration (a week) are left out. Failing leaves the table as it was.
Status WriteCheckpoint(store::ObjectStore& store, std::string_view table_root, const Snapshot& snapshot, Clock& clock);

}  // namespace sluice::delta
