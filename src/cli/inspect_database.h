#pragma once
// inspect CONNECTION, inspect CONNECTION.TABLE: what a database has, and how a source of it could be written.
#include <optional>
#include <string>

#include "cli/command.h"

namespace sluice::cli {

// nullopt: `what` names no connection of the project, or there is none.
std::optional<Result<int>> InspectDatabase(Context& context, const std::string& what);

}  // namespace sluice::cli
