#include "core/text.h"

#include <gtest/gtest.h>

#include "core/same_text.h"

namespace sluice {
namespace {

TEST(Nearest, FindsASlipOfTheHandButNotAnotherWord) {
  const std::vector<std::string> keys = {"order_id", "customer_id", "status"};
  EXPECT_EQ(Nearest("order_no", keys), "order_id");
  EXPECT_EQ(Nearest("statsu", keys), "status");
  EXPECT_EQ(Nearest("STATUS", keys), "status");
  EXPECT_EQ(Nearest("zzzzzz", keys), std::nullopt);
}

TEST(GlobMatch, StarStaysInItsFolderAndDoubleStarCrosses) {
  EXPECT_TRUE(GlobMatch("orders/*.csv", "orders/a.csv"));
  EXPECT_FALSE(GlobMatch("orders/*.csv", "orders/x/a.csv"));
  EXPECT_TRUE(GlobMatch("orders/**/*.csv", "orders/x/y/a.csv"));
  EXPECT_TRUE(GlobMatch("orders/**/*.csv", "orders/a.csv"));
  EXPECT_TRUE(GlobMatch("models/**", "models/gold/a.sql"));
  EXPECT_TRUE(GlobMatch("a_?.{csv,tsv}", "a_1.tsv"));
  EXPECT_TRUE(GlobMatch("[a-c]*.csv", "b1.csv"));
  EXPECT_FALSE(GlobMatch("[!a-c]*.csv", "b1.csv"));
  EXPECT_FALSE(GlobMatch("a[", "a["));
}

TEST(PercentCoding, RoundTripsEveryByteAndDecodesOnce) {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(PercentDecode(PercentEncode(all, true)), all);
  EXPECT_EQ(PercentDecode("%2541"), "%41");
  EXPECT_EQ(PercentDecode("100%"), "100%");
  EXPECT_EQ(PercentDecode("%4"), "%4");
}

TEST(ParseBytes, KnowsUnitsAndRefusesWords) {
  EXPECT_EQ(ParseBytes("1536"), 1536);
  EXPECT_EQ(ParseBytes("1.5GiB"), 1610612736);
  EXPECT_EQ(ParseBytes("2GB"), 2000000000);
  EXPECT_EQ(ParseBytes("64 MB"), 64000000);
  EXPECT_EQ(ParseBytes("lots"), std::nullopt);
  EXPECT_EQ(ParseBytes("-1"), std::nullopt);
}

TEST(ParseDuration, AddsItsParts) {
  EXPECT_EQ(ParseDuration("90s"), 90000000);
  EXPECT_EQ(ParseDuration("1h30m"), 5400000000LL);
  EXPECT_EQ(ParseDuration("250ms"), 250000);
  EXPECT_EQ(ParseDuration("24"), std::nullopt);
  EXPECT_EQ(ParseDuration(""), std::nullopt);
}

TEST(IsValidUtf8, RefusesOverlongSurrogatesAndCutSequences) {
  EXPECT_TRUE(IsValidUtf8("Grüße 日本 🎉"));
  EXPECT_FALSE(IsValidUtf8("\xC0\xAF"));
  EXPECT_FALSE(IsValidUtf8("\xED\xA0\x80"));
  EXPECT_FALSE(IsValidUtf8("\xE2\x82"));
  EXPECT_FALSE(IsValidUtf8("\xF4\x90\x80\x80"));
}

TEST(Quote, DoublesTheQuoteInside) {
  EXPECT_EQ(QuoteIdentifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(QuoteLiteral("it's"), "'it''s'");
}

TEST(FormatCount, GroupsByThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(10412), "10,412");
  EXPECT_EQ(FormatCount(-1234567), "-1,234,567");
}

TEST(SameText, SeesEveryByteAndTheLength) {
  for (size_t size = 0; size < 40; ++size) {
    const std::string text = std::string("any text of some length, whatever it says").substr(0, size);
    EXPECT_TRUE(SameText(text, std::string(text))) << size;
    EXPECT_FALSE(SameText(text, text + "x")) << size;
    for (size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] ^= 1;
      EXPECT_FALSE(SameText(text, other)) << size << " " << at;
    }
  }
}

}  // namespace
}  // namespace sluice
