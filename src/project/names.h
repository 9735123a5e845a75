#pragma once
#include <set>
#include <string>
#include <string_view>

#include "core/error.h"
#include "project/spec.h"

namespace sluice::project {

// Names of nodes, layers, vars, environments and connections: lower-case letters, digits and _, a letter first, up to 100 bytes.
// Error "bad-name", placed, with a name that would do. True if good.
bool CheckName(const PlacedText& name, std::string_view what, Diagnostics& diagnostics);

// Every later name that equals an earlier one but for case: "duplicate-…" by `code`.
void CheckDistinct(const Texts& names, const std::string& code, std::string_view what, Diagnostics& diagnostics);

// A column's name that a table can have: none of Sluice's own (_run_id, …) and none of " ,;{}()=", tab or newline, which Delta
// tables without column mapping cannot hold. Error "bad-column-name", "reserved-column".
bool CheckColumnName(const PlacedText& name, Diagnostics& diagnostics);

std::vector<std::string> TextsOf(const Texts& texts);

}  // namespace sluice::project
