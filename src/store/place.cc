#include "store/place.h"

#include <fmt/format.h>

#include <filesystem>

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

Result<Place> PlaceInUrl(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  const size_t slash = url.rfind('/');
  if (slash < url.find("://") + 3) {  // a whole bucket
    SLUICE_TRY(auto store, OpenStore(url));
    return Place{std::move(store), ""};
  }
  SLUICE_TRY(auto store, OpenStore(url.substr(0, slash)));
  return Place{std::move(store), url.substr(slash + 1)};
}

}  // namespace

Result<Place> OpenPlace(const std::string& location) {
  if (location.find("://") != std::string::npos) return PlaceInUrl(location);
  std::error_code error;
  const fs::path path = fs::canonical(location, error);
  if (error || !path.has_relative_path()) return Fail(UserError("no-such-place", fmt::format("there is no folder {}", location)));
  SLUICE_TRY(auto store, OpenStore(path.parent_path().string()));
  return Place{std::move(store), path.filename().string()};
}

}  // namespace sluice::store
