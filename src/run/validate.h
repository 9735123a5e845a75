#pragma once
// Does everything fit, without reading any data? Every model's SQL bound against the contracts and the models upstream.
#include <map>
#include <set>
#include <string>

#include "run/session.h"

namespace sluice::run {

struct Validated {
  std::map<std::string, contract::Schema>
      schemas;  // table → columns, metadata columns included; tables whose columns are not known yet lack
  std::vector<Error> warnings;
};

// Binds the chosen nodes and all upstream of them (all nodes: empty). All errors at once, each at its place.
Result<Validated> Validate(Session& session, const std::set<size_t>& nodes = {});

// Of a project whose files have errors (the session is one that looks): what else is wrong in it, as far as that does not follow from
// them. No file is named that they name.
std::vector<Error> ErrorsBeside(Session& session, const std::vector<Error>& project_errors);

// By place, sluice.yml first. Requires at least one.
Error AllInOrder(std::vector<Error> errors);

}  // namespace sluice::run
