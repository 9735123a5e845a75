#pragma once
// The engine could not read a file: is it one that a table names and that is gone?
#include <set>
#include <string>

#include "core/error.h"
#include "run/session.h"

namespace sluice::run {

// `error`, or where it is "sql-io" and a data file of one of `tables` is gone: kConflict "data-file-missing" with table, file and the
// way out, which no retry is. Looks at every file of the tables, so only after such an error.
Error ExplainUnreadable(Session& session, Error error, const std::set<std::string>& tables);

// Of one version of a table, whoever owns it. Where it is an older one, and VACUUM took its files, that is said; a file that has another
// size than the log says is kConflict "data-file-damaged".
Error ExplainVersion(store::ObjectStore& store, const std::string& root, const std::string& name, const delta::Snapshot& snapshot,
                     Error error);

// The tables that a node's run or checks read, its own included.
std::set<std::string> TablesReadBy(Session& session, const plan::Node& node);

}  // namespace sluice::run
