#pragma once
// What depends on what? Nodes and edges, found by parsing the project's own SQL.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engines/sql.h"
#include "project/project.h"

namespace sluice::plan {

enum class NodeKind { kSource, kSeed, kModel };

// What the graph needs to know of one SQL text; cached between runs by the text's hash (plan/sql_book.h).
struct SqlFacts {
  std::vector<engines::TableUse> uses;
  std::vector<std::string> parameters;
  std::string fingerprint;
  std::vector<Error> warnings;
};

// Facts of one SQL text; `file` places its errors.
using FactsOf = std::function<Result<SqlFacts>(const std::string& sql, const std::string& file)>;

struct Node {
  NodeKind kind = NodeKind::kModel;
  std::string table;                        // "bronze.orders", "seed.countries", "gold.fact_sales"
  const project::Source* source = nullptr;  // by kind, one of these; owned by the Project
  const project::Seed* seed = nullptr;
  const project::Model* model = nullptr;
  std::vector<engines::TableUse> uses;    // of the model's SQL
  std::vector<std::string> inputs;        // tables whose data it computes from (nodes, direct, sorted)
  std::vector<std::string> check_inputs;  // further tables that only its checks read
  std::vector<std::string> parameters;
  std::string fingerprint;               // of all that changes what it computes; for models without its upstream views
  std::vector<std::string> followed_by;  // models that read it by new() or changes(), sorted

  const project::Properties& properties() const;
  bool is_view() const { return model != nullptr && model->store == project::Store::kView; }
  // "bronze", "seed", "silver": the part before the dot.
  std::string layer() const { return table.substr(0, table.find('.')); }
  // Where its definition stands, for messages.
  Location where() const;
  // Is its table to keep change data: as its .yml says, else because rows may leave it and models follow it; nullopt: as it is.
  std::optional<bool> keeps_change_data() const;
};

// "new-over-view": `use` is a new() or changes() of a view.
Error NewOverView(const engines::TableUse& use);

struct Graph {
  std::vector<Node> nodes;                                    // upstream first; ties by table name
  std::map<std::string, size_t> index;                        // table → position; quarantine.X → the source X
  std::map<std::string, std::vector<size_t>> publish_groups;  // by name: the models that are one batch, upstream first
  std::vector<Error> warnings;

  const Node* Find(const std::string& table) const;
  // The nodes that are one batch with this one, itself included; upstream first.
  std::vector<size_t> BatchOf(size_t node) const;
  std::vector<size_t> Upstream(size_t node) const;    // direct, data inputs only
  std::vector<size_t> Downstream(size_t node) const;  // direct
  std::vector<std::string> Tables() const;            // every name that SQL may use
};

// Errors, all at once: "unknown-table" at its place in the SQL with the near name; "cycle" with the path; "split-publish-group" where a
// table of a publish group is computed from another one of it by way of a table outside; reading a table of a higher layer is a warning
// "reads-upward". `project` must outlive the graph.
Result<Graph> BuildGraph(const project::Project& project, const FactsOf& facts_of);
// The same of a project that may have errors, for looking at it: what can't be read gives no edges, and its errors go to `errors`.
Graph ReadableGraph(const project::Project& project, const FactsOf& facts_of, std::vector<Error>* errors);

// The SELECT of one check, over `this` and other tables: its rows are violations. Kind kFreshness and kRowCount give one row with
// the finding if they fail.
std::string CheckSql(const project::Check& check, const project::Model* model);
// The rows that a check looks at, for `tolerate` as a share: a SELECT count(*).
std::string CheckedRowsSql(const project::Check& check);

}  // namespace sluice::plan
