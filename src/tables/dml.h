#pragma once
// UPDATE, DELETE and MERGE as SQL has them, over a table as it stands (target.schema and target.partition_by are not looked at).
// Nothing here commits. Conditions and values are SQL; they may name columns plainly or as target.x, in a merge as source.x too.
// Rows whose values stay the same are left alone; a statement that changes none gives an empty change.
#include <set>
#include <string>
#include <vector>

#include "tables/change.h"

namespace sluice::tables {

struct Assignment {
  std::string column, value;
  std::vector<std::string> fields = {};  // of an UPDATE: the field of the struct that is set, from the column inward; the others stay
};

// Rows for which `where` is true are deleted; "" for all. Errors: "sql"; of what is set those of ResolveAssignments, and kData
// "lossy-assignment" where an integer column would get a value with a fraction.
Result<StagedChange> StageDelete(const TableTarget& target, engines::Connection& connection, const std::string& where,
                                 const StageOptions& options);
Result<StagedChange> StageUpdate(const TableTarget& target, engines::Connection& connection, const std::vector<Assignment>& set,
                                 const std::string& where, const StageOptions& options);

// Of the clauses for the same case, the first whose condition holds decides; a row for which none does stays as it is.
struct MergeClause {
  enum class When { kMatched, kNotMatched, kNotMatchedBySource };
  enum class Then { kUpdate, kDelete, kInsert };
  When when = When::kMatched;
  std::string condition;  // "": always
  Then then = Then::kUpdate;
  // Of an update or insert; empty: every column from the source's of the same name. Columns that an insert does not name are NULL.
  std::vector<Assignment> set;
};
struct MergeStatement {
  std::string on;                  // "target.id = source.id"
  std::vector<std::string> match;  // instead of `on`: equal columns. Then files that hold none of the source's keys are not opened
  std::vector<MergeClause> clauses;
  std::set<std::string> brought;  // generated columns of the source that a clause takes with all others: they must have the values computed
};
// Errors: kData "ambiguous-merge" where several source rows would change one row of the table, naming it by `match` or its values;
// (not where all that a match does is an unconditional DELETE); kUser "bad-merge" for a clause that cannot be, "unreachable-clause" behind
// an unconditional one for the same case, "duplicate-column" of the source; kData "generated-value"; those of an update.
Result<StagedChange> StageMergeStatement(const TableTarget& target, engines::Connection& connection, const Source& source,
                                         const MergeStatement& statement, const StageOptions& options);

}  // namespace sluice::tables
