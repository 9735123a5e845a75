// The decoders of texts against references that are slow and plain: digits one by one in wide integers, the calendar and the doubles of the
// standard library.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "contract/decode.h"
#include "contract/time_format.h"
#include "contract/zone.h"
#include "input.h"

namespace sluice::fuzz {
namespace {

using contract::Decoded;
using contract::Int128;

bool Digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool TakeSign(std::string_view* text) {
  if (text->empty() || (text->front() != '+' && text->front() != '-')) return false;
  const bool negative = text->front() == '-';
  text->remove_prefix(1);
  return negative;
}

struct Number {
  bool syntax = false, negative = false;
  std::string digits;  // without zeros at the front
  int places = 0;      // behind the point, without zeros at the end
};

// [+-]digits[.digits], as a text of digits with a point somewhere.
Number ReadNumber(std::string_view text, bool point_allowed) {
  Number number;
  number.negative = TakeSign(&text);
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point), fraction = point < text.size() ? text.substr(point + 1) : "";
  if (point < text.size() && !point_allowed) return number;
  if (whole.size() + fraction.size() == 0 || !Digits(whole) || !Digits(fraction)) return number;
  number.syntax = true;
  number.digits = std::string(whole) + std::string(fraction);
  number.places = static_cast<int>(fraction.size());
  while (number.places > 0 && number.digits.back() == '0') number.digits.pop_back(), --number.places;
  number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), number.digits.size()));
  return number;
}

std::optional<Int128> Exactly(const Number& number, int scale, int most_digits) {
  if (!number.syntax || number.places > scale) return std::nullopt;
  std::string digits = number.digits + std::string(static_cast<size_t>(scale - number.places), '0');
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (static_cast<int>(digits.size()) > most_digits) return std::nullopt;
  Int128 value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return number.negative ? -value : value;
}

void CheckIntegers(std::string_view text) {
  const Number number = ReadNumber(text, false);
  const auto value = Exactly(number, 0, 30);
  for (const auto kind :
       {contract::TypeKind::kTinyint, contract::TypeKind::kSmallint, contract::TypeKind::kInteger, contract::TypeKind::kBigint}) {
    const auto range = contract::RangeOf(kind);
    int64_t out = 77;
    const Decoded decoded = contract::DecodeInteger(text, range.min, range.max, &out);
    const bool fits = value && *value >= range.min && *value <= range.max;
    Require((decoded == Decoded::kOk) == fits && (decoded == Decoded::kSyntax) == !number.syntax, "integers", text);
    Require(out == (fits ? static_cast<int64_t>(*value) : 77), "an integer's value", text);
  }
}

void CheckDecimals(std::string_view text, int precision, int scale) {
  const Number number = ReadNumber(text, true);
  const auto value = Exactly(number, scale, precision);
  Int128 out = 77;
  const Decoded decoded = contract::DecodeDecimal(text, precision, scale, &out);
  Require((decoded == Decoded::kOk) == value.has_value() && (decoded == Decoded::kSyntax) == !number.syntax, "decimals", text);
  Require(out == value.value_or(77), "a decimal's value", text);
  if (!value) return;
  Int128 again = 0;
  Require(contract::DecodeDecimal(contract::FormatDecimal(*value, scale), precision, scale, &again) == Decoded::kOk && again == *value,
          "a decimal as it is written", text);
}

// digits[.digits][e[+-]digits] with a digit before the e.
bool IsFloat(std::string_view text) {
  TakeSign(&text);
  const size_t e = std::min(text.find_first_of("eE"), text.size());
  if (!ReadNumber(text.substr(0, e), true).syntax || (e > 0 && !text.empty() && (text[0] == '+' || text[0] == '-'))) return false;
  if (e == text.size()) return true;
  std::string_view exponent = text.substr(e + 1);
  TakeSign(&exponent);
  return !exponent.empty() && Digits(exponent);
}

void CheckDoubles(std::string_view text) {
  if (!IsFloat(text)) return;
  const std::string spelt(text[0] == '+' ? text.substr(1) : text);
  const double expected = std::strtod(spelt.c_str(), nullptr);
  const bool zero_digits = ReadNumber(spelt.substr(0, std::min(spelt.find_first_of("eE"), spelt.size())), true).digits.empty();
  double out = 77;
  const Decoded decoded = contract::DecodeDouble(text, &out);
  if (std::isinf(expected) || (expected == 0 && !zero_digits)) {
    Require(decoded == Decoded::kRange && out == 77, "doubles out of range", text);
  } else if (std::fabs(expected) >= 2.3e-308 || zero_digits) {  // of the least ones some libraries say that they are out of range
    Require(decoded == Decoded::kOk && std::bit_cast<uint64_t>(out) == std::bit_cast<uint64_t>(expected), "doubles", text);
  }
}

std::optional<int> Part(std::string_view text, size_t at, size_t count) {
  if (at + count > text.size() || !Digits(text.substr(at, count))) return std::nullopt;
  return std::atoi(std::string(text.substr(at, count)).c_str());
}

std::optional<int64_t> DaysOf(std::string_view text) {
  const auto year = Part(text, 0, 4), month = Part(text, 5, 2), day = Part(text, 8, 2);
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !year || !month || !day || *year == 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

void CheckDates(std::string_view text) {
  const auto days = DaysOf(text);
  int32_t out = 77;
  const Decoded decoded = contract::DecodeIsoDate(text, &out);
  Require((decoded == Decoded::kOk) == days.has_value() && out == days.value_or(77), "dates", text);
}

struct Time {
  int64_t local = 0;
  std::optional<int32_t> offset;
};

bool ReadOffset(std::string_view text, Time* time) {
  if (text == "Z" || text == "z") return time->offset = 0, true;
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
  const auto hours = Part(text, 1, 2);
  std::string_view rest = text.size() >= 3 ? text.substr(3) : "";
  if (rest.starts_with(':')) rest.remove_prefix(1);
  const auto minutes = text.size() == 3 ? std::optional(0) : rest.size() == 2 ? Part(rest, 0, 2) : std::nullopt;
  if (!hours || !minutes || *minutes > 59 || *hours * 60 + *minutes > 18 * 60) return false;
  time->offset = (text[0] == '-' ? -60 : 60) * (*hours * 60 + *minutes);
  return true;
}

std::optional<Time> TimeOf(std::string_view text) {
  const auto days = DaysOf(text.substr(0, 10));
  if (!days) return std::nullopt;
  Time time{*days * 86400000000};
  if (text.size() == 10) return std::nullopt;  // a date alone: its own case
  const auto hour = Part(text, 11, 2), minute = Part(text, 14, 2);
  if ((text[10] != 'T' && text[10] != ' ') || !hour || !minute || text[13] != ':' || *hour > 23 || *minute > 59) return std::nullopt;
  time.local += (*hour * 3600LL + *minute * 60) * 1000000;
  size_t at = 16;
  if (at < text.size() && text[at] == ':') {
    const auto second = Part(text, 17, 2);
    if (!second || *second > 59) return std::nullopt;
    time.local += *second * 1000000LL;
    at = 19;
    if (at < text.size() && text[at] == '.') {
      size_t end = ++at;
      while (end < text.size() && Digits(text.substr(end, 1))) ++end;
      std::string digits(text.substr(at, end - at));
      if (digits.empty() || digits.size() > 9) return std::nullopt;
      digits.resize(9, '0');
      if (digits.substr(6) != "000") return std::nullopt;
      time.local += std::atoi(digits.substr(0, 6).c_str());
      at = end;
    }
  }
  if (at < text.size() && !ReadOffset(text.substr(at), &time)) return std::nullopt;
  return time;
}

void CheckTimes(std::string_view text) {
  if (text.size() <= 10 || text[10] == 't') return;
  const auto time = TimeOf(text);
  contract::TimeText out{77};
  const Decoded decoded = contract::DecodeIsoTime(text, &out);
  Require((decoded == Decoded::kOk) == time.has_value(), "timestamps", text);
  if (!time) return Require(out.local_micros == 77, "a bad timestamp leaves what was there", text);
  Require(out.local_micros == time->local && out.has_zone == time->offset.has_value() && out.offset_seconds == time->offset.value_or(0),
          "a timestamp's value", text);
}

void CheckFormats(std::string_view text) {
  const size_t cut = std::min(text.find('\n'), text.size());
  const auto format = contract::TimeFormat::Compile(text.substr(0, cut));
  contract::TimeText out;
  if (format && cut < text.size()) (void)format->Parse(text.substr(cut + 1), &out);
  for (const char* known : {"%Y-%m-%d", "%d/%m/%Y %H:%M:%S.%f %z", "%b %e, %Y %I:%M %p", "%s", "%Y%j", "%a %F %T"})
    (void)contract::TimeFormat::Compile(known)->Parse(text, &out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Settings settings(data, size);
  const unsigned what = settings.Next(8);
  const int precision = 1 + static_cast<int>(settings.Next(38)), scale = static_cast<int>(settings.Next(39)) % (precision + 1);
  // A copy of its very size: whoever reads beyond it is seen.
  const std::vector<char> copy(settings.text().begin(), settings.text().end());
  const std::string_view text(copy.data(), copy.size());
  CheckIntegers(text);
  CheckDecimals(text, precision, scale);
  CheckDoubles(text);
  CheckDates(text);
  CheckTimes(text);
  bool flag = false;
  (void)contract::DecodeBoolean(text, &flag);
  if (what == 1) CheckFormats(text);
  if (what == 2) (void)contract::Zone::Parse("zone", text);
  return 0;
}

}  // namespace sluice::fuzz
