#pragma once
// inspect CONNECTION, inspect CONNECTION.TABLE: what a connection has, and how a source of it could be written.
#include <optional>
#include <string>

#include "cli/command.h"
#include "sources/catalog.h"

namespace sluice::cli {

// nullopt: `what` names no connection of the project that can be looked at, or there is none.
std::optional<Result<int>> InspectConnection(Context& context, const std::string& what);

// Its secrets are resolved here. Errors: those of project::ResolvePeer and sources::OpenCatalog.
Result<std::unique_ptr<sources::Catalog>> CatalogOf(const project::Connection& connection);

}  // namespace sluice::cli
