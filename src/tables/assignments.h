#pragma once
// What UPDATE SET and INSERT give to columns, looked at before anything runs: which columns, each once, of which values.
#include <set>
#include <string>
#include <vector>

#include "engines/duckdb.h"
#include "tables/dml.h"

namespace sluice::tables {

struct AssignedTable {
  const contract::Schema& schema;
  std::vector<std::string> settable;  // of its columns, those that are not computed from others
  const std::string& name;
};

// A whole column of the table.
struct ColumnValue {
  std::string column;
  std::string value;   // SQL of the column's type
  std::string broken;  // SQL of a text: why a row's value cannot be the column's; NULL where it can. "" if that cannot be
};

// `from`: relations without rows that values may name, for FROM. Fields of structs are set over target.column: `has_target` says whether
// there is such a row. Errors, kUser: "unknown-column", "generated-column", "duplicate-assignment" (also of a column and a field of it),
// "bad-assignment" for a field of what is no struct.
Result<std::vector<ColumnValue>> ResolveAssignments(engines::Connection& connection, const AssignedTable& table,
                                                    const std::vector<Assignment>& set, const std::string& from, bool has_target);

// `(SELECT … WHERE false) alias`: a relation with these columns and no row.
std::string EmptyRelation(const contract::Schema& schema, const std::string& alias);

// "a.b" as people write it.
std::string PathOf(const Assignment& assignment);

}  // namespace sluice::tables
