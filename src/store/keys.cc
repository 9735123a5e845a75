#include "store/keys.h"

#include <fmt/format.h>

#include "core/text.h"

namespace sluice::store {

Status CheckKey(std::string_view key) {
  bool good = !key.empty() && key.find('\0') == std::string_view::npos;
  for (std::string_view rest = key; good;) {
    const size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    good = !part.empty() && part != "." && part != "..";
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (good) return Ok();
  return Fail(UserError("bad-key", fmt::format("\"{}\" does not name an object inside this store", key)));
}

}  // namespace sluice::store
