#include "formats/xlsx_cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/text.h"
#include "core/time.h"

namespace sluice::formats {
namespace {

constexpr double kLastSerial = 2958466;  // 10000-01-01
constexpr int64_t kMillisPerDay = 86400000;
constexpr size_t kMostZeros = 255;  // of a format; Excel takes no longer one

bool IsPlainInteger(std::string_view raw) {
  if (raw.starts_with('-')) raw.remove_prefix(1);
  return !raw.empty() && std::all_of(raw.begin(), raw.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<double> ParseDouble(std::string_view raw) {
  double value = 0;
  if (raw.starts_with('+')) raw.remove_prefix(1);
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc() || end != raw.data() + raw.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// Excel writes seventeen digits; the shortest spelling is what was typed.
std::string Shortest(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{}", static_cast<int64_t>(value));
  return fmt::format("{}", value);
}

std::string ClockText(int64_t millis) {
  std::string text = fmt::format("{:02}:{:02}:{:02}", millis / 3600000, millis / 60000 % 60, millis / 1000 % 60);
  if (millis % 1000 != 0) text += fmt::format(".{:03}", millis % 1000);
  return text;
}

// The 1900 calendar has a 29 February that never was: serials below it are a day off, and it is none (section 18.17.4.1).
std::optional<std::string> TextOfSerial(double serial, CellStyle style, bool since_1904) {
  if (serial < 0 || serial >= kLastSerial) return std::nullopt;
  const auto millis = static_cast<int64_t>(std::llround(serial * static_cast<double>(kMillisPerDay)));
  if (style == CellStyle::kDuration) return ClockText(millis);
  int64_t day = millis / kMillisPerDay;
  const int64_t clock = millis % kMillisPerDay;
  if (style == CellStyle::kTime && serial < 1) return ClockText(clock);  // what rounds up to midnight is shown as 00:00:00
  if (!since_1904 && (day == 0 || day == 60)) return std::nullopt;
  constexpr int32_t kDay1900 = -25569, kDay1904 = -24107;  // days from 1970-01-01 to serial 0
  const auto date = static_cast<int32_t>(day + (since_1904 ? kDay1904 : day < 60 ? kDay1900 + 1 : kDay1900));
  std::string text = FormatDate(date);
  if (style == CellStyle::kDate && clock == 0) return text;
  return text + "T" + ClockText(clock);
}

}  // namespace

NumberStyle StyleOfCode(std::string_view code) {
  code = code.substr(0, code.find(';'));  // the section of positive numbers
  bool date = false, time = false, month_or_minute = false;
  std::string bare;
  for (size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    if (c == '"') {
      i = std::min(code.find('"', i + 1), code.size());
    } else if (c == '\\' || c == '_' || c == '*') {
      ++i;
    } else if (c == '[') {
      const size_t close = std::min(code.find(']', i), code.size());
      const std::string inside = ToLower(code.substr(i + 1, close - i - 1));
      if (!inside.empty() && inside.find_first_not_of("hms") == std::string::npos) return {CellStyle::kDuration, 0};
      i = close;
    } else {
      bare += c;
    }
  }
  const std::string lower = ToLower(bare);
  if (lower.find("general") != std::string::npos) return {};
  for (const char c : lower) {
    date |= c == 'y' || c == 'd';
    time |= c == 'h' || c == 's';
    month_or_minute |= c == 'm';
  }
  date |= month_or_minute && !time;
  if (date && time) return {CellStyle::kDateTime, 0};
  if (date || time) return {date ? CellStyle::kDate : CellStyle::kTime, 0};
  if (bare.size() > 1 && bare.size() <= kMostZeros && bare.find_first_not_of('0') == std::string::npos && bare == code)
    return {CellStyle::kZeros, static_cast<int>(bare.size())};
  return {};
}

// Section 18.8.30; 27 to 36 and 50 to 58 are dates of East Asian locales.
NumberStyle StyleOfBuiltIn(int id) {
  if (id == 22) return {CellStyle::kDateTime, 0};
  if ((id >= 14 && id <= 17) || (id >= 27 && id <= 31) || id == 36 || (id >= 50 && id <= 54) || id == 57 || id == 58)
    return {CellStyle::kDate, 0};
  if ((id >= 18 && id <= 21) || (id >= 32 && id <= 35) || id == 55 || id == 56 || id == 45 || id == 47) return {CellStyle::kTime, 0};
  if (id == 46) return {CellStyle::kDuration, 0};
  return {};
}

std::optional<std::string> TextOfNumber(std::string_view raw, const NumberStyle& style, bool since_1904) {
  const auto value = ParseDouble(raw);
  if (!value) return std::nullopt;
  if (style.kind == CellStyle::kZeros && *value >= 0 && *value == std::floor(*value) && *value < 1e15)
    return fmt::format("{:0{}}", static_cast<int64_t>(*value), style.zeros);
  if (style.kind != CellStyle::kNumber && style.kind != CellStyle::kZeros) return TextOfSerial(*value, style.kind, since_1904);
  return IsPlainInteger(raw) ? std::string(raw) : Shortest(*value);
}

std::optional<CellReference> ParseReference(std::string_view text) {
  CellReference reference;
  size_t at = 0;
  int64_t column = 0;
  for (; at < text.size() && ((text[at] >= 'A' && text[at] <= 'Z') || (text[at] >= 'a' && text[at] <= 'z')); ++at) {
    column = column * 26 + ((text[at] & 0x1f));
    if (column > 16384) return std::nullopt;
  }
  if (at == 0) return std::nullopt;
  reference.column = static_cast<int>(column) - 1;
  if (at == text.size()) return reference;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), reference.row);
  if (error != std::errc() || end != text.data() + text.size() || reference.row < 1) return std::nullopt;
  return reference;
}

std::optional<CellRange> ParseRange(std::string_view text) {
  CellRange range;
  const size_t colon = text.find(':');
  const auto first = ParseReference(text.substr(0, colon));
  if (!first || colon == std::string_view::npos) return std::nullopt;
  const auto last = ParseReference(text.substr(colon + 1));
  if (!last) return std::nullopt;
  range.given = true;
  range.first_column = first->column;
  range.first_row = first->row;
  range.last_column = last->column;
  range.last_row = last->row;
  const bool ordered = range.first_column <= range.last_column && (range.last_row == 0 || range.first_row <= range.last_row);
  return ordered ? std::optional(range) : std::nullopt;
}

std::string ColumnLetters(int column) {
  std::string letters;
  for (int rest = column + 1; rest > 0; rest = (rest - 1) / 26) letters.insert(letters.begin(), static_cast<char>('A' + (rest - 1) % 26));
  return letters;
}

std::string WithoutEscapes(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const bool escape = text.compare(i, 2, "_x") == 0 && i + 7 <= text.size() && text[i + 6] == '_' &&
                        std::from_chars(text.data() + i + 2, text.data() + i + 6, code, 16).ptr == text.data() + i + 6;
    if (!escape || code == 0 || code >= 0x80) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(code);
    i += 6;
  }
  return out;
}

}  // namespace sluice::formats
