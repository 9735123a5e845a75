#pragma once
// What do new(t) and changes(t) give of one table: the row changes of one table id from a version (exclusive) to another (inclusive). Never
// a part of them: where they cannot be told, the whole table, and why (design section 7, "New rows").
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delta/snapshot.h"
#include "engines/sql.h"
#include "run/session.h"
#include "tables/changes.h"

namespace sluice::run {

// What a node has consumed of one input when its last batch was done.
struct Consumed {
  std::string table_id;
  int64_t version = -1;
  bool operator==(const Consumed&) const = default;
};
using ConsumedInputs = std::map<std::string, Consumed>;  // by table

// A table as a computation reads it.
struct Pinned {
  std::shared_ptr<const delta::Snapshot> snapshot;  // null: the table has no version yet
  // Within a publish group: what an earlier table of the same batch will commit as the snapshot's version, which no log has yet.
  std::shared_ptr<const delta::LogCommit> staged;
  Consumed now() const { return snapshot ? Consumed{snapshot->metadata.id, snapshot->version} : Consumed{}; }
};

// The table's commits after a version, what is staged included.
Result<delta::LogRange> CommitsAfter(Session& session, const std::string& table, const Pinned& pinned, int64_t after);

// A table as a name in SQL stands for it.
struct TableRelation {
  std::string sql;  // text for FROM
  contract::Schema schema;
  int64_t rows = -1;  // -1: statistics do not tell
};

struct Feed {
  enum class Kind {
    kWhole,  // every row of the table
    kAdded,  // the rows of files that commits only added
    kRows,   // row by row: some commit took or changed rows, or changes(t) asks for the commits
  };
  Kind kind = Kind::kWhole;
  std::string whole_because;      // why kWhole, though something was consumed before
  bool snapshots = false;         // … because every version of the table is a newer whole snapshot, which is what its readers read it for
  std::vector<delta::Add> files;  // kWhole, kAdded
  std::optional<tables::Changes> rows;  // kRows
};

// Of `use`, a new() or changes(), and its table, which has a version. `consumed`: what it starts from; null = from the beginning. Reads
// logs and the names of files, no rows. Errors: those of the store and the log; "reserved-column" where the table has a column that
// changes(t) adds.
Result<Feed> FeedOf(Session& session, const engines::TableUse& use, const Pinned& pinned, const ConsumedInputs* consumed);

// The rows that `use` stands for. `only`: of a feed of files, only these of them; `where`: SQL over the columns, "" = all.
Result<TableRelation> RelationOf(Session& session, const engines::TableUse& use, const Pinned& pinned, const Feed& feed,
                                 const std::optional<std::vector<delta::Add>>& only = std::nullopt, const std::string& where = "");

// The rows, for FROM, that a table lost or gained since `from`, perhaps with some that stand on both sides. Metadata columns are compared
// only where named. nullopt: it cannot be told any more.
Result<std::optional<std::string>> RowsTouched(Session& session, const std::string& table, const Pinned& pinned, const Consumed& from,
                                               const std::vector<std::string>& metadata_compared);

}  // namespace sluice::run
