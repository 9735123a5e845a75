#pragma once
// Strings held equal to numbers, dates, timestamps or booleans. DuckDB refuses to order them; where it looks for equal ones, it casts the
// string while it runs, and fails at the first row whose text is none. Other engines give NULL there. So a model says what is meant.
#include <map>

#include "engines/sql/bind.h"

namespace sluice::engines {

// The first such comparison (=, <>, IS DISTINCT FROM, IN, JOIN … USING; in any clause or subquery) of a tree that binds, as "type-mismatch"
// at its place. Literals and parameters are no strings here: their value can be seen.
Status CheckCompared(const SqlTree& tree, const std::map<std::string, contract::Schema>& inputs, const std::vector<Parameter>& params);

}  // namespace sluice::engines
