#include "contract/zone.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/time.h"

namespace sluice::contract {
namespace {

constexpr int64_t kDay = 86400;

int64_t BigEndian(std::string_view bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return width == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
}

struct Header {
  int64_t ut_indicators, std_indicators, leaps, times, types, chars;
  size_t DataSize(size_t time_width) const {
    return static_cast<size_t>(times) * (time_width + 1) + static_cast<size_t>(types) * 6 + static_cast<size_t>(chars) +
           static_cast<size_t>(leaps) * (time_width + 4) + static_cast<size_t>(std_indicators) + static_cast<size_t>(ut_indicators);
  }
};
constexpr size_t kHeaderSize = 44;

std::optional<Header> ReadHeader(std::string_view bytes, size_t at) {
  if (at + kHeaderSize > bytes.size() || bytes.substr(at, 4) != "TZif") return std::nullopt;
  Header h{BigEndian(bytes, at + 20, 4), BigEndian(bytes, at + 24, 4), BigEndian(bytes, at + 28, 4),
           BigEndian(bytes, at + 32, 4), BigEndian(bytes, at + 36, 4), BigEndian(bytes, at + 40, 4)};
  for (const int64_t count : {h.ut_indicators, h.std_indicators, h.leaps, h.times, h.types, h.chars}) {
    if (count < 0 || count > 100000) return std::nullopt;
  }
  return h.types > 0 ? std::optional(h) : std::nullopt;
}

// A POSIX TZ string: "CET-1CEST,M3.5.0,M10.5.0/3" (RFC 9636 section 3.3.1: how it goes on after the last change).
class FooterRule {
 public:
  struct Day {
    char kind = 'M';  // M month.week.weekday, J day of year without 29 February, 0 day of year from 0
    int month = 0, week = 0, weekday = 0, day = 0;
    int64_t seconds = 2 * 3600;
  };
  int32_t standard = 0, summer = 0;
  std::optional<Day> starts, ends;

  static std::optional<FooterRule> Parse(std::string_view text) {
    FooterRule rule;
    int64_t west = 0;
    if (!TakeName(text) || !TakeTime(text, &west)) return std::nullopt;
    rule.standard = static_cast<int32_t>(-west);
    if (text.empty()) return rule;
    if (!TakeName(text)) return std::nullopt;
    rule.summer = rule.standard + 3600;
    if (!text.empty() && text.front() != ',') {
      if (!TakeTime(text, &west)) return std::nullopt;
      rule.summer = static_cast<int32_t>(-west);
    }
    rule.starts = TakeDay(text);
    rule.ends = TakeDay(text);
    return rule.starts && rule.ends && text.empty() ? std::optional(rule) : std::nullopt;
  }

  static int64_t LocalSeconds(const Day& day, int year) {
    if (day.kind == 'M') {
      const int64_t first = DaysFromCivil(year, static_cast<unsigned>(day.month), 1);
      const int64_t next = day.month == 12 ? DaysFromCivil(year + 1, 1, 1) : DaysFromCivil(year, static_cast<unsigned>(day.month) + 1, 1);
      const int weekday = static_cast<int>(((first + 4) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
      int64_t found = first + (day.weekday - weekday + 7) % 7 + (day.week - 1) * 7;
      while (found >= next) found -= 7;
      return found * kDay + day.seconds;
    }
    int64_t found = DaysFromCivil(year, 1, 1) + day.day;
    if (day.kind == 'J') found += (IsValidDate(year, 2, 29) && day.day >= 60 ? 0 : -1);
    return found * kDay + day.seconds;
  }

 private:
  static bool TakeName(std::string_view& text) {
    size_t end = 0;
    if (!text.empty() && text.front() == '<') {
      end = text.find('>');
      if (end == std::string_view::npos) return false;
      ++end;
    } else {
      while (end < text.size() && std::isalpha(static_cast<unsigned char>(text[end]))) ++end;
    }
    text.remove_prefix(end);
    return end > 0;
  }
  static bool TakeInt(std::string_view& text, int* value) {
    size_t end = 0;
    for (*value = 0; end < text.size() && text[end] >= '0' && text[end] <= '9' && end < 4; ++end) *value = *value * 10 + (text[end] - '0');
    text.remove_prefix(end);
    return end > 0;
  }
  // [+-]h[h][:mm[:ss]]
  static bool TakeTime(std::string_view& text, int64_t* seconds) {
    int64_t sign = 1;
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
      sign = text.front() == '-' ? -1 : 1;
      text.remove_prefix(1);
    }
    *seconds = 0;
    for (const int unit : {3600, 60, 1}) {
      int value = 0;
      if (unit != 3600) {
        if (text.empty() || text.front() != ':') break;
        text.remove_prefix(1);
      }
      if (!TakeInt(text, &value)) return false;
      *seconds += static_cast<int64_t>(value) * unit;
    }
    *seconds *= sign;
    return true;
  }
  static std::optional<Day> TakeDay(std::string_view& text) {
    if (text.empty() || text.front() != ',') return std::nullopt;
    text.remove_prefix(1);
    Day day;
    day.kind = text.empty() ? '0' : text.front();
    if (day.kind == 'M' || day.kind == 'J')
      text.remove_prefix(1);
    else
      day.kind = '0';
    if (day.kind == 'M') {
      const auto dot = [&] { return !text.empty() && text.front() == '.' ? (text.remove_prefix(1), true) : false; };
      if (!TakeInt(text, &day.month) || !dot() || !TakeInt(text, &day.week) || !dot() || !TakeInt(text, &day.weekday)) return std::nullopt;
      if (day.month < 1 || day.month > 12 || day.week < 1 || day.week > 5 || day.weekday > 6) return std::nullopt;
    } else if (!TakeInt(text, &day.day)) {
      return std::nullopt;
    }
    if (!text.empty() && text.front() == '/') {
      text.remove_prefix(1);
      if (!TakeTime(text, &day.seconds)) return std::nullopt;
    }
    return day;
  }
};

Error UnknownZone(std::string_view name, std::string_view why) {
  return UserError("unknown-zone", "unknown time zone \"" + std::string(name) + "\"" + std::string(why))
      .Hint("use a name of the IANA database, such as Europe/Berlin, or UTC");
}

std::string Folder() {
  const char* folder = std::getenv("TZDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/usr/share/zoneinfo";
}

}  // namespace

Zone Zone::Fixed(int32_t offset_seconds) {
  Zone zone;
  zone.first_offset_ = offset_seconds;
  return zone;
}

Result<Zone> Zone::Load(std::string_view name) {
  if (name == "UTC" || name == "Z" || name == "Etc/UTC" || name == "GMT") return Utc();
  if (name.size() == 6 && (name[0] == '+' || name[0] == '-') && name[3] == ':') {
    const int hours = std::atoi(std::string(name.substr(1, 2)).c_str()), minutes = std::atoi(std::string(name.substr(4, 2)).c_str());
    if (hours > 18 || minutes > 59) return Fail(UnknownZone(name, ""));
    return Fixed((hours * 3600 + minutes * 60) * (name[0] == '-' ? -1 : 1));
  }
  if (name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos) return Fail(UnknownZone(name, ""));
  std::ifstream file(Folder() + "/" + std::string(name), std::ios::binary);
  if (!file) return Fail(UnknownZone(name, ""));
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return Parse(name, bytes);
}

Result<Zone> Zone::Parse(std::string_view name, std::string_view tzif) {
  const auto first = ReadHeader(tzif, 0);
  if (!first || tzif[4] < '2') return Fail(UnknownZone(name, " (its file is not of TZif version 2 or newer)"));
  const size_t second_at = kHeaderSize + first->DataSize(4);
  const auto header = ReadHeader(tzif, second_at);
  if (!header || second_at + kHeaderSize + header->DataSize(8) > tzif.size()) return Fail(UnknownZone(name, " (its file is damaged)"));
  const size_t times_at = second_at + kHeaderSize;
  const size_t indices_at = times_at + static_cast<size_t>(header->times) * 8;
  const size_t types_at = indices_at + static_cast<size_t>(header->times);
  const auto offset_of = [&](size_t type) { return static_cast<int32_t>(BigEndian(tzif, types_at + type * 6, 4)); };
  Zone zone = Fixed(offset_of(0));
  for (size_t i = 0; i < static_cast<size_t>(header->times); ++i) {
    const auto type = static_cast<unsigned char>(tzif[indices_at + i]);
    if (type >= header->types) return Fail(UnknownZone(name, " (its file is damaged)"));
    zone.changes_.push_back(BigEndian(tzif, times_at + i * 8, 8));
    zone.offsets_.push_back(offset_of(type));
  }
  std::string_view footer = tzif.substr(second_at + kHeaderSize + header->DataSize(8));
  if (footer.size() < 2 || footer.front() != '\n') return zone;
  footer = footer.substr(1, footer.find('\n', 1) - 1);
  const auto rule = FooterRule::Parse(footer);
  if (!rule || !rule->starts) return zone;
  const int64_t last = zone.changes_.empty() ? INT64_MIN : zone.changes_.back();
  for (int year = zone.changes_.empty() ? 1970 : CivilFromDays(static_cast<int32_t>(last / kDay)).year; year <= 9999; ++year) {
    std::pair<int64_t, int32_t> pair[] = {{FooterRule::LocalSeconds(*rule->starts, year) - rule->standard, rule->summer},
                                          {FooterRule::LocalSeconds(*rule->ends, year) - rule->summer, rule->standard}};
    if (pair[1].first < pair[0].first) std::swap(pair[0], pair[1]);
    for (const auto& [at, offset] : pair) {
      if (at <= last) continue;
      zone.changes_.push_back(at);
      zone.offsets_.push_back(offset);
    }
  }
  return zone;
}

int32_t Zone::OffsetAt(int64_t utc_seconds) const {
  const auto next = std::upper_bound(changes_.begin(), changes_.end(), utc_seconds);
  return next == changes_.begin() ? first_offset_ : offsets_[static_cast<size_t>(next - changes_.begin()) - 1];
}

std::optional<int64_t> Zone::ToUtc(int64_t local_micros) const {
  if (changes_.empty()) return local_micros - first_offset_ * 1000000LL;
  int64_t seconds = local_micros / 1000000;
  if (local_micros % 1000000 < 0) --seconds;
  // Offsets stay within ±18 hours: the one in force is that of a day before or after.
  const int32_t before = OffsetAt(seconds - kDay), after = OffsetAt(seconds + kDay);
  if (OffsetAt(seconds - before) == before) return local_micros - before * 1000000LL;
  if (OffsetAt(seconds - after) == after) return local_micros - after * 1000000LL;
  return std::nullopt;
}

}  // namespace sluice::contract
