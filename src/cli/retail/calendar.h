#pragma once
// Which days the company's data cover, and with which delivery each day's files arrive.
#include <algorithm>
#include <cstdint>
#include <string>

#include "cli/retail/retail.h"
#include "core/time.h"

namespace sluice::cli::retail {

inline constexpr int64_t kSecond = 1'000'000, kDay = 86'400 * kSecond;
inline constexpr int32_t kFirstDay = DaysFromCivil(2026, 1, 1);  // days since the epoch

// Days are counted from kFirstDay; those before the first day of business are negative and come with the first delivery.
struct Calendar {
  int days;
  int part;

  int DeliveryStart(int delivery) const {  // 1-based; kDeliveries + 1 gives the end
    const int tail = std::max(1, days / 10);
    return delivery <= 1 ? 0 : days - (kDeliveries + 1 - delivery) * tail;
  }
  int DeliveryOf(int day) const {
    int delivery = kDeliveries;
    while (delivery > 1 && day < DeliveryStart(delivery)) --delivery;
    return delivery;
  }
  // First day of the week's part that lies in the same delivery: the name of a weekly file.
  int WeekOf(int day) const { return day < 0 ? 0 : std::max(day - day % 7, DeliveryStart(DeliveryOf(day))); }

  bool Writes(int delivery) const { return part == 0 || part == delivery; }
  bool Counts(int delivery) const { return part == 0 || delivery <= part; }  // is it in the truth?
  int LastDelivery() const { return part == 0 ? kDeliveries : part; }
};

inline std::string DateText(int day) { return FormatDate(kFirstDay + day); }          // 2026-01-31
inline std::string InstantText(int64_t micros) { return FormatInstant({micros}); }    // 2026-01-31T10:00:00Z
inline std::string WallClockText(int64_t micros) { return FormatTimestamp(micros); }  // 2026-01-31 10:00:00
inline std::string MonthText(int day) { return DateText(day).substr(0, 7); }          // 2026-01
inline std::string DottedDateText(int day) {                                          // 31.01.2026
  const std::string iso = DateText(day);
  return iso.substr(8, 2) + "." + iso.substr(5, 2) + "." + iso.substr(0, 4);
}
inline std::string SlashedDateText(int day) {  // 01/31/2026
  const std::string iso = DateText(day);
  return iso.substr(5, 2) + "/" + iso.substr(8, 2) + "/" + iso.substr(0, 4);
}
inline int64_t DayMicros(int day) { return (static_cast<int64_t>(kFirstDay) + day) * kDay; }

}  // namespace sluice::cli::retail
