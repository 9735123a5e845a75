#include "contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "core/time.h"

namespace sluice::contract {
namespace {

inline unsigned Digit(char c) { return static_cast<unsigned char>(c) - '0'; }
inline bool IsDigit(char c) { return Digit(c) <= 9; }

// Takes a sign off the front; true if it was '-'.
inline bool TakeSign(std::string_view& text) {
  if (text.empty() || (text.front() != '-' && text.front() != '+')) return false;
  const bool negative = text.front() == '-';
  text.remove_prefix(1);
  return negative;
}

constexpr std::array<Int128, kMaxDecimalDigits + 1> MakePowers() {
  std::array<Int128, kMaxDecimalDigits + 1> powers{};
  powers[0] = 1;
  for (int i = 1; i <= kMaxDecimalDigits; ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}
constexpr auto kPowers = MakePowers();

// digits[.digits][e[+-]digits] after the sign: what from_chars would accept too loosely otherwise.
bool IsFloatSyntax(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t from = at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    return at - from;
  };
  size_t mantissa = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    mantissa += digits();
  }
  if (mantissa == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

template <typename Real>
Decoded DecodeReal(std::string_view text, Real* out) {
  const bool negative = TakeSign(text);
  Real value = 0;
  if (!IsFloatSyntax(text)) {
    if (EqualsIgnoreCase(text, "nan") && !negative)
      value = std::numeric_limits<Real>::quiet_NaN();
    else if (EqualsIgnoreCase(text, "inf") || EqualsIgnoreCase(text, "infinity"))
      value = std::numeric_limits<Real>::infinity();
    else
      return Decoded::kSyntax;
  } else if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) {
    return Decoded::kRange;
  }
  *out = negative ? -value : value;
  return Decoded::kOk;
}

// hh:mm[:ss[.f…]] at `at`; moves it past. Fraction digits beyond the sixth must be 0.
Decoded DecodeClock(std::string_view text, size_t& at, int64_t* micros) {
  const auto two = [&](size_t i) {
    return Digit(text[i]) <= 9 && Digit(text[i + 1]) <= 9 ? Digit(text[i]) * 10 + Digit(text[i + 1]) : 99u;
  };
  if (at + 5 > text.size() || text[at + 2] != ':') return Decoded::kSyntax;
  const unsigned hour = two(at), minute = two(at + 3);
  if (hour > 23 || minute > 59) return Decoded::kSyntax;
  at += 5;
  unsigned second = 0;
  int64_t fraction = 0;
  if (at < text.size() && text[at] == ':') {
    if (at + 3 > text.size()) return Decoded::kSyntax;
    second = two(at + 1);
    if (second > 59) return Decoded::kSyntax;
    at += 3;
    if (at < text.size() && text[at] == '.') {
      int digits = 0;
      bool lost = false;
      for (++at; at < text.size() && IsDigit(text[at]); ++at, ++digits) {
        if (digits < 6)
          fraction = fraction * 10 + Digit(text[at]);
        else
          lost |= text[at] != '0';
      }
      if (digits == 0 || digits > 9) return Decoded::kSyntax;
      if (lost) return Decoded::kInexact;
      for (; digits < 6; ++digits) fraction *= 10;
    }
  }
  *micros = (hour * 3600LL + minute * 60LL + second) * 1000000 + fraction;
  return Decoded::kOk;
}

// Z, ±hh, ±hhmm, ±hh:mm as the whole of `text`.
bool DecodeOffset(std::string_view text, int32_t* seconds) {
  if (text == "Z" || text == "z") {
    *seconds = 0;
    return true;
  }
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return false;
  const bool negative = TakeSign(text);
  std::string_view minutes = text.substr(2);
  if (!minutes.empty() && minutes.front() == ':') {
    minutes.remove_prefix(1);
    if (minutes.empty()) return false;
  }
  if (!IsDigit(text[0]) || !IsDigit(text[1])) return false;
  int value = static_cast<int>(Digit(text[0]) * 10 + Digit(text[1])) * 3600;
  if (!minutes.empty()) {
    if (minutes.size() != 2 || Digit(minutes[0]) > 5 || !IsDigit(minutes[1])) return false;
    value += static_cast<int>(Digit(minutes[0]) * 10 + Digit(minutes[1])) * 60;
  }
  if (value > 18 * 3600) return false;
  *seconds = negative ? -value : value;
  return true;
}

}  // namespace

Int128 PowerOfTen(int exponent) { return kPowers[static_cast<size_t>(exponent)]; }

std::string FormatDecimal(Int128 unscaled, int scale) {
  auto rest = unscaled < 0 ? -static_cast<unsigned __int128>(unscaled) : static_cast<unsigned __int128>(unscaled);
  std::string reversed;
  for (int place = 0; rest != 0 || place <= scale; ++place, rest /= 10) {
    if (place == scale && scale > 0) reversed += '.';
    reversed += static_cast<char>('0' + static_cast<int>(rest % 10));
  }
  if (unscaled < 0) reversed += '-';
  return {reversed.rbegin(), reversed.rend()};
}

IntegerRange RangeOf(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyint:
      return {INT8_MIN, INT8_MAX};
    case TypeKind::kSmallint:
      return {INT16_MIN, INT16_MAX};
    case TypeKind::kInteger:
      return {INT32_MIN, INT32_MAX};
    default:
      return {INT64_MIN, INT64_MAX};
  }
}

Decoded DecodeBoolean(std::string_view text, bool* out) {
  static constexpr std::string_view kTrue[] = {"true", "t", "yes", "y", "1"}, kFalse[] = {"false", "f", "no", "n", "0"};
  for (const std::string_view word : kTrue) {
    if (EqualsIgnoreCase(text, word)) return *out = true, Decoded::kOk;
  }
  for (const std::string_view word : kFalse) {
    if (EqualsIgnoreCase(text, word)) return *out = false, Decoded::kOk;
  }
  return Decoded::kSyntax;
}

Decoded DecodeInteger(std::string_view text, int64_t min, int64_t max, int64_t* out) {
  const bool negative = TakeSign(text);
  if (text.empty()) return Decoded::kSyntax;
  uint64_t value = 0;
  unsigned bad = 0;
  const size_t fast = std::min<size_t>(text.size(), 18);  // 18 digits cannot overflow
  for (size_t i = 0; i < fast; ++i) {
    const unsigned digit = Digit(text[i]);
    bad |= digit > 9;
    value = value * 10 + digit;
  }
  bool overflow = false;
  for (size_t i = fast; i < text.size(); ++i) {
    const unsigned digit = Digit(text[i]);
    bad |= digit > 9;
    overflow |= __builtin_mul_overflow(value, uint64_t{10}, &value) || __builtin_add_overflow(value, uint64_t{digit}, &value);
  }
  if (bad) return Decoded::kSyntax;
  const uint64_t limit = negative ? uint64_t{1} << 63 : static_cast<uint64_t>(INT64_MAX);
  if (overflow || value > limit) return Decoded::kRange;
  const int64_t result = static_cast<int64_t>(negative ? 0 - value : value);
  if (result < min || result > max) return Decoded::kRange;
  *out = result;
  return Decoded::kOk;
}

namespace {

// Texts of up to 18 characters: the value fits 64 bits whatever it is.
Decoded DecodeShortDecimal(std::string_view text, bool negative, int precision, int scale, Int128* out) {
  uint64_t value = 0;
  int point = -1, zeros = 0, digits = 0;  // zeros: trailing ones, for what stands beyond the scale
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned digit = Digit(text[i]);
    if (digit > 9) {
      if (text[i] != '.' || point >= 0) return Decoded::kSyntax;
      point = static_cast<int>(i);
      continue;
    }
    value = value * 10 + digit;
    zeros = digit == 0 ? zeros + 1 : 0;
    ++digits;
  }
  if (digits == 0) return Decoded::kSyntax;
  const int places = point < 0 ? 0 : static_cast<int>(text.size()) - point - 1;
  Int128 unscaled = value;
  if (places > scale) {
    if (value != 0 && places - scale > zeros) return Decoded::kInexact;
    unscaled = static_cast<Int128>(value) / PowerOfTen(places - scale);
  } else if (value != 0) {
    // Up to 18 digits, and as many zeros more as the scale wants: 38 digits are sure to fit only where that is checked first.
    if (scale - places > kMaxDecimalDigits - 18 && unscaled >= PowerOfTen(kMaxDecimalDigits - (scale - places))) return Decoded::kRange;
    unscaled *= PowerOfTen(scale - places);
  }
  if (unscaled >= PowerOfTen(precision)) return Decoded::kRange;
  *out = negative ? -unscaled : unscaled;
  return Decoded::kOk;
}

}  // namespace

Decoded DecodeDecimal(std::string_view text, int precision, int scale, Int128* out) {
  const bool negative = TakeSign(text);
  if (text.size() <= 18) return DecodeShortDecimal(text, negative, precision, scale, out);
  const size_t point = std::min(text.find('.'), text.size());
  std::string_view whole = text.substr(0, point);
  std::string_view fraction = point < text.size() ? text.substr(point + 1) : std::string_view();
  if (whole.empty() && fraction.empty()) return Decoded::kSyntax;
  if (!std::all_of(whole.begin(), whole.end(), IsDigit) || !std::all_of(fraction.begin(), fraction.end(), IsDigit)) return Decoded::kSyntax;
  while (!whole.empty() && whole.front() == '0') whole.remove_prefix(1);
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  if (static_cast<int>(whole.size()) > precision - scale) return Decoded::kRange;
  if (static_cast<int>(fraction.size()) > scale) return Decoded::kInexact;
  Int128 value = 0;
  for (const char c : whole) value = value * 10 + Digit(c);
  for (const char c : fraction) value = value * 10 + Digit(c);
  value *= PowerOfTen(scale - static_cast<int>(fraction.size()));
  *out = negative ? -value : value;
  return Decoded::kOk;
}

Decoded DecodeDouble(std::string_view text, double* out) { return DecodeReal(text, out); }
Decoded DecodeFloat(std::string_view text, float* out) { return DecodeReal(text, out); }

Decoded DecodeIsoDate(std::string_view text, int32_t* days) {
  if (text.size() != 10) return Decoded::kSyntax;
  unsigned digit[10];
  unsigned bad = 0;
  for (size_t i = 0; i < 10; ++i) {
    digit[i] = Digit(text[i]);
    bad |= static_cast<unsigned>(digit[i] > 9) << i;
  }
  if (bad != (1u << 4 | 1u << 7) || text[4] != '-' || text[7] != '-') return Decoded::kSyntax;
  const int year = static_cast<int>(digit[0] * 1000 + digit[1] * 100 + digit[2] * 10 + digit[3]);
  const unsigned month = digit[5] * 10 + digit[6], day = digit[8] * 10 + digit[9];
  if (year == 0 || !IsValidDate(year, month, day)) return Decoded::kNoSuchDay;
  *days = DaysFromCivil(year, month, day);
  return Decoded::kOk;
}

Decoded DecodeIsoTime(std::string_view text, TimeText* out) {
  if (text.size() < 10) return Decoded::kSyntax;
  int32_t days = 0;
  if (const Decoded date = DecodeIsoDate(text.substr(0, 10), &days); date != Decoded::kOk) return date;
  TimeText time;
  time.local_micros = static_cast<int64_t>(days) * 86400000000LL;
  if (text.size() > 10) {
    if (text[10] != 'T' && text[10] != ' ' && text[10] != 't') return Decoded::kSyntax;
    size_t at = 11;
    int64_t micros = 0;
    if (const Decoded clock = DecodeClock(text, at, &micros); clock != Decoded::kOk) return clock;
    time.local_micros += micros;
    if (at < text.size()) {
      if (!DecodeOffset(text.substr(at), &time.offset_seconds)) return Decoded::kSyntax;
      time.has_zone = true;
    }
  }
  *out = time;
  return Decoded::kOk;
}

std::string DecodeMessage(const DataType& type, Decoded outcome) {
  switch (outcome) {
    case Decoded::kOk:
      return "";
    case Decoded::kRange:
      if (type.is_integer())
        return fmt::format("out of range for {} ({} to {})", type.ToString(), RangeOf(type.kind).min, RangeOf(type.kind).max);
      return "out of range for " + type.ToString();
    case Decoded::kInexact:
      if (type.kind == TypeKind::kDecimal) return fmt::format("more than {} decimal places", type.scale);
      if (type.kind == TypeKind::kDate) return "has a time of day, which a date would lose";
      return "finer than a microsecond";
    case Decoded::kNoSuchDay:
      return "no such day in the calendar";
    case Decoded::kNoZone:
      return "has no time zone; give the column a zone:";
    case Decoded::kHasZone:
      return "has a time zone, which a timestamp_ntz would lose";
    case Decoded::kNoSuchTime:
      return "this local time was skipped in the column's zone";
    case Decoded::kSyntax:
      break;
  }
  if (type.is_integer()) return "not an integer";
  switch (type.kind) {
    case TypeKind::kBoolean:
      return "not a boolean";
    case TypeKind::kDecimal:
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      return "not a number";
    case TypeKind::kDate:
      return "not a date of the expected form";
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return "not a timestamp of the expected form";
    default:
      return "not a " + type.ToString();
  }
}

}  // namespace sluice::contract
