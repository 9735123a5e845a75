#pragma once
// What would the next commit say, and may it still be said? A prepared commit is a value: it can be stored in a record, and
// committed later by another process (design section 7).
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "delta/actions.h"
#include "delta/snapshot.h"

namespace sluice::delta {

// What the writer read of the table to compute this commit: decides which foreign commits void it.
enum class ReadScope {
  kNothing,     // blind append: only metadata and protocol changes conflict
  kPartitions,  // rows of the partitions listed in read_partitions
  kWholeTable,  // any foreign add, remove or metadata change conflicts
};

struct PreparedCommit {
  std::string table_id;         // the id it was prepared on; for a creation the id it makes
  int64_t read_version = -1;    // -1: a creation, which goes to version 0 or is void
  std::vector<Action> actions;  // protocol and metadata where they change, adds, removes; no txn, no commitInfo
  ReadScope reads = ReadScope::kNothing;
  std::vector<PartitionValues> read_partitions;
  std::string operation;                                    // "WRITE", "MERGE", "CREATE TABLE AS SELECT", … as Spark names them
  std::map<std::string, std::string> operation_parameters;  // values are JSON texts
  std::map<std::string, std::string> operation_metrics;
  bool operator==(const PreparedCommit&) const = default;
};
nlohmann::json ToJson(const PreparedCommit& commit);
Result<PreparedCommit> PreparedCommitFromJson(const nlohmann::json& json);

struct Conflict {
  int64_t version = 0;  // the foreign commit
  std::string what;     // "version 7 removed a file that this commit read: part-…", for people
};
// Pure. Does any of the commits after read_version touch what `commit` read or changes? (Serializable for readers of the table;
// blind appends never conflict with appends.) What only rearranges rows (dataChange false) conflicts with no reader, but whoever
// removes or adds a file that we remove or add does, dataChange or not. A creation conflicts with any commit.
std::optional<Conflict> FindConflict(const PreparedCommit& commit, const std::vector<LogCommit>& since);

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
// What the next commit must carry on a table with in-commit timestamps: now, but later than the snapshot's. nullopt without them.
std::optional<int64_t> NextInCommitTimestamp(const Snapshot& snapshot, Instant now);

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
                             Clock& clock, int max_tries = 32);

// Writes a checkpoint of `snapshot` (classic, one file) and _last_checkpoint, if that names no newer one. Tombstones older than
// the table's delta.deletedFileRetentionDuration (a week) are left out. Failing leaves the table as it was.
Status WriteCheckpoint(store::ObjectStore& store, std::string_view table_root, const Snapshot& snapshot, Clock& clock);

}  // namespace sluice::delta
