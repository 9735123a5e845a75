// How a column's numbers are written.
#include <fmt/format.h>

#include <algorithm>

#include "contract/decode.h"
#include "contract/number_style.h"
#include "sources/text_bits.h"
#include "sources/text_profile.h"

namespace sluice::sources {

using contract::DataType;
using contract::TypeKind;

const std::array<contract::NumberStyle, 4>& Styles() {
  static const auto* all = new std::array<contract::NumberStyle, 4>{{{",", "."}, {".", ","}, {",", " "}, {".", "'"}}};
  return *all;
}

bool HasLeadingZero(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && IsDigit(text[1]);
}

std::optional<size_t> StyleIndex(const contract::GivenStyle& given) {
  if (!given.decimal && !given.thousands) return std::nullopt;
  for (size_t i = 0; i < Styles().size(); ++i)
    if (Styles()[i].decimal == given.decimal.value_or(".") && (!given.thousands || Styles()[i].thousands == *given.thousands)) return i;
  return std::nullopt;
}

// The bits of the styles in which the text is a number.
uint64_t TextProfile::AddStyles(std::string_view text) {
  uint64_t bits = 0;
  if (!IsDigit(text.front()) && std::string_view("+-.,").find(text.front()) == std::string_view::npos) return bits;
  for (size_t i = 0; i < styles_.size(); ++i) {
    std::string plain;
    contract::Int128 value = 0;
    if (contract::PlainNumber(Styles()[i], text, &plain) != contract::Decoded::kOk) continue;
    if (contract::DecodeDecimal(plain, 38, 18, &value) != contract::Decoded::kOk) continue;
    bits |= StyleBit(i);
    StyleSeen& seen = styles_[i];
    const size_t dot = std::min(plain.find('.'), plain.size());
    const auto places = static_cast<int>(plain.size() - std::min(plain.size(), dot + 1));
    const bool point = dot < plain.size();
    const auto separators = std::count_if(text.begin() + 1, text.end(), [](char c) { return !IsDigit(c); });
    seen.grouped |= separators > static_cast<int64_t>(point && plain.front() != '.');
    seen.fraction |= point;
    seen.leading_zero |= HasLeadingZero(plain);
    seen.scale = std::max(seen.scale, places);
    seen.whole_digits = std::max(seen.whole_digits, static_cast<int>(dot));
    negative_ |= value < 0;
    if (seen.odd.empty() && plain != text) seen.odd = text;
  }
  return bits;
}

// Where more values are numbers of another style than of the plain one. False: it is not so.
bool TextProfile::InferStyle(int64_t allowed, InferredType* result) const {
  int64_t most = Fitting(kDecimal);
  std::vector<size_t> best;
  for (size_t i = 0; i < styles_.size(); ++i) {
    const int64_t fitting = Fitting(StyleBit(i));
    if (fitting < most || (fitting == most && best.empty()) || styles_[i].leading_zero) continue;
    if (fitting > most) best.clear();
    most = fitting;
    best.push_back(i);
  }
  if (best.empty() || most < values_ - allowed) return false;
  const StyleSeen& seen = styles_[best[0]];
  const contract::NumberStyle& style = Styles()[best[0]];
  for (const size_t other : best) {
    if (Styles()[other].decimal == style.decimal) continue;
    result->unsure = true;
    result->doubt = fmt::format(
        "CHECK: numbers? {} can be read in two ways: with decimal: \",\", or with decimal: \".\" and thousands: \",\"", seen.odd);
    return true;
  }
  if (seen.scale > 8 || seen.whole_digits + seen.scale > 30) return false;
  for (size_t rival = 0; rival < styles_.size() && !result->unsure; ++rival) {
    const Votes votes = VotesFor(StyleBit(best[0]), StyleBit(rival));
    result->unsure = Styles()[rival].decimal != style.decimal && votes.few();
    if (result->unsure)
      result->doubt = fmt::format("CHECK: decimal: \"{}\" is what only {} of {} values tell", style.decimal, votes.deciding,
                                  votes.deciding + votes.either);
  }
  result->type = seen.fraction ? DataType::Decimal(std::clamp(seen.whole_digits + seen.scale + 4, 12, 38), seen.scale)
                               : DataType::Of(TypeKind::kBigint);
  if (style.decimal != "." && seen.fraction) result->numbers.decimal = style.decimal;
  if (seen.grouped) result->numbers.thousands = style.thousands;
  if (style.decimal != "." && !seen.fraction) result->numbers.decimal = style.decimal;  // 1.234: else the point would be both
  return true;
}

}  // namespace sluice::sources
