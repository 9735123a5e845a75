#include "core/json_text.h"

#include <gtest/gtest.h>

#include "core/one_line.h"

namespace sluice {
namespace {

TEST(JsonText, SpellsWhatAStringCannotHold) {
  std::string out = "x:";
  AppendJsonString("a\"b\\c\n\r\t\x01 \xc3\xa9", &out);
  EXPECT_EQ(out, "x:\"a\\\"b\\\\c\\n\\r\\t\\u0001 \xc3\xa9\"");
}

TEST(OneLine, HasBlanksForControlCharacters) { EXPECT_EQ(OnOneLine("a\nb\x1b[1m\x7f\xc3\xa9"), "a b [1m \xc3\xa9"); }

}  // namespace
}  // namespace sluice
