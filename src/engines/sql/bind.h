#pragma once
// The schema that a tree gives, found by binding it against empty tables.
#include <map>
#include <vector>

#include "engines/sql/tree.h"

namespace sluice::engines {

Result<contract::Schema> BindTree(const SqlTree& tree, const std::map<std::string, contract::Schema>& inputs,
                                  const std::vector<Parameter>& params, const BindOptions& options);

// (SELECT CAST(NULL AS T) AS "c", … WHERE false)
std::string EmptyRelation(const contract::Schema& schema);

}  // namespace sluice::engines
