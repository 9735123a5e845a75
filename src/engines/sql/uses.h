#pragma once
// Which names in a tree are tables of the project.
#include <optional>
#include <string>
#include <vector>

#include "engines/sql.h"
#include "engines/sql/source_text.h"
#include "engines/sql/tree_json.h"

namespace sluice::engines {

// The use that a FROM item is: a qualified table, new(t), changes(t), this, batch, delta_scan('path'). nullopt: a CTE, a subquery, a pure
// table function …
std::optional<TableUse> UseOf(const Json& table_ref, const Scope& scope);

// What a text may read.
struct Readable {
  std::vector<std::string> schemas;
  bool freely = false;  // what a run would not pin, too: delta_scan('path'), older versions of tables
};

// All uses in order of appearance, each once. Errors: "untracked-read", "unknown-table" (a schema that is no layer), "unqualified-table",
// "unknown-function-of-tables", "bad-table-use".
std::vector<TableUse> FindUses(const SourceText& source, const Json& statement, const Readable& readable, Diagnostics* diagnostics);

}  // namespace sluice::engines
