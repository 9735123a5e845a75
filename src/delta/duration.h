#pragma once
// Table properties that say how long something is kept: "interval 30 days".
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "delta/actions.h"

namespace sluice::delta {

// "interval 30 days", "7 days", "interval 1 week 2 hours" → milliseconds; nullopt if it is none.
std::optional<int64_t> ParseDuration(std::string_view text);
// The property in milliseconds, `otherwise` where the table does not have it; nullopt where it cannot be read: then nothing may be
// taken as expired.
std::optional<int64_t> DurationOf(const Metadata& metadata, const std::string& property, int64_t otherwise);

inline constexpr int64_t kDayMillis = 86'400'000;

}  // namespace sluice::delta
