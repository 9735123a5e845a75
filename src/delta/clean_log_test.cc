#include "delta/clean_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "delta/commit.h"
#include "delta/duration.h"
#include "delta/log_files.h"

namespace sluice::delta {
namespace {

constexpr const char* kRoot = "t";

class CleanLogTest : public testing::Test {
 protected:
  // A commit a day from day 0 on, each adding a file; checkpoints of every third.
  void Days(int count) {
    for (int day = 0; day < count; ++day) {
      std::string text;
      if (day == 0) text = ToJsonLine(Protocol{}) + "\n" + ToJsonLine(Metadata{.id = "id", .configuration = configuration_}) + "\n";
      text += ToJsonLine(Add{.path = "f" + std::to_string(day)}) + "\n";
      ASSERT_TRUE(store_->Put(LogKey(kRoot, CommitFileName(day)), text));
      ASSERT_TRUE(store_->Put(LogKey(kRoot, fmt::format("{:020}.crc", day)), "{}"));
      if (day % 3 == 2) {
        ASSERT_TRUE(WriteCheckpoint(*store_, kRoot, *LoadSnapshot(*store_, kRoot), clock_));
      }
      clock_.SleepMillis(kDayMillis);
    }
  }
  int64_t Clean(int64_t floor = INT64_MAX) {
    auto snapshot = LoadSnapshot(*store_, kRoot);
    auto deleted = CleanLog(*store_, kRoot, snapshot->metadata, floor, clock_);
    EXPECT_TRUE(deleted) << (deleted ? "" : deleted.error().ToString());
    return deleted.value_or(-1);
  }
  int64_t Oldest() { return ListLog(*store_, kRoot, 0)->commits.begin()->first; }

  FixedClock clock_{Instant{1'700'006'400'000'000}};  // midnight
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
  std::map<std::string, std::string> configuration_ = {{"delta.logRetentionDuration", "interval 4 days"}};
};

TEST_F(CleanLogTest, KeepsWhatLiesWithinTheRetention) {
  Days(12);  // now is day 12: what was there at day 8 stays, so the checkpoint of 8 and its commit do
  EXPECT_EQ(Clean(), 8 * 2 + 2);
  EXPECT_EQ(Oldest(), 8);
  for (int64_t version = 8; version < 12; ++version) {
    const auto snapshot = LoadSnapshot(*store_, kRoot, version);
    ASSERT_TRUE(snapshot) << snapshot.error().ToString();
    EXPECT_EQ(snapshot->files.size(), static_cast<size_t>(version) + 1);
  }
  EXPECT_FALSE(LoadSnapshot(*store_, kRoot, 7));
  EXPECT_EQ(Clean(), 0);
}

TEST_F(CleanLogTest, NeverPassesTheFloor) {
  Days(12);
  EXPECT_EQ(Clean(6), 5 * 2 + 1);  // version 6 needs the checkpoint of 5
  EXPECT_EQ(Oldest(), 5);
  EXPECT_TRUE(LoadSnapshot(*store_, kRoot, 6));
  EXPECT_EQ(Clean(1), 0);
}

TEST_F(CleanLogTest, PropertiesDecide) {
  configuration_ = {{"delta.logRetentionDuration", "interval 4 days"}, {"delta.enableExpiredLogCleanup", "false"}};
  Days(12);
  EXPECT_EQ(Clean(), 0);
  EXPECT_EQ(*CleanLog(*store_, kRoot, Metadata{}, INT64_MAX, clock_), 0);  // a month
  EXPECT_EQ(*CleanLog(*store_, kRoot, Metadata{.configuration = {{"delta.logRetentionDuration", "some days"}}}, INT64_MAX, clock_), 0);
}

TEST_F(CleanLogTest, NothingGoesWithoutACheckpoint) {
  Days(2);
  clock_.SleepMillis(100 * kDayMillis);
  EXPECT_EQ(Clean(), 0);
}

TEST_F(CleanLogTest, NothingGoesForABrokenCheckpoint) {
  Days(12);
  const std::string checkpoint = LogKey(kRoot, fmt::format("{:020}.checkpoint.parquet", 8));
  const std::string whole = *store_->Get(checkpoint);
  ASSERT_TRUE(store_->Put(checkpoint, whole.substr(0, whole.size() / 2)));
  const auto before = store_->List("t/")->size();
  const auto refused = CleanLog(*store_, kRoot, LoadSnapshot(*store_, kRoot)->metadata, INT64_MAX, clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "bad-delta-log");
  EXPECT_EQ(store_->List("t/")->size(), before);
}

TEST_F(CleanLogTest, SidecarsGoWithTheirCheckpoint) {
  Days(9);
  const auto put = [&](int64_t version, const std::string& sidecar) {
    ASSERT_TRUE(store_->Put(LogKey(kRoot, "_sidecars/" + sidecar), ToJsonLine(Add{.path = "f"}) + "\n"));
    std::string text = "{\"checkpointMetadata\":{\"version\":1}}\n" + ToJsonLine(Protocol{}) + "\n" +
                       ToJsonLine(Metadata{.id = "id", .configuration = configuration_}) + "\n";
    text += R"({"sidecar":{"path":")" + sidecar + "\"}}\n";
    ASSERT_TRUE(store_->Put(LogKey(kRoot, fmt::format("{:020}.checkpoint.5f1d3e5c-0000-4000-8000-000000000000.json", version)), text));
  };
  put(1, "old.json");
  put(8, "new.json");
  clock_.SleepMillis(10 * kDayMillis);
  EXPECT_GT(Clean(), 0);
  EXPECT_FALSE(store_->Head(LogKey(kRoot, "_sidecars/old.json")));
  EXPECT_TRUE(store_->Head(LogKey(kRoot, "_sidecars/new.json")));
}

TEST(Duration, IsReadAsSparkWritesIt) {
  EXPECT_EQ(ParseDuration("interval 30 days"), 30 * kDayMillis);
  EXPECT_EQ(ParseDuration(" 1 Week 2 hours "), 7 * kDayMillis + 7'200'000);
  for (const char* text : {"", "interval", "days", "3", "3 months", "-1 days", "999999999999999 weeks"})
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
}

// ---- Which version was there at a time

class TimeTravelTest : public testing::Test {
 protected:
  void Put(int64_t version, const std::vector<Action>& actions) {
    std::string text;
    for (const Action& action : actions) text += ToJsonLine(action) + "\n";
    ASSERT_TRUE(store_->Put(LogKey(kRoot, CommitFileName(version)), text));
    clock_.SleepMillis(1000);
  }
  static CommitInfo At(int64_t millis) { return {fmt::format(R"({{"inCommitTimestamp":{}}})", millis)}; }
  int64_t VersionAtMillis(int64_t millis) { return VersionAt(*store_, kRoot, Instant{millis * 1000}).value_or(-1); }

  FixedClock clock_{Instant{1'000'000'000}};
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
};

TEST_F(TimeTravelTest, ByTheTimesOfTheCommitFiles) {
  Put(0, {Protocol{}, Metadata{.id = "id"}});
  for (int64_t v = 1; v <= 3; ++v) Put(v, {Add{.path = std::to_string(v)}});
  EXPECT_EQ(VersionAtMillis(1'000'000), 0);
  EXPECT_EQ(VersionAtMillis(1'001'999), 1);
  EXPECT_EQ(VersionAtMillis(1'003'000), 3);
  EXPECT_EQ(VersionAtMillis(9'999'999), 3);
  const auto early = VersionAt(*store_, kRoot, Instant{999'999'000});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, "no-such-version");
}

TEST_F(TimeTravelTest, ByInCommitTimestampsFromWhereTheyWereEnabledOn) {
  const std::map<std::string, std::string> enabled = {{"delta.enableInCommitTimestamps", "true"},
                                                      {"delta.inCommitTimestampEnablementVersion", "2"},
                                                      {"delta.inCommitTimestampEnablementTimestamp", "5000000"}};
  Put(0, {Protocol{}, Metadata{.id = "id"}});
  Put(1, {Add{.path = "a"}});
  Put(2, {At(5'000'000), Metadata{.id = "id", .configuration = enabled}});
  Put(3, {At(6'000'000)});
  Put(4, {At(7'000'000)});
  EXPECT_EQ(VersionAtMillis(1'000'500), 0);
  EXPECT_EQ(VersionAtMillis(4'999'999), 1);  // whatever the files' times
  EXPECT_EQ(VersionAtMillis(5'000'000), 2);
  EXPECT_EQ(VersionAtMillis(6'999'999), 3);
  EXPECT_EQ(VersionAtMillis(7'000'000), 4);
}

}  // namespace
}  // namespace sluice::delta
