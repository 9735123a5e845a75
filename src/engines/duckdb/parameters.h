#pragma once
#include <vector>

#include "engines/duckdb.h"
#include "engines/duckdb/handles.h"

namespace sluice::engines {

// Binds each $name that the statement has; values that it does not use are left out. Errors "unbound-parameter", "bad-parameter".
Status BindParameters(duckdb_prepared_statement statement, const std::vector<Parameter>& params);

}  // namespace sluice::engines
