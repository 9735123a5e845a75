#pragma once
// A function for binding only, through which DuckDB tells the types that a comparison meets.
#include <duckdb.h>

#include "core/result.h"

namespace sluice::engines {

// Makes sluice_compared(site, a, b, …) known: boolean, as a = b would be. Binding it fails with "sluice_compared SITE INDEX TYPE TYPE"
// where a and the INDEX-th of the others are a string and a number, date, timestamp or boolean. site is a constant.
Status RegisterComparisonProbe(duckdb_connection connection);

}  // namespace sluice::engines
