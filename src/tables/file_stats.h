#pragma once
// What an add's statistics say (PROTOCOL.md, "Per-file Statistics"), read back.
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "delta/actions.h"

namespace sluice::tables {

// Rows of the file that are left: numRecords less those that its deletion vector takes away; nullopt where unknown.
std::optional<int64_t> RowsOf(const delta::Add& add);
// Adds the top-level columns that the file surely has, for it counts their NULLs. Names are the physical ones, lower-case.
void AddCountedColumns(const delta::Add& add, std::set<std::string>* columns);

}  // namespace sluice::tables
