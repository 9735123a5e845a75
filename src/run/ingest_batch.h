#pragma once
// What ingest and replay share: a staged bronze and quarantine become one batch's decision.
#include <optional>
#include <string>
#include <vector>

#include "ingest/ingest.h"
#include "run/node.h"
#include "state/batch.h"
#include "tables/change.h"

namespace sluice::run {

std::string QuarantineTable(const project::Source& source);  // "quarantine.orders"

// The commit that shows `staged`, on the snapshot it was staged on. Empty where nothing changes.
Result<tables::StagedChange> ChangeOf(Session& session, const plan::Node& node, const ingest::StagedTable& staged,
                                      const delta::Snapshot* snapshot);

// Quarantine first, then bronze: the order in which they are committed.
Result<std::vector<state::TableChange>> ChangesOf(Session& session, const plan::Node& node, const RunContext& context,
                                                  const ingest::StagedTable& quarantine, const delta::Snapshot* quarantine_snapshot,
                                                  const ingest::StagedTable& bronze, const delta::Snapshot* bronze_snapshot);

// Takes the rows of `files` (what _file says) out of bronze as it stands in `snapshot`, in the same change. Gives how many those are.
Result<int64_t> TakeOutRows(Session& session, const plan::Node& node, const std::vector<std::string>& files,
                            const delta::Snapshot& snapshot, const std::string& file_prefix, ingest::StagedTable* staged);

// A voided change of an ingest is prepared again from the files already staged, never from the source. One that rewrote
// files (a replay, superseded rows, a widened column) or gave the table a new layout is abandoned instead.
state::Reprepare IngestReprepare(Session& session, const plan::Node& node, const RunContext& context);

// Everything ingest needs of the outside; `input` may be null (replay).
ingest::Environment IngestEnvironment(Session& session, const plan::Node& node, const RunContext& context, Instant clock,
                                      store::ObjectStore* input, engines::DuckDb* db);

ingest::BatchIdentity BatchOf(const plan::Node& node, const state::OpenRecord& open, const RunContext& context);

// Where a batch of this source stages: quarantine and bronze.
std::vector<std::string> RootsOf(const plan::Node& node);

}  // namespace sluice::run
