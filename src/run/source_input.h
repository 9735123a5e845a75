#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "project/project.h"
#include "sources/source.h"
#include "state/ledger.h"

namespace sluice::run {

// The connector of a project's source, with its `read:` settings.
Result<std::unique_ptr<sources::FileSource>> OpenInput(const project::Source& source);

// The connector of a source of rows. Secrets of its connection are resolved here. Errors: those of project::ResolvePeer.
Result<std::unique_ptr<sources::RowSource>> OpenRows(const project::Source& source, const std::string& scratch_dir,
                                                     const std::atomic<bool>* cancel);
bool GivesRows(const project::Source& source);

// What a batch of rows takes, as its records have it: what was read, how, and from which cursor on.
std::string InputsOfRows(const project::Source& source, const std::string& cursor, size_t splits);

// What the batches of a source have taken, as its connector wants it.
sources::Ledger SeenBy(state::FileLedger ledger);

// What a batch of the source takes now. A snapshot (load: full) and a reload are all files that are ready, and none while one is not.
// Errors: those of Source::Look.
Result<sources::Offer> LookFor(const project::Source& source, sources::FileSource& input, const sources::Ledger& seen, bool reload,
                               Instant now);

// Has the offer files that are known under another name, which is to be remembered though nothing is to be read?
bool HasNewNames(const sources::Offer& offer);

// Keys of the ledger that `offer` does not have any more, for people.
std::vector<std::string> NotesOfGone(const sources::Offer& offer, const sources::Ledger& seen);

// What an offer left out and why, for people: each file by name as long as these are few.
std::vector<std::string> NotesOf(const sources::Offer& offer);

// Why there is nothing to take, where an offer has no files.
std::string WhyNothing(const sources::Offer& offer, const std::string& glob, bool nothing_before);

}  // namespace sluice::run
