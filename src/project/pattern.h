#pragma once
#include <string>
#include <string_view>

#include "core/result.h"

namespace sluice::project {

// Refuses a regular expression that RE2 cannot compile, or that Java (Spark) would read differently: "bad-pattern". Patterns match whole
// texts. What remains different is left to the printer of Spark SQL: Java needs (?d) for "." to mean "any but \n", and knows one more
// byte of white space (\x0B) in \s.
Status CheckPattern(std::string_view pattern);

}  // namespace sluice::project
