#pragma once
// What a model's SQL may not do, and what it had better not.
#include <string>
#include <vector>

#include "engines/sql/source_text.h"
#include "engines/sql/tree_json.h"

namespace sluice::engines {

// now(), current_date and their kin become $run_started_at and $run_date, under the column names they would have had.
void UseRunClock(const SourceText& source, Json* statement);

// "nondeterministic": random(), uuid(), samples …; "untracked-read": what looks outside the project.
void CheckFunctions(const SourceText& source, const Json& statement, Diagnostics* diagnostics);

// Whether a SELECT (its subqueries aside) aggregates; `position`: where.
bool CallsAggregate(const Json& select, uint64_t* position);

// "aggregate-over-new": an aggregate that sees only the new rows of its groups.
void CheckAggregatesOverNew(const SourceText& source, const Json& statement, Diagnostics* diagnostics);

// Warnings "window-order", "limit-order", "aggregate-order": results that may differ from run to run.
void WarnOfOrder(const SourceText& source, const Json& statement, Diagnostics* diagnostics);

// Table functions that read nothing but their arguments.
bool IsPureTableFunction(const std::string& name);
// Those that read files, other databases or the catalog.
bool IsReadingFunction(const std::string& name);

}  // namespace sluice::engines
