#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

// A number with its word: "1 row", "2 rows", "10,412 rows". `many` where an s at the end of `one` does not make it: "entries", "were".
std::string Counted(int64_t n, std::string_view one, std::string_view many = "");

}  // namespace sluice
