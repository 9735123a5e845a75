#pragma once
#include <string>
#include <string_view>

namespace sluice::formats {

// RFC 8259 section 6: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool IsJsonNumber(std::string_view text);

// A JSON number written out without its exponent: "1.5e3" → "1500", "2E-3" → "0.002". One whose exponent goes beyond 100 stays
// as it is: no decimal could hold it. Requires IsJsonNumber.
std::string WithoutExponent(std::string_view number);

}  // namespace sluice::formats
