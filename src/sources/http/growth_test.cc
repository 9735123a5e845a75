#include "sources/http/growth.h"

#include <gtest/gtest.h>

namespace sluice::sources::http {
namespace {

const Instant kBegan{1'711'929'600'000'000};  // 2024-04-01

// One run over what the API gives; what is taken, and where it ends.
struct Passed {
  std::vector<std::string> taken;
  End end;
};

Passed Over(const std::vector<std::string>& records, End before, int64_t lookback = 0, bool is_time = true) {
  Growth growth("at", lookback, is_time, kBegan, std::move(before));
  Passed run;
  for (const std::string& record : records) {
    const auto is_new = growth.Take(record, record);
    EXPECT_TRUE(is_new) << record;
    if (is_new && *is_new) run.taken.push_back(record);
  }
  auto end = growth.After();
  EXPECT_TRUE(end);
  if (end) run.end = *std::move(end);
  return run;
}

using Lines = std::vector<std::string>;

TEST(Growth, WhatIsAtTheEndComesOnce) {
  const Lines first = {R"({"id":1,"at":"2024-01-01T00:00:00Z"})", R"({"id":2,"at":"2024-01-02T00:00:00Z"})"};
  const Passed run = Over(first, {});
  EXPECT_EQ(run.taken, first);
  EXPECT_EQ(run.end.value, "\"2024-01-02T00:00:00Z\"");
  EXPECT_EQ(run.end.seen.size(), 1u);
  // Given again with >=, beside one of the same instant, one that has changed and one behind them.
  const Passed next = Over({first[1], R"({"id":3,"at":"2024-01-02T00:00:00Z"})", R"({"id":2,"at":"2024-01-02T00:00:00Z","x":1})",
                            R"({"id":4,"at":"2024-01-03T00:00:00Z"})"},
                           run.end);
  EXPECT_EQ(next.taken.size(), 3u);
  EXPECT_EQ(next.end.seen.size(), 1u);
  // An API that gives only what lies behind: the end stays known.
  const Passed idle = Over({}, next.end);
  EXPECT_EQ(idle.end.value, next.end.value);
  EXPECT_EQ(idle.end.seen, next.end.seen);
  EXPECT_TRUE(Over({R"({"id":4,"at":"2024-01-03T00:00:00Z"})"}, idle.end).taken.empty());
}

TEST(Growth, WhatLiesBelowTheEndIsNotNew) {
  const Passed run = Over({R"({"at":5})", R"({"at":9})"}, {});
  EXPECT_TRUE(Over({R"({"at":5})", R"({"at":8})", R"({"at":9})"}, run.end).taken.empty());
  EXPECT_EQ(Over({R"({"at":10})"}, run.end).taken.size(), 1u);
}

TEST(Growth, InstantsAreComparedByTheTimeTheyMean) {
  const Passed run = Over({R"({"at":"2024-01-01T12:00:00+02:00"})", R"({"at":"2024-01-01T11:00:00Z"})"}, {});
  EXPECT_EQ(run.end.value, "\"2024-01-01T11:00:00Z\"");
  EXPECT_EQ(Over({R"({"at":9})", R"({"at":10})", R"({"at":9.5})"}, {}).end.value, "10");
}

TEST(Growth, LookbackTellsAgainWhatCameBefore) {
  const Lines first = {R"({"id":1,"at":"2024-01-01T00:00:00Z"})", R"({"id":2,"at":"2024-01-01T00:10:00Z"})"};
  const int64_t hour = 3'600'000'000;
  const Passed run = Over(first, {}, hour);
  EXPECT_EQ(run.end.seen.size(), 2u);
  Growth growth("at", hour, true, kBegan, run.end);
  EXPECT_EQ(growth.From().value(), "2023-12-31T23:10:00Z");
  const Passed next = Over({first[0], R"({"id":9,"at":"2023-12-31T23:30:00Z"})", first[1]}, run.end, hour);  // late, and within it
  EXPECT_EQ(next.taken.size(), 1u);
  EXPECT_EQ(next.end.seen.size(), 3u);
  EXPECT_EQ(Growth("at", 3, false, kBegan, {"10", {}}).From().value(), "7");
  EXPECT_EQ(Growth("at", 2 * 86'400'000'000, true, kBegan, {"\"2024-03-01\"", {}}).From().value(), "2024-02-28");
  EXPECT_EQ(Growth("at", 0, true, kBegan, {}).From().value(), std::nullopt);
  EXPECT_EQ(Growth("at", hour, true, kBegan, {"10", {}}).From().error().code, "http-cursor");
  EXPECT_EQ(Growth("at", 5, false, kBegan, {"\"abc\"", {}}).From().error().code, "http-cursor");
}

TEST(Growth, RecordsWithoutAValueComeOnceToo) {
  const Passed run = Over({R"({"id":1})", R"({"id":2,"at":1})"}, {});
  EXPECT_EQ(run.taken.size(), 2u);
  EXPECT_TRUE(Over({R"({"id":1})", R"({"id":2,"at":1})"}, run.end).taken.empty());
}

TEST(Growth, TheFutureDoesNotMoveTheEnd) {
  const Lines first = {R"({"id":1,"at":"2099-01-01T00:00:00Z"})", R"({"id":2,"at":"2024-03-01T00:00:00Z"})"};
  const Passed run = Over(first, {});
  EXPECT_EQ(run.end.value, "\"2024-04-01T00:00:00Z\"");
  const Passed next = Over({first[0], R"({"id":3,"at":"2024-04-01T00:00:09Z"})"}, run.end);
  EXPECT_EQ(next.taken.size(), 1u);
  EXPECT_EQ(Over({R"({"at":"2099-01-01"})"}, {}).end.value, "\"2024-04-01\"");
  EXPECT_EQ(Over({}, {"\"2025-01-01T00:00:00Z\"", {}, {}}).end.value, "\"2025-01-01T00:00:00Z\"");  // it never goes back
}

TEST(Growth, ValuesOfTwoKindsAreAnError) {
  Growth growth("at", 0, true, kBegan, {});
  ASSERT_TRUE(growth.Take(R"({"at":1})", ""));
  EXPECT_EQ(growth.Take(R"({"at":"x"})", "").error().code, "http-cursor");
}

TEST(Growth, ManyRecordsDoNotAllStayInMemory) {
  Growth growth("at", 0, true, kBegan, {});
  for (int i = 0; i < 200'000; ++i) ASSERT_TRUE(growth.Take("{\"at\":" + std::to_string(i) + "}", std::to_string(i)));
  EXPECT_EQ(growth.After().value().seen.size(), 1u);
  Growth crowd("at", 0, true, kBegan, {});
  for (int i = 0; i < 10'001; ++i) ASSERT_TRUE(crowd.Take("{\"at\":1}", std::to_string(i)));
  EXPECT_EQ(crowd.After().error().code, "http-cursor");
}

}  // namespace
}  // namespace sluice::sources::http
