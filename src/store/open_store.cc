#include <fmt/format.h>

#include "core/text.h"
#include "store/object_store.h"

namespace sluice::store {

Result<std::unique_ptr<ObjectStore>> OpenStore(const std::string& location) {
  const size_t scheme_end = location.find("://");
  if (scheme_end == std::string::npos) return OpenLocalStore(location);
  const std::string scheme = ToLower(location.substr(0, scheme_end));
  if (scheme == "file") return OpenLocalStore(PercentDecode(location.substr(scheme_end + 3)));
  return Fail(
      UnsupportedError("unsupported-store", fmt::format("{} is not on a local disk: this version of Sluice keeps lakes and reads files "
                                                        "on local disks only",
                                                        location))
          .Hint("give a path, such as ./lake"));
}

}  // namespace sluice::store
