#pragma once
// Patterns of tables: which tables of their databases match now.
#include <string>
#include <vector>

#include "core/result.h"
#include "project/project.h"

namespace sluice::run {

class Session;

// A source for each table that a pattern of the project matches: those that its database has, and those that the lake knows from earlier
// batches, so that what was loaded stays known while the database cannot be reached. A table that the project names itself is no match.
// Errors: kUser "duplicate-table" where two tables would have one name; those of connecting, unless the lake knows some match already:
// then they are a warning.
struct Expanded {
  std::vector<project::Source> sources;
  std::vector<Error> warnings;
};
Result<Expanded> ExpandTablePatterns(store::ObjectStore& lake, const project::Project& project, const std::atomic<bool>* cancel);

// Tables of `there` that the pattern matches, sorted. Pure.
std::vector<std::string> MatchingTables(const std::string& pattern, const std::vector<std::string>& there);

}  // namespace sluice::run
