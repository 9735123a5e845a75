#pragma once
// The functions behind engines/row_set.h.
#include <duckdb.h>

#include "core/result.h"

namespace sluice::engines {

// Makes sluice_listed(set, file, row) and sluice_row_set(text) known, whose value says nothing: it is for sluice_listed's first argument
// alone, which reads the text once, when the statement is bound.
Status RegisterRowSet(duckdb_connection connection);

}  // namespace sluice::engines
