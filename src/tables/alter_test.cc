#include "tables/alter.h"

#include <arrow/record_batch.h>

#include "delta/column_mapping.h"
#include "tables/check.h"
#include "tables/dml.h"
#include "tables/plain_commit.h"
#include "tables/table_fixture.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::TypeKind;

class AlterTest : public TableTest {
 protected:
  void SetUp() override {
    Commit(Append(Target("id: bigint, name: string, s: struct<x: integer, y: string>, p: string", {"p"}),
                  "SELECT range AS id, 'n' || range AS name, {'x': range::INTEGER, 'y': 'y'} AS s, 'p' || range % 2 AS p FROM range(4)"));
  }
  delta::Snapshot Now() { return Must(delta::LoadSnapshot(lake_.store(), kRoot)); }
  Result<StagedChange> TryAlter(const AlterSpec& spec) { return StageAlter(Target(""), lake_.connection(), spec, Options()); }
  void Alter(const AlterSpec& spec) {
    const auto target = Target("");
    const StagedChange change = Must(StageAlter(target, lake_.connection(), spec, Options()));
    ASSERT_FALSE(change.empty);
    Must(CommitPlainly(target, change, {.operation_id = "op"}));
    const TableCheck check = Must(CheckTable(lake_.store(), kRoot, lake_.connection()));
    for (const auto& finding : check.findings) ADD_FAILURE() << finding.code << ": " << finding.where << ": " << finding.message;
  }
  std::string Refused(const AlterSpec& spec) {
    const auto change = TryAlter(spec);
    return change ? "not refused" : change.error().code + ": " + change.error().message;
  }
  std::string CodeOf(const AlterSpec& spec) {
    const auto change = TryAlter(spec);
    return change ? "not refused" : change.error().code;
  }
  void Insert(const std::string& set, const std::string& source) {
    MergeStatement statement;
    statement.on = "false";
    MergeClause clause{MergeClause::When::kNotMatched, "", MergeClause::Then::kInsert, {}};
    for (const std::string& name : Split(set, ',')) clause.set.push_back({name, "source." + QuoteIdentifier(name)});
    statement.clauses = {clause};
    const auto target = Target("");
    Must(CommitPlainly(target, Must(StageMergeStatement(target, lake_.connection(), {source, {}}, statement, Options())), {}));
  }
};

TEST_F(AlterTest, AddsColumnsThatAreNullInTheRowsThereAre) {
  AlterSpec spec;
  spec.add = {{"note", DataType::Of(TypeKind::kString)}, {"s.z", DataType::Of(TypeKind::kDate)}};
  spec.comment = {{"note", "said by people"}};
  Alter(spec);
  EXPECT_EQ(Now().files.size(), 2U);
  EXPECT_EQ(Now().schema.Find("note")->metadata.at("comment"), "\"said by people\"");
  EXPECT_EQ(Table("id, note, s.z", "id < 2"), (Lines{"0|-|-", "1|-|-"}));
  Insert("id,note,p", "SELECT 9::BIGINT AS id, 'hello' AS note, 'p0' AS p");
  EXPECT_EQ(Table("id, note", "id > 2"), (Lines{"3|-", "9|hello"}));
  EXPECT_EQ(Refused({.add = {{"NOTE", DataType::Of(TypeKind::kString)}}}),
            "duplicate-column: silver.t: there is a column \"NOTE\" already");
  EXPECT_EQ(CodeOf({.add = {{"a b", DataType::Of(TypeKind::kString)}}}), "bad-column");
  EXPECT_EQ(CodeOf({.add = {{"name.x", DataType::Of(TypeKind::kString)}}}), "bad-column");
  EXPECT_EQ(CodeOf({.add = {{"t.x", DataType::Of(TypeKind::kString)}}}), "unknown-column");
}

TEST_F(AlterTest, DropsAndRenamesOverTheFilesThereAre) {
  AlterSpec spec;
  spec.drop = {"name"};
  spec.rename = {{"id", "number"}, {"s.x", "ex"}, {"P", "part"}};
  Alter(spec);
  const delta::Snapshot now = Now();
  EXPECT_EQ(now.protocol, (delta::Protocol{2, 5}));
  EXPECT_EQ(now.schema.Names(), (Lines{"number", "s", "part"}));
  EXPECT_EQ(now.metadata.partition_columns, (Lines{"part"}));
  EXPECT_EQ(now.files.size(), 2U);
  EXPECT_EQ(Table("number, s.ex, part"), (Lines{"0|0|p0", "1|1|p1", "2|2|p0", "3|3|p1"}));
  // Rows come and change under the new names; a column of the old name is another one.
  Insert("number,part", "SELECT 9::BIGINT AS number, 'p0' AS part");
  Alter({.add = {{"name", DataType::Of(TypeKind::kString)}}});
  EXPECT_EQ(Table("number, name", "number < 2"), (Lines{"0|-", "1|-"}));
  const auto target = Target("");
  Must(CommitPlainly(target, Must(StageUpdate(target, lake_.connection(), {{"name", "'again'"}}, "number >= 3", Options())), {}));
  EXPECT_EQ(Table("number, name"), (Lines{"0|-", "1|-", "2|-", "3|again", "9|again"}));
  EXPECT_EQ(CodeOf({.drop = {"part"}}), "column-in-use");
  EXPECT_EQ(CodeOf({.drop = {"s.nothing"}}), "unknown-column");
  EXPECT_EQ(CodeOf({.rename = {{"number", "part"}}}), "duplicate-column");
}

TEST_F(AlterTest, AColumnDroppedAndAddedInOneCommitIsEmpty) {
  AlterSpec spec;
  spec.drop = {"name"};
  spec.add = {{"name", DataType::Of(TypeKind::kString)}};
  Alter(spec);
  EXPECT_EQ(Table("id, name"), (Lines{"0|-", "1|-", "2|-", "3|-"}));
  spec = {};
  spec.not_null = {"name"};
  EXPECT_EQ(CodeOf(spec), "null-value");
}

TEST_F(AlterTest, WidensWhereReadersMayBeAskedForIt) {
  AlterSpec spec;
  spec.retype = {{"s.x", DataType::Of(TypeKind::kBigint)}};
  EXPECT_EQ(CodeOf(spec), "needs-type-widening");
  deletion_vectors_ = true;
  Alter(spec);
  EXPECT_TRUE(delta::IsEnabled(Now().metadata, "delta.enableTypeWidening"));
  Insert("id,s,p", "SELECT 9::BIGINT AS id, {'x': 5000000000, 'y': 'z'} AS s, 'p0' AS p");
  EXPECT_EQ(Table("id, s.x", "id > 2"), (Lines{"3|3", "9|5000000000"}));
  EXPECT_EQ(CodeOf({.retype = {{"id", DataType::Of(TypeKind::kInteger)}}}), "not-a-widening");
  EXPECT_EQ(CodeOf({.retype = {{"p", DataType::Of(TypeKind::kInteger)}}}), "not-a-widening");
}

TEST_F(AlterTest, HoldsNotNullAgainstTheRowsFirst) {
  Alter({.not_null = {"id", "s.x"}});
  EXPECT_FALSE(Now().schema.Find("id")->nullable);
  const auto target = Target("");
  EXPECT_FALSE(StageUpdate(target, lake_.connection(), {{"id", "NULL"}}, "id = 1", Options()));
  Insert("id,p", "SELECT 9::BIGINT AS id, 'p0' AS p");  // s is NULL, and with it nothing of s
  EXPECT_TRUE(Must(TryAlter({.not_null = {"s.x"}})).empty);
  const std::string refused = Refused({.not_null = {"name"}});
  EXPECT_TRUE(refused.starts_with("null-value: silver.t: 1 row has NULL in \"name\"; for instance {\"id\":9")) << refused;
  Alter({.nullable = {"id"}});
  EXPECT_TRUE(Now().schema.Find("id")->nullable);
}

TEST_F(AlterTest, HoldsConstraintsAgainstTheRowsFirst) {
  EXPECT_EQ(Refused({.add_constraint = {{"Small", "id < 3"}}}),
            "check-constraint: silver.t: 1 row breaks the constraint Small: id < 3; for instance "
            "{\"id\":3,\"name\":\"n3\",\"s\":{\"x\":3,\"y\":\"y\"},\"p\":\"p1\"}");
  Alter({.add_constraint = {{"Small", "id < 4"}}});
  EXPECT_EQ(Now().metadata.configuration.at("delta.constraints.small"), "id < 4");
  EXPECT_EQ(Now().protocol.min_writer_version, 3);
  const auto target = Target("");
  const auto broken = StageUpdate(target, lake_.connection(), {{"id", "17"}}, "id = 1", Options());
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, "check-constraint");
  EXPECT_EQ(CodeOf({.drop = {"id"}}), "column-in-use");
  EXPECT_EQ(CodeOf({.add_constraint = {{"small", "id < 9"}}}), "duplicate-constraint");
  EXPECT_EQ(CodeOf({.add_constraint = {{"odd", "id / 2 = 1"}}}), "unsupported-constraint");
  EXPECT_EQ(CodeOf({.add_constraint = {{"odd", "id + 1"}}}), "bad-expression");
  EXPECT_EQ(Refused({.add_constraint = {{"odd", "nme = 'x'"}}}),
            "unknown-column: constraint odd: \"nme = 'x'\": there is no column \"nme\" (did you mean \"name\"?)");
  const std::string cut = Refused({.add_constraint = {{"odd", "id +"}}});
  EXPECT_EQ(cut.find("SELECT"), std::string::npos) << cut;
  EXPECT_EQ(CodeOf({.drop_constraint = {"smal"}}), "no-such-constraint");
  Alter({.drop_constraint = {"SMALL"}});
  EXPECT_FALSE(Now().metadata.configuration.contains("delta.constraints.small"));
}

TEST_F(AlterTest, SetsAndUnsetsProperties) {
  Alter({.set = {{"delta.enableChangeDataFeed", "true"}, {"delta.checkpointInterval", "5"}, {"team", "shop"}}});
  EXPECT_EQ(Now().metadata.configuration.at("team"), "shop");
  EXPECT_EQ(Now().protocol.min_writer_version, 4);
  EXPECT_TRUE(Must(TryAlter({.set = {{"team", "shop"}}})).empty);
  Alter({.unset = {"team"}});
  EXPECT_FALSE(Now().metadata.configuration.contains("team"));
  Alter({.set = {{"delta.feature.domainMetadata", "supported"}}});
  EXPECT_TRUE(Now().protocol.writer_features->contains("domainMetadata"));
  EXPECT_FALSE(Now().metadata.configuration.contains("delta.feature.domainMetadata"));
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{{"delta.enableChangeDataFed", "true"},
                                                                                   {"delta.appendOnly", "yes"},
                                                                                   {"delta.checkpointInterval", "0"},
                                                                                   {"delta.logRetentionDuration", "soon"},
                                                                                   {"delta.constraints.c", "id > 0"},
                                                                                   {"delta.isolationLevel", "none"},
                                                                                   {"delta.targetFileSize", "banana"},
                                                                                   {"delta.dataSkippingNumIndexedCols", "-5"},
                                                                                   {"delta.autoOptimize.autoCompact", "perhaps"}})
    EXPECT_EQ(CodeOf({.set = {{key, value}}}), "bad-property") << key;
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{{"delta.enableRowTracking", "true"},
                                                                                   {"delta.dataSkippingStatsColumns", "id"},
                                                                                   {"delta.feature.clustering", "supported"},
                                                                                   {"delta.columnMapping.mode", "id"}})
    EXPECT_EQ(CodeOf({.set = {{key, value}}}), "unsupported-feature") << key;
  EXPECT_EQ(CodeOf({.set = {{"delta.setTransactionRetentionDuration", "interval 1 day"}}}), "transaction-retention");
  EXPECT_EQ(CodeOf({.unset = {"delta.appendOnly"}}), "bad-property");
}

TEST_F(AlterTest, TheChangeFeedHasItsColumnsForItself) {
  Alter({.add = {{"_Commit_Version", DataType::Of(TypeKind::kBigint)}}});
  EXPECT_TRUE(Refused({.set = {{"delta.enableChangeDataFeed", "true"}}}).starts_with("reserved-column: ")) << "feed";
  AlterSpec both{.rename = {{"_Commit_Version", "version"}}};
  both.set = {{"delta.enableChangeDataFeed", "true"}};
  Alter(both);
  EXPECT_EQ(CodeOf({.rename = {{"version", "_change_type"}}}), "bad-column");
}

TEST_F(AlterTest, InCommitTimestampsBeginWithTheVersionThatTheyName) {
  const AlterSpec spec{.set = {{"delta.enableInCommitTimestamps", "true"}}};
  const auto target = Target("");
  const StagedChange late = Must(StageAlter(target, lake_.connection(), spec, Options()));
  Insert("id,p", "SELECT 9::BIGINT AS id, 'p0' AS p");
  const auto refused = CommitPlainly(target, late, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "commit-conflict");
  Alter(spec);
  const auto now = Now();
  EXPECT_EQ(now.metadata.configuration.at("delta.inCommitTimestampEnablementVersion"), std::to_string(now.version));
  EXPECT_EQ(now.metadata.configuration.at("delta.inCommitTimestampEnablementTimestamp"), std::to_string(now.timestamp));
  Alter({.set = {{"delta.enableInCommitTimestamps", "false"}}});
  EXPECT_FALSE(Now().metadata.configuration.contains("delta.inCommitTimestampEnablementVersion"));
}

TEST_F(AlterTest, AConflictNamesTheOperationAndDropsWhatWasStaged) {
  const auto target = Target("");
  StageOptions options = Options();
  options.file_prefix = "update-7";
  const StagedChange change = Must(StageUpdate(target, lake_.connection(), {{"name", "'x'"}}, "id = 1", options));
  const auto other = Target("");
  Must(CommitPlainly(other, Must(StageDelete(other, lake_.connection(), "id = 3", Options())), {}));
  const auto refused = CommitPlainly(target, change, {.operation_id = "op", .staged_prefix = "update-7"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kConflict);
  EXPECT_NE(refused.error().message.find("DELETE"), std::string::npos) << refused.error().message;
  for (const auto& object : Must(lake_.store().List("silver/t/"))) EXPECT_EQ(object.key.find("update-7"), std::string::npos) << object.key;
  EXPECT_EQ(Table("id, name"), (Lines{"0|n0", "1|n1", "2|n2"}));
}

TEST_F(AlterTest, WritesTheCheckpointThatIsDue) {
  Alter({.set = {{"delta.checkpointInterval", "2"}}});
  Alter({.set = {{"team", "a"}}});
  EXPECT_TRUE(lake_.store().Head("silver/t/_delta_log/00000000000000000002.checkpoint.parquet"));
}

}  // namespace
}  // namespace sluice::tables
