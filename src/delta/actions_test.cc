#include "delta/actions.h"

#include <gtest/gtest.h>

namespace sluice::delta {
namespace {

Action RoundTrip(const Action& action) {
  auto parsed = ParseAction(ToJsonLine(action));
  EXPECT_TRUE(parsed) << parsed.error().ToString();
  EXPECT_TRUE(parsed->has_value());
  return **parsed;
}

TEST(Actions, EveryKindComesBackAsItWasWritten) {
  Add add{.path = "c=a%20b/part-1.parquet",
          .partition_values = {{"c", "a b"}, {"d", std::nullopt}},
          .size = 12,
          .modification_time = 34,
          .data_change = false,
          .stats = R"({"numRecords":3,"maxValues":{"s":"\"\\"}})",
          .tags = {{"k", "v"}}};
  add.deletion_vector = DeletionVector{"u", "ab^-aqEH.-t@S}K{vb[*k^", 4, 40, 6};
  add.base_row_id = 7;
  add.default_row_commit_version = 8;
  add.clustering_provider = "liquid";
  Remove remove{.path = "x",
                .deletion_timestamp = 5,
                .data_change = false,
                .extended_file_metadata = true,
                .partition_values = {{"c", "1"}},
                .size = 9};
  Metadata metadata{.id = "id",
                    .name = "n",
                    .description = "d\n\"\\\x01ü",
                    .schema_string = R"({"type":"struct","fields":[]})",
                    .partition_columns = {"a", "b"},
                    .configuration = {{"delta.appendOnly", "true"}},
                    .created_time = 99};
  const std::vector<Action> actions = {add,
                                       Add{.path = "p"},
                                       remove,
                                       Remove{.path = "y"},
                                       metadata,
                                       Metadata{.id = "only"},
                                       Protocol{1, 2, std::nullopt, std::nullopt},
                                       Protocol{3, 7, std::set<std::string>{"deletionVectors"}, std::set<std::string>{}},
                                       Txn{"app", 4, std::nullopt},
                                       Txn{"app", -1, 12},
                                       DomainMetadata{"d", R"({"a":1})", true},
                                       CdcFile{"_change_data/x", {{"c", std::nullopt}}, 3},
                                       CommitInfo{R"({"operation":"WRITE","n":{"a":[1,2]}})"}};
  for (const Action& action : actions) EXPECT_EQ(RoundTrip(action), action) << ToJsonLine(action);
}

TEST(Actions, EmptyPartitionValueIsNull) {
  const auto parsed =
      ParseAction(R"({"add":{"path":"x","partitionValues":{"a":"","b":null,"c":" "},"size":1,"modificationTime":1,"dataChange":true}})");
  const auto& values = std::get<Add>(**parsed).partition_values;
  EXPECT_EQ(values, (PartitionValues{{"a", std::nullopt}, {"b", std::nullopt}, {"c", " "}}));
  EXPECT_NE(ToJsonLine(Add{.path = "x", .partition_values = {{"a", ""}}}).find(R"("a":null)"), std::string::npos);
}

TEST(Actions, KeysMayComeInAnyOrderAndUnknownOnesArePassedOver) {
  const auto parsed =
      ParseAction(R"({"add":null,"future":{"x":[{}]},"remove":{"tags":{"a":"b"},"dataChange":false,"stats":"{}","path":"a\/b\u00fc"}})");
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  EXPECT_EQ(std::get<Remove>(**parsed).path, "a/bü");
  EXPECT_FALSE(std::get<Remove>(**parsed).data_change);
  EXPECT_FALSE(ParseAction(R"({"checkpointMetadata":{"version":1}})")->has_value());
  EXPECT_FALSE(ParseAction("  ")->has_value());
}

TEST(Actions, ConfigurationValuesWithoutQuotesAreRead) {
  const auto parsed = ParseAction(R"({"metaData":{"id":"i","configuration":{"a":true ,"b": 3}}})");
  EXPECT_EQ(std::get<Metadata>(**parsed).configuration, (std::map<std::string, std::string>{{"a", "true"}, {"b", "3"}}));
}

TEST(Actions, CommitFileOfAnyLineEnding) {
  const auto actions = ParseCommit("{\"txn\":{\"appId\":\"a\",\"version\":1}}\r\n\n{\"add\":{\"path\":\"p\"}}");
  ASSERT_TRUE(actions) << actions.error().ToString();
  EXPECT_EQ(*actions, (std::vector<Action>{Txn{"a", 1, std::nullopt}, Add{.path = "p"}}));
}

TEST(Actions, BrokenLinesAreNamedByTheirNumber) {
  for (const char* line : {"{", "{\"add\":{\"path\":\"x\"}", "[]", "{\"add\":{\"size\":1}}", "{\"add\":{\"path\":1}}",
                           "{\"add\":{\"path\":\"x\"}}{\"add\":{\"path\":\"y\"}}", "{\"add\":{\"path\":\"x\",\"size\":\"1\"}}",
                           "{\"protocol\":{\"minReaderVersion\":99999999999}}", "{\"txn\":{\"version\":1}}"}) {
    const auto actions = ParseCommit(std::string("{\"add\":{\"path\":\"p\"}}\n") + line);
    ASSERT_FALSE(actions) << line;
    EXPECT_EQ(actions.error().code, "bad-delta-log");
    EXPECT_NE(actions.error().message.find("line 2"), std::string::npos) << actions.error().message;
  }
}

TEST(Actions, CommitFileNamesHaveTwentyDigits) { EXPECT_EQ(CommitFileName(42), "00000000000000000042.json"); }

TEST(Actions, UniqueIdOfADeletionVectorHasItsOffset) {
  EXPECT_EQ(UniqueId({"u", "ab", 4, 1, 1}), "uab@4");
  EXPECT_EQ(UniqueId({"i", "ab", std::nullopt, 1, 1}), "iab");
}

}  // namespace
}  // namespace sluice::delta
