#pragma once
// Tables of other owners (`load: external`): seen below bronze/ of the lake's store as if they lay there, and never written. Of a folder of
// Parquet files Sluice keeps a log of its own under _sluice/external/, which says what lay there at which version (docs/external.md).
#include <memory>
#include <string>
#include <vector>

#include "run/session.h"
#include "store/mounted_store.h"

namespace sluice::run {

// Where the project's external tables are shown in the lake's store.
std::vector<store::Mount> MountsOf(const project::Project& project);

// The source whose table this is, if that is external; else null.
const project::Source* FindExternal(const project::Project& project, const std::string& table);

struct ExternalTable {
  delta::Snapshot snapshot;
  std::shared_ptr<const delta::LogCommit> unwritten;  // of Parquet files, not recorded: the one commit that makes the snapshot's version
};
// The newest version. Of Parquet files, what lies there now: `record` writes it down; else it is a version that is not written yet, as a
// plan sees it. Errors, at the source's place: kNotFound "no-such-table"; kUnsupported "unsupported-feature"; of a contract that the table
// does not keep kUser "contract-mismatch"; tables::FollowFolder's.
Result<ExternalTable> LoadExternal(Session& session, const project::Source& source, bool record);

// Fails with kRetryable "input-changed" where files of Parquet tables among `tables` were replaced or removed since they were pinned: what
// was read of them may be neither the one nor the other.
Status CheckUnmoved(Session& session, const std::string& table, const delta::Snapshot& pinned);

// Fails with kUser "external-table" for what would change a table of another owner.
Status CheckOwned(const project::Project& project, const std::string& table);

// When the table last changed, as far as it says: its commit, or its newest file.
Instant LastChange(const project::Source& source, const delta::Snapshot& snapshot);

}  // namespace sluice::run
