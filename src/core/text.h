#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

std::vector<std::string> Split(std::string_view text, char separator);
std::string Join(std::span<const std::string> parts, std::string_view separator);
std::string_view Trim(std::string_view text);
std::string ToLower(std::string_view text);  // ASCII only
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
bool IsValidUtf8(std::string_view text);

// The candidate nearest to `word` by edit distance (case-insensitive), if near enough to be a slip of the hand.
std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> candidates);
// " (did you mean \"x\"?)" or "".
std::string DidYouMean(std::string_view word, std::span<const std::string> candidates);

std::string QuoteIdentifier(std::string_view name);  // "a""b"
std::string QuoteLiteral(std::string_view text);     // 'it''s'

// RFC 3986; keeps unreserved characters, and '/' where keep_slash.
std::string PercentEncode(std::string_view text, bool keep_slash);
std::string PercentDecode(std::string_view text);  // decodes once; a stray '%' stays as it is

// "* ? [a-z] ** {a,b}" against a '/'-separated path; "**" crosses folders, '*' does not.
bool GlobMatch(std::string_view pattern, std::string_view path);

std::string FormatCount(int64_t n);  // 10412 → "10,412"
std::string FormatBytes(int64_t n);  // 1536 → "1.5 KiB"
// "64MB", "2GiB", "512k", plain bytes; nullopt if it is no size.
std::optional<int64_t> ParseBytes(std::string_view text);
// "10m", "24h", "30s", "7d", "1h30m" → microseconds; nullopt if it is no duration.
std::optional<int64_t> ParseDuration(std::string_view text);

uint64_t Hash64(std::string_view bytes);  // stable across runs and machines (FNV-1a, 64 bits, mixed)
std::string Hex(uint64_t value);          // 16 lower-case digits

}  // namespace sluice
