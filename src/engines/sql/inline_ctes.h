#pragma once
// DuckDB gives an untyped NULL a type where it leaves a WITH query, not where it leaves a subquery.
#include <optional>

#include "engines/sql/tree_json.h"

namespace sluice::engines {

// The statement with a subquery in the place of each name of a WITH query that is not recursive. It gives the same types; it is not for
// running, since what was named once may be computed often. nullopt: there is none, or too many copies would be made.
std::optional<Json> WithoutCtes(const Json& statement);

}  // namespace sluice::engines
