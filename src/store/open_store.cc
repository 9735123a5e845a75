#include <fmt/format.h>

#include "core/text.h"
#include "store/remote.h"

namespace sluice::store {

Result<size_t> ObjectStore::ReadRange(std::string_view key, int64_t offset, std::span<char> out) {
  SLUICE_TRY(const std::string bytes, GetRange(key, offset, static_cast<int64_t>(out.size())));
  return bytes.copy(out.data(), out.size());
}

bool IsRemote(std::string_view location) {
  const size_t scheme_end = location.find("://");
  return scheme_end != std::string_view::npos && ToLower(location.substr(0, scheme_end)) != "file";
}

Result<std::unique_ptr<ObjectStore>> OpenStore(const std::string& location, const StoreOptions& options) {
  const size_t scheme_end = location.find("://");
  if (scheme_end == std::string::npos) return OpenLocalStore(location);
  const std::string scheme = ToLower(location.substr(0, scheme_end));
  if (scheme == "file") return OpenLocalStore(PercentDecode(location.substr(scheme_end + 3)));
  if (scheme == "s3" || scheme == "s3a") return OpenS3Store(location, options);
  return Fail(UserError("unsupported-store", fmt::format("{} is neither a folder nor in S3", location))
                  .Hint("give a path, such as ./lake, or s3://bucket/prefix"));
}

Result<std::unique_ptr<ObjectStore>> OpenStore(const std::string& location) { return OpenStore(location, StoreOptions{}); }

Result<std::unique_ptr<RemoteAccess>> AccessOf(ObjectStore& store) {
  auto* networked = dynamic_cast<Networked*>(&store);
  if (networked == nullptr) return nullptr;
  return networked->Access();
}

Status DeleteAll(ObjectStore& store, const std::vector<std::string>& keys) {
  if (auto* networked = dynamic_cast<Networked*>(&store)) return networked->DeleteAll(keys);
  for (const std::string& key : keys) SLUICE_CHECK(store.Delete(key));
  return Ok();
}

}  // namespace sluice::store
