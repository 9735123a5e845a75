#pragma once
// Version checksum files (PROTOCOL.md, "Version Checksum File"): what another writer thought the table is.
#include <string>
#include <string_view>
#include <vector>

#include "delta/snapshot.h"

namespace sluice::delta {

// Pure: what the checksum file's text says otherwise than our own replay of that version, each as a sentence. Fields that it does
// not have are not compared. Error: "bad-delta-log" where it is no checksum file.
Result<std::vector<std::string>> CompareChecksum(std::string_view text, const Snapshot& snapshot);

}  // namespace sluice::delta
