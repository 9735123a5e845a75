#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace sluice {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Levenshtein distance with transpositions (optimal string alignment), case-insensitive.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = Lower(a[i - 1]) == Lower(b[j - 1]);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && Lower(a[i - 1]) == Lower(b[j - 2]) && Lower(a[i - 2]) == Lower(b[j - 1]))
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

// The end of the bracket class that starts at pattern[0] == '[', or npos.
bool MatchClass(std::string_view pattern, char c, size_t* length) {
  size_t i = 1;
  const bool negate = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negate) ++i;
  bool hit = false;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      hit |= pattern[i] <= c && c <= pattern[i + 2];
      i += 3;
    } else {
      hit |= pattern[i++] == c;
    }
  }
  if (i >= pattern.size()) return false;
  *length = i + 1;
  return hit != negate && c != '/';
}

bool MatchFrom(std::string_view pattern, std::string_view path) {
  if (pattern.empty()) return path.empty();
  if (pattern.starts_with("**/")) {
    if (MatchFrom(pattern.substr(3), path)) return true;
    for (size_t i = 0; i < path.size(); ++i)
      if (path[i] == '/' && MatchFrom(pattern.substr(3), path.substr(i + 1))) return true;
    return false;
  }
  if (pattern.starts_with("**")) {
    for (size_t i = 0; i <= path.size(); ++i)
      if (MatchFrom(pattern.substr(2), path.substr(i))) return true;
    return false;
  }
  if (pattern[0] == '*') {
    for (size_t i = 0;; ++i) {
      if (MatchFrom(pattern.substr(1), path.substr(i))) return true;
      if (i == path.size() || path[i] == '/') return false;
    }
  }
  if (pattern[0] == '{') {
    const size_t end = pattern.find('}');
    if (end != std::string_view::npos) {
      for (const std::string& option : Split(pattern.substr(1, end - 1), ','))
        if (MatchFrom(option + std::string(pattern.substr(end + 1)), path)) return true;
      return false;
    }
  }
  if (path.empty()) return false;
  if (pattern[0] == '?') return path[0] != '/' && MatchFrom(pattern.substr(1), path.substr(1));
  if (pattern[0] == '[') {
    size_t length = 0;
    return MatchClass(pattern, path[0], &length) && MatchFrom(pattern.substr(length), path.substr(1));
  }
  return pattern[0] == path[0] && MatchFrom(pattern.substr(1), path.substr(1));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t end; (end = text.find(separator, start)) != std::string_view::npos; start = end + 1)
    parts.emplace_back(text.substr(start, end - start));
  parts.emplace_back(text.substr(start));
  return parts;
}

std::string Join(std::span<const std::string> parts, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string ToLower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), Lower);
  return out;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

namespace {

// Are the next eight bytes ASCII?
bool AsciiAt(std::string_view s, size_t at) {
  uint64_t bytes = 0;
  if (s.size() - at < sizeof(bytes)) return false;
  std::memcpy(&bytes, s.data() + at, sizeof(bytes));
  return (bytes & 0x8080808080808080) == 0;
}

}  // namespace

bool IsValidUtf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c < 0x80) {
      i += AsciiAt(s, i) ? 8 : 1;
      continue;
    }
    const int extra = c >= 0xC2 && c <= 0xDF ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c <= 0xF4 ? 3 : -1;
    if (extra < 0 || i + extra >= s.size()) return false;
    for (int k = 1; k <= extra; ++k)
      if ((static_cast<unsigned char>(s[i + k]) & 0xC0) != 0x80) return false;
    const auto d = static_cast<unsigned char>(s[i + 1]);
    if ((c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F) || (c == 0xF0 && d < 0x90) || (c == 0xF4 && d > 0x8F)) return false;
    i += extra + 1;
  }
  return true;
}

std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> candidates) {
  std::optional<std::string> best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string DidYouMean(std::string_view word, std::span<const std::string> candidates) {
  const auto near = Nearest(word, candidates);
  return near ? fmt::format(" (did you mean \"{}\"?)", *near) : "";
}

namespace {
std::string Quote(std::string_view text, char quote) {
  std::string out(1, quote);
  for (char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}
}  // namespace

std::string QuoteIdentifier(std::string_view name) { return Quote(name, '"'); }
std::string QuoteLiteral(std::string_view text) { return Quote(text, '\''); }

std::string PercentEncode(std::string_view text, bool keep_slash) {
  std::string out;
  for (char c : text) {
    const bool unreserved = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
                            c == '_' || c == '~' || (keep_slash && c == '/');
    if (unreserved)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool GlobMatch(std::string_view pattern, std::string_view path) { return MatchFrom(pattern, path); }

std::string FormatCount(int64_t n) {
  std::string digits = std::to_string(n < 0 ? -n : n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, ",");
  return n < 0 ? "-" + digits : digits;
}

std::string FormatBytes(int64_t n) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(n);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", n) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::optional<int64_t> ParseBytes(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  const std::string unit = ToLower(Trim(text.substr(end - text.data())));
  static constexpr std::pair<const char*, double> kUnits[] = {{"", 1},
                                                              {"b", 1},
                                                              {"k", 1024},
                                                              {"kb", 1e3},
                                                              {"kib", 1024},
                                                              {"m", 1048576.0},
                                                              {"mb", 1e6},
                                                              {"mib", 1048576.0},
                                                              {"g", 1073741824.0},
                                                              {"gb", 1e9},
                                                              {"gib", 1073741824.0},
                                                              {"t", 1099511627776.0},
                                                              {"tb", 1e12},
                                                              {"tib", 1099511627776.0}};
  for (const auto& [name, factor] : kUnits)
    if (unit == name && value * factor < 9e18) return static_cast<int64_t>(value * factor);
  return std::nullopt;
}

std::optional<int64_t> ParseDuration(std::string_view text) {
  int64_t total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || n < 0 || end == text.data() + text.size()) return std::nullopt;
    text.remove_prefix(end - text.data());
    int64_t unit = 0;
    if (text.starts_with("ms"))
      unit = 1000;
    else if (text[0] == 's')
      unit = 1000000;
    else if (text[0] == 'm')
      unit = 60000000;
    else if (text[0] == 'h')
      unit = 3600000000LL;
    else if (text[0] == 'd')
      unit = 86400000000LL;
    else if (text[0] == 'w')
      unit = 604800000000LL;
    if (unit == 0 || n > INT64_MAX / unit / 4) return std::nullopt;
    total += n * unit;
    text.remove_prefix(unit == 1000 ? 2 : 1);
  }
  return total;
}

uint64_t Hash64(std::string_view bytes) {
  uint64_t h = 14695981039346656037ULL;
  for (unsigned char c : bytes) h = (h ^ c) * 1099511628211ULL;
  h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93ULL;
  return h ^ (h >> 32);
}

std::string Hex(uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace sluice
