#include "tables/statistics.h"

#include <gtest/gtest.h>

namespace sluice::tables {
namespace {

TEST(StatisticsTest, KeepsShortText) {
  EXPECT_EQ(TruncatedMin("abc"), "abc");
  EXPECT_EQ(TruncatedMax("abc"), "abc");
  const std::string whole(32, 'z');
  EXPECT_EQ(TruncatedMax(whole), whole);
}

TEST(StatisticsTest, CutsMinimumAndRoundsMaximumUp) {
  const std::string text(40, 'a');
  EXPECT_EQ(TruncatedMin(text), std::string(32, 'a'));
  EXPECT_EQ(TruncatedMax(text), std::string(31, 'a') + "b");
  EXPECT_GT(*TruncatedMax(text), text);
}

TEST(StatisticsTest, CountsCharactersNotBytes) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "é";
  EXPECT_EQ(TruncatedMin(text).size(), 64u);
  EXPECT_EQ(TruncatedMax(text)->substr(62), "ê");
}

TEST(StatisticsTest, CarriesWhereTheLastCharacterIsTheLastThereIs) {
  const std::string last = "\xF4\x8F\xBF\xBF";
  EXPECT_EQ(TruncatedMax(std::string(31, 'a') + last + "tail"), std::string(30, 'a') + "b");
  std::string all;
  for (int i = 0; i < 33; ++i) all += last;
  EXPECT_EQ(TruncatedMax(all), std::nullopt);
  EXPECT_EQ(TruncatedMax(std::string(31, 'a') + "\xED\x9F\xBF" + "x"), std::string(31, 'a') + "\xEE\x80\x80");  // over the surrogates
  EXPECT_EQ(TruncatedMax(std::string(31, 'a') + "\x7F" + "x"), std::string(31, 'a') + "\xC2\x80");
}

}  // namespace
}  // namespace sluice::tables
