#pragma once
// What does a text look like? For detection: a guess that costs nothing, never a decoder.
#include <string_view>

namespace sluice::sources {

// A number, date, time, boolean, e-mail address or null token, rather than a name or prose.
bool LooksLikeValue(std::string_view text);
bool LooksLikeEmail(std::string_view text);
bool LooksLikeUuid(std::string_view text);

}  // namespace sluice::sources
