#include "contract/literal.h"

#include <fmt/format.h>

#include <cmath>

#include "contract/text_decoder.h"

namespace sluice::contract {
namespace {

Decoded Decode(const TextDecoder& decoder, std::string_view text, Literal* out) {
  const DataType& type = decoder.type();
  const auto as = [&](auto value, auto decode) {
    const Decoded outcome = decode(&value);
    if (outcome == Decoded::kOk) *out = value;
    return outcome;
  };
  if (type.is_integer()) {
    const IntegerRange range = RangeOf(type.kind);
    return as(int64_t{0}, [&](int64_t* v) { return DecodeInteger(text, range.min, range.max, v); });
  }
  switch (type.kind) {
    case TypeKind::kBoolean:
      return as(false, [&](bool* v) { return DecodeBoolean(text, v); });
    case TypeKind::kDecimal:
      return as(Int128{0}, [&](Int128* v) { return DecodeDecimal(text, type.precision, type.scale, v); });
    case TypeKind::kFloat: {
      float value = 0;
      const Decoded outcome = DecodeFloat(text, &value);
      if (outcome == Decoded::kOk) *out = static_cast<double>(value);
      return outcome;
    }
    case TypeKind::kDouble:
      return as(0.0, [&](double* v) { return DecodeDouble(text, v); });
    case TypeKind::kDate: {
      int32_t days = 0;
      const Decoded outcome = decoder.Date(text, &days);
      if (outcome == Decoded::kOk) *out = static_cast<int64_t>(days);
      return outcome;
    }
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return as(int64_t{0}, [&](int64_t* v) { return decoder.Timestamp(text, v); });
    default:
      *out = std::string(text);
      return Decoded::kOk;
  }
}

template <typename T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

}  // namespace

Result<Literal> ParseLiteral(const DataType& type, std::string_view text, std::string_view zone) {
  if (type.is_nested()) return Fail(UserError("bad-literal", fmt::format("a {} has no literals", type.ToString())));
  SLUICE_TRY(const TextDecoder decoder, TextDecoder::Make(type, {}, zone, {}));
  Literal literal;
  const Decoded outcome = Decode(decoder, text, &literal);
  if (outcome == Decoded::kOk) return literal;
  return Fail(UserError("bad-literal", fmt::format("\"{}\" is no {}: {}", text, type.ToString(), DecodeMessage(type, outcome))));
}

int CompareLiterals(const Literal& a, const Literal& b) {
  if (a.index() != b.index()) return Order(a.index(), b.index());
  if (const double* x = std::get_if<double>(&a)) {
    const double y = std::get<double>(b);
    if (std::isnan(*x) || std::isnan(y)) return Order(std::isnan(*x), std::isnan(y));
    return Order(*x, y);
  }
  return std::visit([&](const auto& value) { return Order(value, std::get<std::decay_t<decltype(value)>>(b)); }, a);
}

}  // namespace sluice::contract
