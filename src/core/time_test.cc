#include "core/time.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice {
namespace {

TEST(CivilDate, RoundTripsOverFourThousandYears) {
  for (int32_t day = -800000; day < 800000; day += 17) {
    const CivilDate c = CivilFromDays(day);
    ASSERT_TRUE(IsValidDate(c.year, c.month, c.day));
    ASSERT_EQ(DaysFromCivil(c.year, c.month, c.day), day);
  }
  EXPECT_EQ(DaysFromCivil(2000, 3, 1), 11017);
}

TEST(ParseDate, IsStrict) {
  EXPECT_EQ(ParseDate("1970-01-02"), 1);
  EXPECT_EQ(ParseDate("2024-02-29"), 19782);
  EXPECT_FALSE(ParseDate("2023-02-29"));
  EXPECT_FALSE(ParseDate("2024-2-29"));
  EXPECT_FALSE(ParseDate("2024-02-29 "));
}

TEST(ParseInstant, ReadsZonesAndRefusesWhatWouldBeCut) {
  EXPECT_EQ(ParseInstant("1970-01-01T00:00:01Z")->micros, 1000000);
  EXPECT_EQ(ParseInstant("1970-01-01T01:00:00.5+01:00")->micros, 500000);
  EXPECT_EQ(ParseInstant("1970-01-01T00:00:00.000001000Z")->micros, 1);
  EXPECT_FALSE(ParseInstant("1970-01-01T00:00:00.0000001Z"));
  EXPECT_FALSE(ParseInstant("1970-01-01T00:00:00"));
  EXPECT_FALSE(ParseInstant("1970-01-01T24:00:00Z"));
}

TEST(FormatInstant, CutsTrailingZerosOfTheFraction) {
  EXPECT_EQ(FormatInstant({0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatInstant({-1}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTimestamp(1500000), "1970-01-01 00:00:01.5");
}

TEST(NewUuid, IsVersionSevenAndSortsByTime) {
  FixedClock clock({1700000000000000});
  SeededRandom random(1);
  std::string last;
  for (int i = 0; i < 100; ++i) {
    const std::string id = NewUuid(clock, random);
    ASSERT_EQ(id.size(), 36u);
    EXPECT_EQ(id[14], '7');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    EXPECT_LT(last, id);
    last = id;
    clock.SleepMillis(1);
  }
}

}  // namespace
}  // namespace sluice
