#include "formats/json_number.h"

#include <charconv>

namespace sluice::formats {
namespace {

constexpr int kMaxExponent = 100;

size_t SkipDigits(std::string_view text, size_t at) {
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at;
}

}  // namespace

bool IsJsonNumber(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const size_t digits = SkipDigits(text, at) - at;
  if (digits == 0 || (digits > 1 && text[at] == '0')) return false;
  at += digits;
  if (at < text.size() && text[at] == '.') {
    const size_t end = SkipDigits(text, at + 1);
    if (end == at + 1) return false;
    at = end;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t end = SkipDigits(text, at);
    if (end == at) return false;
    at = end;
  }
  return at == text.size();
}

std::string WithoutExponent(std::string_view number) {
  const size_t e = number.find_first_of("eE");
  if (e == std::string_view::npos) return std::string(number);
  std::string_view power = number.substr(e + 1);
  if (power.starts_with('+')) power.remove_prefix(1);
  int exponent = 0;
  if (std::from_chars(power.data(), power.data() + power.size(), exponent).ec != std::errc() || exponent > kMaxExponent ||
      exponent < -kMaxExponent)
    return std::string(number);
  std::string_view mantissa = number.substr(0, e);
  const bool negative = mantissa.starts_with('-');
  if (negative) mantissa.remove_prefix(1);
  const size_t dot = mantissa.find('.');
  std::string digits(mantissa.substr(0, dot));
  int point = static_cast<int>(digits.size()) + exponent;  // digits before the point
  if (dot != std::string_view::npos) digits += mantissa.substr(dot + 1);
  if (point <= 0) {
    digits.insert(0, static_cast<size_t>(1 - point), '0');
    point = 1;
  }
  if (point > static_cast<int>(digits.size())) digits.append(static_cast<size_t>(point) - digits.size(), '0');
  std::string text = (negative ? "-" : "") + digits.substr(0, static_cast<size_t>(point));
  if (point < static_cast<int>(digits.size())) text += "." + digits.substr(static_cast<size_t>(point));
  return text;
}

}  // namespace sluice::formats
