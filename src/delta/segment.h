#pragma once
// Snapshots made from a chosen part of a log: what LoadSnapshot does, step by step.
#include "delta/log_files.h"
#include "delta/snapshot.h"

namespace sluice::delta {

// The snapshot of a checkpoint and the commits after it. Errors as LoadSnapshot's; `torn`: is it that the checkpoint can't be read?
Result<Snapshot> LoadSegment(store::ObjectStore& store, std::string_view table_root, const LogSegment& segment, bool* torn = nullptr);
// The actions of one commit file, in the order of its lines. Error: "bad-delta-log" naming file and line.
Result<std::vector<Action>> ReadCommitFile(store::ObjectStore& store, const std::string& key);
// Pure: the table after these commits, which follow it without a gap, oldest first; `head` is the last one's file. What they leave
// as it was is shared with `base`.
Result<Snapshot> ApplyCommits(const Snapshot& base, std::vector<LogCommit> commits, const store::ObjectMeta& head);

}  // namespace sluice::delta
