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

struct Character {
  std::string_view bytes;
  char32_t code = 0;  // 0 for a byte that is no UTF-8
};

// Requires text that is not empty.
Character NextCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80 ? 1 : byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (length == 1) return {text.substr(0, 1), byte(0)};
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) return {text.substr(0, 1), 0};
  char32_t code = byte(0) & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {text.substr(0, 1), 0};
    code = code << 6 | (byte(i) & 0x3F);
  }
  return {text.substr(0, length), code};
}

// Does java.net.URI leave this character of a path as it is? Of those beyond ASCII all but blanks and controls.
bool StandsInUri(const Character& character) {
  const char32_t code = character.code;
  if (code < 0x80)
    return code != 0 && (std::isalnum(static_cast<int>(code)) ||
                         std::string_view("_-!.~'()*:@&=+$,;/").find(static_cast<char>(code)) != std::string_view::npos);
  const bool blank = code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
                     code == 0x202F || code == 0x205F || code == 0x3000;
  return code > 0x9F && !blank;
}

std::string Decode(std::string_view path) { return path.find('%') == std::string_view::npos ? std::string(path) : PercentDecode(path); }

}  // namespace

bool IsAbsolutePath(std::string_view log_path) { return log_path.starts_with('/') || SchemeLength(log_path) > 0; }

bool IsPlainPath(std::string_view log_path) { return log_path.find('%') == std::string_view::npos && !log_path.starts_with("file:/"); }

std::string PathKey(std::string_view log_path) { return Decode(WithoutFileScheme(log_path)); }

std::string StoreKey(std::string_view table_root, std::string_view log_path) {
  return table_root.empty() ? Decode(log_path) : fmt::format("{}/{}", table_root, Decode(log_path));
}

std::string FileLocation(const store::ObjectStore& store, std::string_view table_root, std::string_view log_path) {
  return IsAbsolutePath(log_path) ? PathKey(log_path) : store.Uri(StoreKey(table_root, log_path));
}

std::string LogPath(std::string_view relative_key) {
  std::string path;
  while (!relative_key.empty()) {
    const auto character = NextCharacter(relative_key);
    if (StandsInUri(character))
      path += character.bytes;
    else
      for (const char byte : character.bytes) path += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    relative_key.remove_prefix(character.bytes.size());
  }
  return path;
}

}  // namespace sluice::delta
