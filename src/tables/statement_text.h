#pragma once
// The clauses of UPDATE and MERGE as people write them. Pure; conditions and values are cut out whole and not looked into.
#include <string>
#include <string_view>
#include <vector>

#include "tables/dml.h"

namespace sluice::tables {

// `status = 'x', "unit price" = price * 2`; a column may be qualified by target, and be a field of a struct: a.b = 1. Error: kUser
// "bad-assignment".
Result<std::vector<Assignment>> ParseAssignments(std::string_view text);

// One clause of a MERGE or several, in order; the first WHEN may be left out:
//   WHEN MATCHED [AND condition] THEN UPDATE SET column = value, … | UPDATE SET * | DELETE
//   WHEN NOT MATCHED [BY TARGET] [AND condition] THEN INSERT (column, …) VALUES (value, …) | INSERT *
//   WHEN NOT MATCHED BY SOURCE [AND condition] THEN UPDATE SET column = value, … | DELETE
// `*` gives a clause without assignments. Error: kUser "bad-merge" with the clause.
Result<std::vector<MergeClause>> ParseMergeClauses(std::string_view text);

// Names separated by commas, each plain or in double quotes; nullopt where the text is something else.
std::optional<std::vector<std::string>> ParseNames(std::string_view text);

}  // namespace sluice::tables
