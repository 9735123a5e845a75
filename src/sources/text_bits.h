#pragma once
// Inside of TextProfile: what a bit of its groups says, and the styles of numbers among them.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "contract/contract.h"

namespace sluice::sources {

inline constexpr uint64_t kBoolean = 1, kInteger = 2, kDecimal = 4, kDouble = 8;
inline constexpr int kFirstStyle = 4;  // bits of numbers that are not written as 1234.56
inline constexpr int kFirstTime = 8;   // bits of time candidates start here

inline uint64_t StyleBit(size_t style) { return 1ULL << (kFirstStyle + style); }

// Ways to write numbers other than 1234.56.
const std::array<contract::NumberStyle, 4>& Styles();
// The style that was inferred; nullopt: plain numbers. One without separators fits any with its decimal.
std::optional<size_t> StyleIndex(const contract::GivenStyle& given);

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool HasLeadingZero(std::string_view text);

}  // namespace sluice::sources
