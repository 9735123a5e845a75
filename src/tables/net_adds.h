#pragma once
// What a table has gained since a version that somebody has read, where it has only gained.
#include <optional>
#include <string_view>
#include <vector>

#include "delta/snapshot.h"

namespace sluice::tables {

// The files of `now` that `version` did not have; nullopt where some of those that it had are gone: then rows were taken back or changed.
// So what was appended and restored away in between is nothing, however many commits it took. Errors: those of LoadSnapshot.
Result<std::optional<std::vector<delta::Add>>> NetAdds(store::ObjectStore& store, std::string_view table_root, int64_t version,
                                                       const delta::Snapshot& now);

}  // namespace sluice::tables
