#pragma once
// What each table name in a model's or check's SQL stands for in one run: a relation that DuckDB can read, at a pinned version.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engines/row_conditions.h"
#include "plan/graph.h"
#include "run/feed.h"
#include "tables/scan.h"

namespace sluice::run {

// One input of a node, pinned for this run.
struct PinnedInput {
  std::string table;
  Pinned pinned;
  Consumed now() const { return pinned.now(); }
};

// Uses of new() and changes() that can only read the whole table.
struct FullReads {
  std::vector<std::string> reasons;  // a sentence for each
  bool anew = false;                 // one of them takes part: what was computed of its rows before is to be computed anew
};

struct Relations {
  std::map<std::string, std::string> sql;           // TableUse::id() → text for FROM
  std::map<std::string, contract::Schema> schemas;  // TableUse::id() → columns, metadata columns included
  std::map<std::string, int64_t> rows;              // TableUse::id() → rows of a whole table, where statistics tell
  int64_t new_rows = -1;                            // rows that the uses of new() give, where statistics tell
  bool row_changes = false;                         // one of them tells of rows that were changed or taken: no whole snapshot
  FullReads full;
};

// What `this` and `batch` stand for, where the SQL may use them. An empty id has none.
struct OwnRelations {
  std::string this_sql, batch_sql;
  contract::Schema schema;
};

// What a computation reads of a table.
using PinOf = std::function<Result<Pinned>(const std::string& table)>;
// What this run reads (Session::Pin).
PinOf RunPins(Session& session);

// The tables behind a node's data inputs, views followed to the tables they read.
Result<std::set<std::string>> InputTables(Session& session, const plan::Node& node);
// They, pinned, sorted by table name. Errors: "table-dropped" for one
// that was built and is gone, unless it is among those `coming`: what a plan will build before.
Result<std::vector<PinnedInput>> PinInputs(Session& session, const PinOf& pin_of, const plan::Node& node,
                                           const std::set<std::string>& coming = {});

// What an SQL text asks of the rows of whole tables: files without such rows are left out. `params`: those that the text will run with.
struct Asked {
  std::map<std::string, engines::AnyConditions> conditions;  // engines::RowConditions
  std::vector<engines::Parameter> params;
};
// A table's scan without the files that hold no row asked for.
Result<tables::Scan> ScanAsked(Session& session, store::ObjectStore& store, const std::string& root, const delta::Snapshot& snapshot,
                               const engines::AnyConditions& conditions, const std::vector<engines::Parameter>& params);

// Relations for all uses of one SQL text. `consumed`: what new() starts from; null = from the beginning (a first run or a full refresh).
// Errors: "not-built-yet" where a model's table has no version; "new-over-view".
Result<Relations> RelationsFor(Session& session, const PinOf& pin_of, const std::vector<engines::TableUse>& uses,
                               const ConsumedInputs* consumed, const OwnRelations& own, const Asked& asked = {});

// Those of `uses` that are full reads, though something was consumed before. Reads logs only.
Result<FullReads> FullReadsOf(Session& session, const PinOf& pin_of, const std::vector<engines::TableUse>& uses,
                              const ConsumedInputs& consumed);

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
