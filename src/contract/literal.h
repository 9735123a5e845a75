#pragma once
// A literal of the project's YAML (min, max, values, default) as a value of its column's type.
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "contract/type.h"
#include "core/result.h"

namespace sluice::contract {

using Int128 = __int128;

// The value in its type's own unit: bool; integers and date (days), timestamps (micros) as int64_t; decimal as the unscaled
// Int128 at the type's scale; float and double as double; string and binary as std::string.
using Literal = std::variant<bool, int64_t, double, Int128, std::string>;

// Text as a contract would accept it in a file under ISO forms: the same strictness as the decoders, so "1e3" is no integer and
// "1.005" no decimal(12,2). A timestamp without a zone is in `zone` (IANA name or "UTC"; "" = an error). Errors: kUser "bad-literal".
Result<Literal> ParseLiteral(const DataType& type, std::string_view text, std::string_view zone = "UTC");

// <0, 0, >0. Both of the same type. NaN sorts above all numbers.
int CompareLiterals(const Literal& a, const Literal& b);

}  // namespace sluice::contract
