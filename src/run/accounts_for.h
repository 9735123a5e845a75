#pragma once
// Which filter or join dropped a key? The answer to a failed `accounts_for` check.
#include <string>
#include <vector>

#include "run/relations.h"

namespace sluice::run {

// `missing_sql`: the keys that did not come out (lowered). Each line names one filter or join of the model's outermost SELECT, with
// its place and how many of the missing keys it dropped; keys that no single one explains are counted in a last line. Empty where the
// model's FROM does not read the table directly (a CTE or subquery does): that is said in one line.
Result<std::vector<std::string>> ExplainMissingKeys(Session& session, const PinOf& pin_of, engines::Connection& connection,
                                                    const plan::Node& node, const project::Check& check, const std::string& missing_sql,
                                                    const std::vector<engines::Parameter>& params);

}  // namespace sluice::run
