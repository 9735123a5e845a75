#pragma once
// Data shown within a message.
#include <string>

namespace sluice {

// With a blank for each control character: data must neither break a line nor speak to a terminal.
std::string OnOneLine(std::string text);

}  // namespace sluice
