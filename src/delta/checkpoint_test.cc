#include "delta/checkpoint.h"

#include <gtest/gtest.h>

#include "delta/commit.h"

namespace sluice::delta {
namespace {

constexpr int64_t kDay = 86'400'000;

// Values of every member, in the order that a replay gives.
Snapshot Everything(int64_t now_millis) {
  Snapshot snapshot;
  snapshot.version = 12;
  snapshot.protocol = {3, 7, std::set<std::string>{"deletionVectors"}, std::set<std::string>{"deletionVectors", "domainMetadata"}};
  snapshot.metadata = {.id = "id",
                       .name = "n",
                       .description = std::nullopt,
                       .schema_string = R"({"type":"struct","fields":[]})",
                       .partition_columns = {"c", "d"},
                       .configuration = {{"k", "v"}},
                       .created_time = 77};
  Add full{.path = "c=a%20b/p",
           .partition_values = {{"c", "a b"}, {"d", std::nullopt}},
           .size = 1LL << 40,
           .modification_time = 5,
           .data_change = false,
           .stats = R"({"numRecords":1})",
           .tags = {{"t", "u"}}};
  full.deletion_vector = DeletionVector{"u", "abc", 1, 34, 2};
  full.base_row_id = 9;
  full.default_row_commit_version = 3;
  full.clustering_provider = "liquid";
  snapshot.files = {full, Add{.path = "q", .data_change = false}};
  Remove fresh{.path = "r",
               .deletion_timestamp = now_millis - 6 * kDay,
               .data_change = false,
               .extended_file_metadata = true,
               .partition_values = {{"c", "1"}},
               .size = 4};
  fresh.deletion_vector = DeletionVector{"i", "xyz", std::nullopt, 5, 1};
  snapshot.tombstones = {fresh, Remove{.path = "s", .deletion_timestamp = now_millis - 8 * kDay, .data_change = false}};
  snapshot.txns = {{"app", {"app", 4, 100}}, {"b", {"b", 0, std::nullopt}}};
  snapshot.domains = {{"dom", {"dom", "{}", false}}};
  return snapshot;
}

class CheckpointTest : public testing::Test {
 protected:
  Snapshot Reread() {
    auto snapshot = LoadSnapshot(*store_, "t");
    EXPECT_TRUE(snapshot) << snapshot.error().ToString();
    return snapshot ? *snapshot : Snapshot{};
  }
  FixedClock clock_{Instant{1'700'000'000'000'000}};
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
};

TEST_F(CheckpointTest, HoldsEverythingButExpiredTombstones) {
  const Snapshot written = Everything(clock_.Now().millis());
  ASSERT_TRUE(WriteCheckpoint(*store_, "t", written, clock_));
  const Snapshot read = Reread();
  EXPECT_EQ(read.version, 12);
  EXPECT_EQ(read.protocol, written.protocol);
  EXPECT_EQ(read.metadata, written.metadata);
  EXPECT_EQ(read.files, written.files);
  EXPECT_EQ(read.txns, written.txns);
  EXPECT_EQ(read.domains, written.domains);
  ASSERT_EQ(read.tombstones.size(), 1U);
  EXPECT_EQ(read.tombstones[0], written.tombstones[0]);
}

TEST_F(CheckpointTest, RetentionOfTombstonesFollowsTheTable) {
  const auto kept = [&](const std::string& retention) {
    Snapshot snapshot = Everything(clock_.Now().millis());
    snapshot.metadata.configuration["delta.deletedFileRetentionDuration"] = retention;
    EXPECT_TRUE(WriteCheckpoint(*store_, "t", snapshot, clock_));
    return Reread().tombstones.size();
  };
  EXPECT_EQ(kept("interval 1 day"), 0U);
  EXPECT_EQ(kept("interval 1 week"), 1U);
  EXPECT_EQ(kept("INTERVAL 1 WEEK 2 DAYS"), 2U);
  EXPECT_EQ(kept("30 days"), 2U);
  EXPECT_EQ(kept("a while"), 2U);
}

TEST_F(CheckpointTest, ProtocolWithoutFeaturesStaysWithout) {
  Snapshot snapshot = Everything(0);
  snapshot.protocol = {1, 2, std::nullopt, std::nullopt};
  ASSERT_TRUE(WriteCheckpoint(*store_, "t", snapshot, clock_));
  EXPECT_EQ(Reread().protocol, snapshot.protocol);
}

TEST_F(CheckpointTest, TheHintNeverGoesBack) {
  Snapshot snapshot = Everything(0);
  ASSERT_TRUE(WriteCheckpoint(*store_, "t", snapshot, clock_));
  EXPECT_EQ(LastCheckpointHint(*store_, "t"), 12);
  snapshot.version = 10;
  ASSERT_TRUE(WriteCheckpoint(*store_, "t", snapshot, clock_));
  EXPECT_EQ(LastCheckpointHint(*store_, "t"), 12);
}

TEST_F(CheckpointTest, SeveralRowGroups) {
  Snapshot snapshot = Everything(0);
  snapshot.files.clear();
  for (int i = 100'000; i < 250'000; ++i)
    snapshot.files.push_back(
        {.path = "p" + std::to_string(i), .partition_values = {{"c", std::to_string(i % 7)}}, .size = i, .data_change = false});
  ASSERT_TRUE(WriteCheckpoint(*store_, "t", snapshot, clock_));
  EXPECT_EQ(Reread().files, snapshot.files);
}

}  // namespace
}  // namespace sluice::delta
