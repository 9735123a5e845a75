#pragma once
// Exact money: cents, and rates in millionths. Never a float.
#include <cstdint>
#include <string>

namespace sluice::cli::retail {

// Half away from zero, as SQL rounds decimals.
inline int64_t ToUsdCents(int64_t cents, int64_t rate_millionths) {
  const __int128 product = static_cast<__int128>(cents) * rate_millionths;
  return static_cast<int64_t>((product + (product < 0 ? -500'000 : 500'000)) / 1'000'000);
}

// 1234, 2 → "12.34"
inline std::string DecimalText(int64_t unscaled, int scale) {
  std::string digits = std::to_string(unscaled < 0 ? -unscaled : unscaled);
  if (digits.size() <= static_cast<size_t>(scale)) digits.insert(0, static_cast<size_t>(scale) + 1 - digits.size(), '0');
  digits.insert(digits.size() - static_cast<size_t>(scale), 1, '.');
  if (unscaled < 0) digits.insert(0, 1, '-');
  return digits;
}
inline std::string MoneyText(int64_t cents) { return DecimalText(cents, 2); }

// 123456 → "1.234,56", as continental offices write it
inline std::string ContinentalMoneyText(int64_t cents) {
  std::string text = MoneyText(cents);
  const size_t point = text.size() - 3;
  text[point] = ',';
  for (size_t i = point; i > 3 && text[i - 4] != '-'; i -= 3) text.insert(i - 3, 1, '.');
  return text;
}

}  // namespace sluice::cli::retail
