#pragma once
// A text as JSON has it.
#include <string>
#include <string_view>

namespace sluice {

// Appends `text` as a JSON string with its quotes. `text` is UTF-8.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace sluice
