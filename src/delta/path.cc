#include "delta/path.h"

#include <fmt/format.h>

#include <cctype>

#include "core/text.h"

namespace sluice::delta {
namespace {

// The length of "scheme:" (RFC 3986 section 3.1), or 0. One letter is a drive of another system, no scheme.
size_t SchemeLength(std::string_view path) {
  if (path.empty() || !std::isalpha(static_cast<unsigned char>(path[0]))) return 0;
  for (size_t i = 1; i < path.size(); ++i) {
    const auto c = static_cast<unsigned char>(path[i]);
    // A partition folder may be called "a:b=1"; a scheme of a data file is followed by a path.
    if (c == ':') return i > 1 && i + 1 < path.size() && path[i + 1] == '/' ? i + 1 : 0;
    if (!std::isalnum(c) && c != '+' && c != '-' && c != '.') return 0;
  }
  return 0;
}

// "file:/a", "file:///a", "file://localhost/a" → "/a"; other text as it is.
std::string_view WithoutFileScheme(std::string_view path) {
  if (!path.starts_with("file:/")) return path;
  path.remove_prefix(5);
  if (!path.starts_with("//")) return path;
  const size_t slash = path.find('/', 2);
  return slash == std::string_view::npos ? path : path.substr(slash);
}

std::string Decode(std::string_view path) { return path.find('%') == std::string_view::npos ? std::string(path) : PercentDecode(path); }

}  // namespace

bool IsAbsolutePath(std::string_view log_path) { return log_path.starts_with('/') || SchemeLength(log_path) > 0; }

std::string PathKey(std::string_view log_path) { return Decode(WithoutFileScheme(log_path)); }

std::string StoreKey(std::string_view table_root, std::string_view log_path) {
  return table_root.empty() ? Decode(log_path) : fmt::format("{}/{}", table_root, Decode(log_path));
}

std::string FileLocation(const store::ObjectStore& store, std::string_view table_root, std::string_view log_path) {
  return IsAbsolutePath(log_path) ? PathKey(log_path) : store.Uri(StoreKey(table_root, log_path));
}

std::string LogPath(std::string_view relative_key) {
  std::string path = PercentEncode(relative_key, /*keep_slash=*/true);
  // '=' may stand in a path (RFC 3986 section 3.3), and every other writer leaves it in "column=value/".
  for (size_t i = 0; (i = path.find("%3D", i)) != std::string::npos; ++i) path.replace(i, 3, "=");
  return path;
}

}  // namespace sluice::delta
