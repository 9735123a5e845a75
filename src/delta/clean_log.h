#pragma once
// Taking away what of a log nobody can want any more (PROTOCOL.md, "Metadata Cleanup").
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "delta/snapshot.h"

namespace sluice::delta {

// Pure: which of a log's objects (without sidecars) go, oldest version first. All versions from `floor` on stay readable, and so do
// those that were there at `cutoff_millis` or came later. Nothing goes where no checkpoint stands for what would be missing.
std::vector<std::string> ExpiredLogFiles(const std::vector<store::ObjectMeta>& objects, std::string_view table_root, int64_t cutoff_millis,
                                         int64_t floor);

// Deletes them, and sidecars that no checkpoint names any more, as the table's properties ask: delta.logRetentionDuration (30 days,
// counted from midnight UTC), delta.enableExpiredLogCleanup. Gives the number of objects deleted. Nothing is deleted where the
// checkpoint that would stand for it cannot be read ("bad-delta-log"). A failure leaves a log that is whole from some checkpoint on.
Result<int64_t> CleanLog(store::ObjectStore& store, std::string_view table_root, const Metadata& metadata, int64_t floor, Clock& clock);

// The same, where the floor costs something to know: it is asked for only if something has expired.
Result<int64_t> CleanLog(store::ObjectStore& store, std::string_view table_root, const Metadata& metadata,
                         const std::function<Result<int64_t>()>& floor, Clock& clock);

}  // namespace sluice::delta
