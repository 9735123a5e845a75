#pragma once
// A person's SELECT over the project's tables, and over Delta tables by their place, as SQL that the engine can run.
#include <string>
#include <vector>

#include "cli/command.h"
#include "engines/sql.h"

namespace sluice::cli {

struct LoweredQuery {
  std::string sql;
  std::vector<engines::Parameter> params;  // those that it uses
  std::set<std::string> tables;            // of the project, that it reads
  std::vector<engines::TableUse> uses;     // those, and what it names by its place
};
// The SQL lowered onto the newest versions of the project's tables, and onto those it names by their place. Errors: those of
// SqlFrontend, with a place in the text; "unknown-table".
Result<LoweredQuery> LowerQuery(Context& context, run::Session& session, const std::string& sql);

// `error` of running it; where a file is gone or cut, which table and version needs it.
Error ExplainQuery(Context& context, run::Session& session, const std::vector<engines::TableUse>& uses, Error error);

}  // namespace sluice::cli
