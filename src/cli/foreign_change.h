#pragma once
// A person changes a table beside its runs: may they, what will later runs make of it, and what came of it.
#include <string>
#include <vector>

#include "cli/table_place.h"

namespace sluice::cli {

// Error "protected-environment" for a node's table there, unless it is named by --env and confirmed.
Status AllowChange(Context& context, const FoundTable& table, bool confirmed);

// On stderr: what a later run does to a change of this table. Nothing of a table by path.
void WarnOfRuns(Context& context, const FoundTable& table);

// A relation that expressions may name: by its alias, or its columns plainly.
struct NamedSchema {
  std::string alias;
  contract::Schema schema;
};
// Is there such a column? Error "unknown-column".
Status CheckColumn(const std::string& option, const std::string& column, const FoundTable& table, const contract::Schema& schema);

// Is `sql` an expression over these, with the same value whenever it is computed? `option` begins the message. Errors: kUser
// "unknown-column", "bad-expression", "nondeterministic".
Status CheckExpression(const FoundTable& table, engines::Connection& connection, const std::string& option, const std::string& sql,
                       const std::vector<NamedSchema>& relations, bool is_condition);

// The engine's message about a person's expression, without the SQL that it became a part of.
Error WithoutOurSql(Error error);

// Commits unless the change is empty, and prints what came of it.
Result<int> CommitAndTell(Context& context, const FoundTable& table, const TableOperation& operation, const tables::TableTarget& target,
                          const tables::StagedChange& change);

}  // namespace sluice::cli
