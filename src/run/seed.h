#pragma once
#include "contract/type.h"
#include "run/session.h"
#include "state/batch.h"

namespace sluice::run {

// A seed's columns, by their whole contents. Error "bad-seed" at the file.
Result<contract::Schema> SeedSchema(Session& session, const project::Seed& seed);

// Of the file's contents. Error "unreadable-seed".
Result<std::string> SeedFingerprint(const project::Seed& seed);

// For people; of a seed that is not up to date.
std::string WhySeedRuns(const state::NodeState& state, const std::string& fingerprint, bool full_refresh);

}  // namespace sluice::run
