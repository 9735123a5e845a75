#include "delta/checkpoint.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

// Statistics of each type, as they stand in a log.
constexpr const char* kStats =
    R"({"numRecords":3,"minValues":{"i":-5,"d":1.25,"m":12345678901234567890.123456,"s":"a\"b","day":"2024-01-31","at":"2024-01-31T10:00:00.123Z",)"
    R"("wall":"2024-01-31T10:00:00.5","n":{"x":7}},"maxValues":{"i":9,"d":2.5,"m":12345678901234567890.123457,"s":"z","day":"2024-02-01",)"
    R"("at":"2024-01-31T11:00:00Z","wall":"2024-01-31T11:00:00","n":{"x":8}},"nullCount":{"i":0,"d":1,"m":0,"s":0,"day":0,"at":0,"wall":0,)"
    R"("n":{"x":2},"l":1,"b":0},"tightBounds":true})";

Snapshot Typed(std::map<std::string, std::string> configuration) {
  using contract::ParseType;
  Snapshot snapshot;
  snapshot.version = 5;
  for (const auto& [name, type] : {std::pair{"i", "integer"},
                                   {"d", "double"},
                                   {"m", "decimal(26,6)"},
                                   {"s", "string"},
                                   {"day", "date"},
                                   {"at", "timestamp"},
                                   {"wall", "timestamp_ntz"},
                                   {"n", "struct<x: bigint>"},
                                   {"l", "list<bigint>"},
                                   {"b", "boolean"},
                                   {"p", "date"}})
    snapshot.schema.fields.push_back({name, *ParseType(type)});
  snapshot.metadata = {
      .id = "id", .schema_string = ToSchemaString(snapshot.schema), .partition_columns = {"p"}, .configuration = std::move(configuration)};
  snapshot.files = {Add{.path = "a", .partition_values = {{"p", "2024-01-01"}}, .data_change = false, .stats = kStats},
                    Add{.path = "b", .partition_values = {{"p", std::nullopt}}, .data_change = false},
                    Add{.path = "c", .partition_values = {{"p", "2024-01-01"}}, .data_change = false, .stats = R"({"numRecords":7})"}};
  return snapshot;
}

TEST_F(CheckpointTest, StatisticsStandThereAsTheTableAsks) {
  const std::string as_struct = "delta.checkpoint.writeStatsAsStruct", as_json = "delta.checkpoint.writeStatsAsJson";
  for (const std::map<std::string, std::string>& configuration :
       {std::map<std::string, std::string>{{as_struct, "true"}}, {{as_struct, "true"}, {as_json, "false"}}, {{as_json, "false"}}}) {
    const Snapshot written = Typed(configuration);
    ASSERT_TRUE(WriteCheckpoint(*store_, "t", written, clock_));
    const Snapshot read = Reread();
    ASSERT_EQ(read.files.size(), 3U);
    EXPECT_EQ(nlohmann::json::parse(read.files[0].stats), nlohmann::json::parse(kStats)) << read.files[0].stats;
    EXPECT_NE(read.files[0].stats.find("12345678901234567890.123456"), std::string::npos) << read.files[0].stats;
    EXPECT_EQ(read.files[1].stats, "");
    EXPECT_EQ(read.files[2].stats, R"({"numRecords":7})");
  }
}

TEST_F(CheckpointTest, SeveralRowGroups) {
  Snapshot snapshot = Everything(0);
  std::vector<Add> files;
  for (int i = 100'000; i < 250'000; ++i)
    files.push_back({.path = "p" + std::to_string(i), .partition_values = {{"c", std::to_string(i % 7)}}, .size = i, .data_change = false});
  snapshot.files = std::move(files);
  ASSERT_TRUE(WriteCheckpoint(*store_, "t", snapshot, clock_));
  EXPECT_EQ(Reread().files, snapshot.files);
}

}  // namespace
}  // namespace sluice::delta
