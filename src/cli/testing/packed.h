#pragma once
// Compressed files for test cases; nullopt or false where the library refuses.
#include <optional>
#include <string>

namespace sluice::cli::testing {

std::optional<std::string> ZstdOf(const std::string& bytes);
std::optional<std::string> Bzip2Of(const std::string& bytes);
std::optional<std::string> XzOf(const std::string& bytes);
// Adds a member to the archive at `path`, made if it is not there.
bool AddToZip(const std::string& path, const std::string& member, const std::string& bytes);

}  // namespace sluice::cli::testing
