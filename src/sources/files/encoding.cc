#include <fmt/format.h>

#include <algorithm>

#include "core/counted.h"
#include "core/text.h"
#include "sources/files/dialect.h"

namespace sluice::sources {
namespace {

Error Unsupported(const std::string& file, const std::string& encoding) {
  return DataError("unsupported-encoding", fmt::format("{} is {}; only UTF-8 can be read", file, encoding))
      .Hint("have it exported as UTF-8, or convert it on its way in: iconv -f <its encoding> -t UTF-8 old.csv > new.csv");
}

// Text of ASCII in UTF-16 or UTF-32 has a zero in every second byte, or three in four.
std::string WideEncodingOf(std::string_view sample) {
  if (sample.starts_with(std::string_view("\xff\xfe\0\0", 4)) || sample.starts_with(std::string_view("\0\0\xfe\xff", 4))) return "UTF-32";
  if (sample.starts_with("\xff\xfe") || sample.starts_with("\xfe\xff")) return "UTF-16";
  const std::string_view head = sample.substr(0, 4096);
  const auto zeros = std::count(head.begin(), head.end(), '\0');
  if (head.size() < 4) return "";
  if (zeros * 10 > static_cast<int64_t>(head.size()) * 7) return "UTF-32 (without a byte order mark)";
  if (zeros * 10 > static_cast<int64_t>(head.size()) * 4) return "UTF-16 (without a byte order mark)";
  return "";
}

}  // namespace

Status CheckEncoding(std::string_view sample, const std::string& file) {
  if (const std::string wide = WideEncodingOf(sample); !wide.empty()) return Fail(Unsupported(file, wide));
  int64_t lines = 0, invalid = 0;
  while (!sample.empty()) {
    const size_t end = sample.find('\n');
    if (end == std::string_view::npos && lines > 0) break;  // the sample may end within a character
    ++lines;
    invalid += !IsValidUtf8(sample.substr(0, end));
    sample.remove_prefix(end == std::string_view::npos ? sample.size() : end + 1);
  }
  if (invalid < 2 || invalid * 20 <= lines) return Ok();
  return Fail(Unsupported(file, fmt::format("not UTF-8 in {} of its first {} (probably Windows-1252, Latin-1 or another 8-bit encoding)",
                                            FormatCount(invalid), Counted(lines, "line"))));
}

}  // namespace sluice::sources
