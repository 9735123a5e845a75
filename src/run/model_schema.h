#pragma once
// Which columns does a model give, and which does its table have?
#include <map>
#include <string>

#include "run/session.h"

namespace sluice::run {

// The schema that a model's SQL gives, checked against what its .yml says of it (key, sequence_by, track, columns …): errors at their
// place. `inputs`: TableUse::id() → columns.
// With `wrong`, what the .yml says wrongly goes there, and the schema is given all the same.
Result<contract::Schema> BindModel(Session& session, const plan::Node& node, const std::map<std::string, contract::Schema>& inputs,
                                   Diagnostics* wrong = nullptr);

// Columns of the model's table as readers see them: with scd2's own and metadata columns.
Result<contract::Schema> StoredSchema(const plan::Node& node, const contract::Schema& model_schema);

bool HasParameter(const engines::SqlTree& tree, const std::string& name);

}  // namespace sluice::run
