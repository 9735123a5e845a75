#pragma once
// What an add's statistics say (PROTOCOL.md, "Per-file Statistics"), read back.
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "delta/actions.h"
#include "engines/duckdb.h"

namespace sluice::tables {

// Rows that the data file holds; nullopt where unknown.
std::optional<int64_t> RecordsOf(const delta::Add& add);
// Rows of the file that are left: numRecords less those that its deletion vector takes away; nullopt where unknown.
std::optional<int64_t> RowsOf(const delta::Add& add);
// Least and greatest value of a top-level column of integers (its physical name); nullopt where they are not told.
std::optional<std::pair<int64_t, int64_t>> BoundsOf(const delta::Add& add, const std::string& column);
// Adds the top-level columns that the file surely has, for it counts their NULLs. Names are the physical ones, lower-case.
void AddCountedColumns(const delta::Add& add, std::set<std::string>* columns);

// The bounds of a column of the file (its physical name), as texts that cast to its type; nullopt where the statistics have none.
struct BoundTexts {
  std::optional<std::string> min, max;
};
BoundTexts BoundTextsOf(const delta::Add& add, const std::string& column);

// What a file with a deletion vector must say (PROTOCOL.md, "Per-file Statistics"): its number of records, read from the file at
// `location` if the statistics lack it; and that its bounds may be wider than the rows left.
Result<int64_t> EnsureRecords(engines::Connection& connection, const std::string& location, delta::Add* add);
void LoosenBounds(delta::Add* add);

}  // namespace sluice::tables
