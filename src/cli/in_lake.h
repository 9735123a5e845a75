#pragma once
// A table by its path that belongs to a lake has batch records, which an operation by path would not know of.
#include <string>

#include "cli/command.h"

namespace sluice::cli {

// Is it a place, and not the name of a node?
bool IsPlace(const Context& context, const std::string& name);

// Error: kUser "table-of-a-lake" where `name` is a path below a lake of Sluice that has records. Names of nodes pass.
Status CheckNotInLake(Context& context, const std::string& name);

}  // namespace sluice::cli
