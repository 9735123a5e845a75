#include "formats/encoding.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/counted.h"
#include "core/one_line.h"
#include "core/text.h"
#include "sources/files/dialect.h"

namespace sluice::sources {
namespace {

// Text of ASCII in UTF-16 or UTF-32 has a zero in every second byte, or three in four; where, tells the order of its bytes.
std::string WideEncodingOf(std::string_view sample) {
  const std::string_view head = sample.substr(0, 4096 & ~size_t{3});
  if (head.size() < 4) return "";
  int64_t zeros[4] = {};
  for (size_t i = 0; i < head.size(); ++i) zeros[i % 4] += head[i] == '\0';
  const int64_t total = zeros[0] + zeros[1] + zeros[2] + zeros[3], size = static_cast<int64_t>(head.size());
  if (total * 10 > size * 7) return zeros[0] > zeros[3] ? "utf-32be" : "utf-32le";
  if (total * 10 > size * 4) return zeros[0] > zeros[1] ? "utf-16be" : "utf-16le";
  return "";
}

struct BadLines {
  int64_t lines = 0, bad = 0;
  std::string_view first;
  int64_t first_number = 0;
};

BadLines CountBadLines(std::string_view sample, bool whole) {
  BadLines found;
  while (!sample.empty()) {
    const size_t end = sample.find_first_of("\r\n");
    if (end == std::string_view::npos && found.lines > 0 && !whole) break;  // the sample may end within a character
    const std::string_view line = sample.substr(0, end);
    sample.remove_prefix(end == std::string_view::npos ? sample.size() : end + (sample.substr(end).starts_with("\r\n") ? 2 : 1));
    ++found.lines;
    if (IsValidUtf8(line)) continue;
    if (found.bad++ == 0) {
      found.first = line;
      found.first_number = found.lines;
    }
  }
  return found;
}

// Windows-1252 has no such characters.
bool MayBeWindows1252(std::string_view sample) {
  return std::none_of(sample.begin(), sample.end(),
                      [](char c) { return c == '\x81' || c == '\x8d' || c == '\x8f' || c == '\x90' || c == '\x9d'; });
}

// The piece of the line around its first byte that is no ASCII, as it would read.
std::string Excerpt(std::string_view line, const std::string& encoding) {
  const auto odd = std::find_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  const auto at = static_cast<size_t>(odd - line.begin());
  const size_t begin = at < 20 ? 0 : at - 20;
  const auto text = formats::TranscodeText(line.substr(begin, 40), encoding, true);
  if (!text || !IsValidUtf8(*text)) return "";
  return OnOneLine(*text);
}

Error Unsure(const std::string& file, const std::string& why, const std::string& pin) {
  return DataError("unsure-encoding", fmt::format("{} {}", file, why)).Hint(pin);
}

// What it probably is, with the error that says so where guesses are not accepted.
Result<std::string> Guess(const EncodingRequest& request, const std::string& encoding, const std::string& why, const std::string& pin) {
  if (request.doubts == nullptr || encoding.empty()) return Fail(Unsure(request.file, why, pin));
  request.doubts->push_back(fmt::format("{}; read as {}", why, encoding));
  return encoding;
}

}  // namespace

Result<std::string> DetectEncoding(const EncodingRequest& request) {
  if (const std::string mark = formats::EncodingOfMark(request.sample); !mark.empty()) return mark == "utf-8" ? "" : mark;
  if (request.pinned == "utf-8") return std::string();
  if (!request.pinned.empty()) return request.pinned;
  if (const std::string wide = WideEncodingOf(request.sample); !wide.empty())
    return Guess(request, wide, fmt::format("looks like {} without a byte order mark", wide),
                 fmt::format("pin it in the source's `read`: encoding: {}", wide));
  if (IsValidUtf8(request.sample)) return std::string();
  const BadLines found = CountBadLines(request.sample, request.whole);
  if (found.bad < 2 || found.bad * 20 <= found.lines) return std::string();
  const std::string why = fmt::format("is not UTF-8 in {} of its first {}", FormatCount(found.bad), Counted(found.lines, "line"));
  if (!MayBeWindows1252(request.sample))
    return Guess(request, "", why + ", nor Windows-1252",
                 "say in the source's `read` what it is: encoding: ibm850, iso-8859-2, shift_jis, … (`utf-8` reads the lines that are)");
  return Guess(request, "windows-1252",
               fmt::format("{}; in Windows-1252 line {} has \"{}\"", why, found.first_number, Excerpt(found.first, "windows-1252")),
               "if that reads right, pin it in the source's `read`: encoding: windows-1252; else the encoding that it is (`utf-8` reads "
               "the lines that are)");
}

}  // namespace sluice::sources
