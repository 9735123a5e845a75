#pragma once
#include <memory>
#include <string>
#include <vector>

#include "project/project.h"
#include "sources/source.h"
#include "state/ledger.h"

namespace sluice::run {

// The connector of a project's source, with its `read:` settings.
Result<std::unique_ptr<sources::Source>> OpenInput(const project::Source& source);

// What the batches of a source have taken, as its connector wants it.
sources::Ledger SeenBy(state::FileLedger ledger);

// What an offer left out and why, for people: each file by name as long as these are few.
std::vector<std::string> NotesOf(const sources::Offer& offer);

// Why there is nothing to take, where an offer has no files.
std::string WhyNothing(const sources::Offer& offer, const std::string& glob, bool nothing_before);

}  // namespace sluice::run
