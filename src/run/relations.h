#pragma once
// What each table name in a model's or check's SQL stands for in one run: a relation that DuckDB can read, at a pinned version.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "delta/snapshot.h"
#include "engines/sql.h"
#include "plan/graph.h"
#include "run/session.h"

namespace sluice::run {

// What a node has consumed of one input when its last batch was done.
struct Consumed {
  std::string table_id;
  int64_t version = -1;
  bool operator==(const Consumed&) const = default;
};
using ConsumedInputs = std::map<std::string, Consumed>;  // by table

// One input of a node, pinned for this run.
struct PinnedInput {
  std::string table;
  std::shared_ptr<const delta::Snapshot> snapshot;  // null: the table has no version yet
  Consumed now() const { return snapshot ? Consumed{snapshot->metadata.id, snapshot->version} : Consumed{}; }
};

struct Relations {
  std::map<std::string, std::string> sql;           // TableUse::id() → text for FROM
  std::map<std::string, contract::Schema> schemas;  // TableUse::id() → columns, metadata columns included
  int64_t new_rows = -1;                            // rows that the uses of new() give, where statistics tell
  std::vector<std::string> full_reasons;            // why a new() is a full read, if it is
};

// What `this` and `batch` stand for, where the SQL may use them. An empty id has none.
struct OwnRelations {
  std::string this_sql, batch_sql;
  contract::Schema schema;
};

// The version of a table that a computation reads; null: the table has none.
using PinOf = std::function<Result<std::shared_ptr<const delta::Snapshot>>(const std::string& table)>;
// What this run reads (Session::Pin).
PinOf RunPins(Session& session);

// The tables behind a node's data inputs, views followed to the tables they read. Sorted by table name.
Result<std::vector<PinnedInput>> PinInputs(Session& session, const plan::Node& node);

// Relations for all uses of one SQL text. `consumed`: what new() starts from; null = from the beginning (a first run or a full refresh).
// Errors: "not-built-yet" where a model's table has no version; "new-over-changes" where new() meets commits that are no pure appends.
Result<Relations> RelationsFor(Session& session, const PinOf& pin_of, const std::vector<engines::TableUse>& uses,
                               const ConsumedInputs* consumed, const OwnRelations& own);

// The schema a view gives, and the SELECT it stands for.
struct ViewText {
  std::string sql;
  contract::Schema schema;
};
Result<ViewText> ExpandView(Session& session, const PinOf& pin_of, const plan::Node& view);

// A relation without rows.
std::string EmptyRelation(const contract::Schema& schema);

// `sql` of the node lowered onto `relations`, and the schema it gives.
Result<std::string> LowerSql(Session& session, const engines::SqlTree& tree, const Relations& relations);

// Those of `params` that `sql` names: the engine refuses values for names that a statement does not have.
std::vector<engines::Parameter> ParametersIn(const std::string& sql, std::vector<engines::Parameter> params);

// Columns of a source's table as its contract states them, metadata columns included.
contract::Schema BronzeSchema(const project::Source& source);

}  // namespace sluice::run
