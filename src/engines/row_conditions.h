#pragma once
// What a statement asks of the rows of its tables, as far as it can be told of a file by the bounds of its columns: enough to leave out
// files that hold no row the statement could use.
#include <map>
#include <string>
#include <vector>

#include "engines/sql.h"

namespace sluice::engines {

// `column` compared with an expression over constants and parameters.
struct Comparison {
  enum class Op { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
  std::string column;
  Op op = Op::kEqual;
  std::string value;     // SQL
  bool is_text = false;  // a plain text: DuckDB takes it for any type, and compares texts only with such as texts
};
using Condition = std::vector<Comparison>;      // one of them holds
using Conditions = std::vector<Condition>;      // all of them hold
using AnyConditions = std::vector<Conditions>;  // one set of them holds: a table may stand in several places

// By TableUse::id(), for the tables restricted wherever they stand. A row for which none of its sets holds changes nothing in the
// statement's result: conditions come from WHERE clauses, are not met by NULL, and reach through joins that only pair rows.
std::map<std::string, AnyConditions> RowConditions(const SqlTree& tree);

// What `where`, a SQL condition, asks of the rows of the relation that it knows as `relation`: all of these, and maybe more. `qualified`:
// it has columns of others too, so that only relation.x is one of its own. Empty where nothing can be told, and for what is no condition.
Conditions ConditionsOf(Connection& connection, const std::string& where, const std::string& relation, bool qualified);

}  // namespace sluice::engines
