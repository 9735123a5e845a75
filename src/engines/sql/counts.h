#pragma once
// count(*) answered from what is known of a table, without reading it.
#include <map>
#include <set>
#include <string>

#include "engines/sql/tree.h"

namespace sluice::engines {

// Each `SELECT count(*) … FROM t` of `statement` that asks nothing else of a table of known size becomes a SELECT of constants.
void AnswerCounts(const std::map<std::string, int64_t>& known_rows, Json* statement);

}  // namespace sluice::engines
