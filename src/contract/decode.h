#pragma once
// Text → one value, strictly (design section 5): no rounding, no truncation, no wrap, no guess. The functions neither allocate
// nor throw. They leave the output alone unless they return kOk.
#include <cstdint>
#include <string>
#include <string_view>

#include "contract/type.h"

namespace sluice::contract {

using Int128 = __int128;

enum class Decoded : uint8_t {
  kOk,
  kSyntax,      // not of the type's form
  kRange,       // of its form, but the type cannot hold it
  kInexact,     // would have to be rounded or truncated
  kNoSuchDay,   // 2023-02-29
  kNoZone,      // an instant needs a zone
  kHasZone,     // a wall clock must not have one
  kNoSuchTime,  // skipped by the zone's change to summer time
};

// For people: "not an integer", "more than 2 decimal places".
std::string DecodeMessage(const DataType& type, Decoded outcome);

Decoded DecodeBoolean(std::string_view text, bool* out);                               // true false t f yes no y n 1 0, any case
Decoded DecodeInteger(std::string_view text, int64_t min, int64_t max, int64_t* out);  // [+-]digits
// [+-]digits[.digits]; zeros beyond the scale are exact and so accepted.
Decoded DecodeDecimal(std::string_view text, int precision, int scale, Int128* out);
Decoded DecodeDouble(std::string_view text, double* out);  // with exponent; NaN, Inf, Infinity in any case
Decoded DecodeFloat(std::string_view text, float* out);
Decoded DecodeIsoDate(std::string_view text, int32_t* days);  // yyyy-mm-dd, years 0001 to 9999

// What a text says about a time, before it is known which column it is for.
struct TimeText {
  int64_t local_micros = 0;  // wall clock, since 1970-01-01T00:00
  bool has_zone = false;
  int32_t offset_seconds = 0;  // east of UTC, if has_zone
};
// yyyy-mm-dd[(T| )hh:mm[:ss[.fraction]]][Z|±hh[[:]mm]]; of more than 6 fraction digits the rest must be 0.
Decoded DecodeIsoTime(std::string_view text, TimeText* out);

struct IntegerRange {
  int64_t min, max;
};
IntegerRange RangeOf(TypeKind kind);  // of kTinyint … kBigint

inline constexpr int kMaxDecimalDigits = 38;
Int128 PowerOfTen(int exponent);  // 0 … 38
std::string FormatDecimal(Int128 unscaled, int scale);

}  // namespace sluice::contract
