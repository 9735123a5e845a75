#include "project/pattern.h"

#include <gtest/gtest.h>

namespace sluice::project {
namespace {

TEST(CheckPattern, TakesWhatRe2AndJavaReadAlike) {
  for (const char* pattern : {"ORD[0-9]+", "", "[^@]+@[^@]+\\.[a-z]{2,}", "(a|b)?c*", "(?:x|y)", "(?i)abc", "\\d{4}-\\d{2}", "[\\[\\]a]",
                              "\\p{L}+\\pN", "\\Q{[\\E", "a{2}b{3,}c{0,4}", "\\x41\\x{1F600}", "[a-z&]", "\\{\\}", "a+?"})
    EXPECT_TRUE(CheckPattern(pattern)) << pattern;
}

TEST(CheckPattern, RefusesWhatJavaReadsDifferently) {
  for (const char* pattern : {"[[:alpha:]]", "[a[b]", "[a&&b]", "[]a]", "(?P<n>x)", "(?m)a", "(?U)a+", "\\C", "\\v", "\\bx", "\\012",
                              "\\123", "\\p{Greek}", "\\p{^L}", "a{,3}", "{", "x{y}"}) {
    const auto status = CheckPattern(pattern);
    ASSERT_FALSE(status) << pattern;
    EXPECT_EQ(status.error().code, "bad-pattern");
    EXPECT_FALSE(status.error().hint.empty()) << pattern;
  }
}

TEST(CheckPattern, RefusesWhatRe2DoesNotKnow) {
  for (const char* pattern : {"(", "(?=a)", "(a)\\1", "a**", "[z-a]", "\\Z", "a++", "x{1001}"})
    EXPECT_FALSE(CheckPattern(pattern)) << pattern;
}

}  // namespace
}  // namespace sluice::project
