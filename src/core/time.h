#pragma once
// Calendar arithmetic and the text forms of dates and instants (proleptic Gregorian, UTC).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace sluice {

// Days since 1970-01-01 of a civil date; any year. (Howard Hinnant, "chrono-compatible low-level date algorithms")
constexpr int32_t DaysFromCivil(int y, unsigned m, unsigned d) {
  y -= m <= 2;
  const int era = (y >= 0 ? y : y - 399) / 400;
  const unsigned yoe = static_cast<unsigned>(y - era * 400);
  const unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<int>(doe) - 719468;
}

struct CivilDate {
  int year;
  unsigned month, day;
};
CivilDate CivilFromDays(int32_t days);
bool IsValidDate(int year, unsigned month, unsigned day);

std::string FormatDate(int32_t days);         // 2024-01-31
std::string FormatInstant(Instant instant);   // RFC 3339, 2024-01-31T10:00:00Z, fraction only where not zero
std::string FormatTimestamp(int64_t micros);  // 2024-01-31 10:00:00[.ffffff] (Delta's partition value form)
// Strict: yyyy-mm-dd
std::optional<int32_t> ParseDate(std::string_view text);
// RFC 3339 with a zone (Z or ±hh:mm); 'T' or one space between date and time; up to 9 digits, of which more than 6 must be 0.
std::optional<Instant> ParseInstant(std::string_view text);

}  // namespace sluice
