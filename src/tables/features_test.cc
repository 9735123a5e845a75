// Tables whose features bind what is written: constraints, column mapping, type widening, append-only.
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "delta/column_mapping.h"
#include "tables/change.h"
#include "tables/check.h"
#include "tables/constraints.h"
#include "tables/table_fixture.h"

namespace sluice::tables {
namespace {

class FeaturesTest : public TableTest {
 protected:
  TableTarget With(const std::string& schema, std::map<std::string, std::string> properties, std::vector<std::string> partition_by = {}) {
    TableTarget target = Target(schema, std::move(partition_by));
    if (!target.snapshot) target.properties = std::move(properties);
    return target;
  }
  delta::Snapshot Now() { return Must(delta::LoadSnapshot(lake_.store(), "silver/t")); }
  Result<StagedChange> TryAppend(const TableTarget& target, const std::string& sql) {
    return StageAppend(target, *lake_.Read(sql), Options(), &lake_.connection());
  }
  void ExpectSound() {
    const auto check = Must(CheckTable(lake_.store(), "silver/t", lake_.connection()));
    for (const auto& finding : check.findings) ADD_FAILURE() << finding.code << " " << finding.where << ": " << finding.message;
  }
};

TEST_F(FeaturesTest, RowsThatBreakAConstraintAreRefused) {
  const auto target = [&] { return With("id: bigint, age: integer", {{"delta.constraints.grown", "age >= 18 AND `age` < 150"}}); };
  Commit(Must(TryAppend(target(), "SELECT 1::BIGINT AS id, 20::INTEGER AS age")));
  EXPECT_EQ(Now().protocol, (delta::Protocol{1, 3}));
  for (const std::string age : {"17", "NULL"}) {
    const auto refused = TryAppend(target(), "SELECT 2::BIGINT AS id, 30::INTEGER AS age UNION ALL SELECT 3, " + age);
    ASSERT_FALSE(refused) << age;
    EXPECT_EQ(refused.error().code, "check-constraint");
    EXPECT_NE(refused.error().message.find("one row would break the table's constraint grown"), std::string::npos)
        << refused.error().message;
    EXPECT_NE(refused.error().message.find("\"id\":3"), std::string::npos) << refused.error().message;
  }
  // Every way that rows are written goes through the same check.
  MergeSpec spec;
  spec.key = {"id"};
  spec.sequence_by = {"age"};
  const auto merged = StageMerge(target(), lake_.connection(), {"SELECT 9::BIGINT AS id, 7::INTEGER AS age", {}}, spec, Options());
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code, "check-constraint");
}

TEST_F(FeaturesTest, ConditionsInSparksSqlMeanTheSame) {
  const contract::Schema schema = MakeSchema("id: bigint, name: string, s: struct<x: integer>, day: date");
  const auto translate = [&](const std::string& sql) { return ConditionInDuckDb({"c", sql}, schema); };
  EXPECT_EQ(Must(translate("id == 3 and name <=> \"a'b\"")), R"("id" = 3 and "name"  IS NOT DISTINCT FROM  'a''b')");
  EXPECT_EQ(Must(translate("`s`.x != 1 OR day > '2024-01-01'")), R"("s"."x" <> 1 OR "day" > '2024-01-01')");
  EXPECT_EQ(Must(translate("startswith(name, 'x') AND length(name) BETWEEN 1 AND 5")),
            R"(starts_with("name", 'x') AND length("name") BETWEEN 1 AND 5)");
  for (const std::string refused : {"id / 2 > 1", "name RLIKE 'a'", "id > 1L", "name = 'a\\'b'", "name = 'a' 'b'", "other > 1",
                                    "rand() > 0.5", "cast(id as int) > 1", "current_date > day", "id > 1 -- all", "name = 'a"}) {
    const auto condition = translate(refused);
    ASSERT_FALSE(condition) << refused << " became " << *condition;
    EXPECT_EQ(condition.error().code, "unsupported-constraint") << refused;
  }
}

TEST_F(FeaturesTest, MappedColumnsAreWrittenUnderTheirPhysicalNames) {
  for (const std::string mode : {"name", "id"}) {
    const std::string root = "silver/t";
    for (const auto& object : Must(lake_.store().List(root + "/"))) Must(lake_.store().Delete(object.key));
    const auto properties = std::map<std::string, std::string>{{"delta.columnMapping.mode", mode}};
    const auto target = With("id: bigint, c: string, s: struct<x: integer>", properties, {"c"});
    Commit(Must(TryAppend(target, "SELECT range AS id, 'p' || range % 2 AS c, {'x': range::INTEGER} AS s FROM range(4)")));
    delta::Snapshot now = Now();
    EXPECT_EQ(now.protocol, (delta::Protocol{2, 5}));
    EXPECT_EQ(now.metadata.configuration.at("delta.columnMapping.maxColumnId"), "4");
    const std::string physical = delta::PhysicalName(*now.schema.Find("id"), delta::ColumnMapping::kName);
    EXPECT_NE(physical, "id");
    const delta::Add& add = *now.files.begin();
    EXPECT_NE(add.stats.find(physical), std::string::npos) << add.stats;
    EXPECT_TRUE(add.partition_values.contains(delta::PhysicalName(*now.schema.Find("c"), delta::ColumnMapping::kName)));
    const std::string file = lake_.store().Uri(root + "/" + add.path);
    EXPECT_EQ(lake_.Rows("SELECT field_id, name FROM parquet_schema('" + file + "') WHERE field_id IS NOT NULL ORDER BY 1").size(), 3U);
    EXPECT_EQ(Table("id, c, s.x"), (Lines{"0|p0|0", "1|p1|1", "2|p0|2", "3|p1|3"}));

    // A new column gets the next id, and old files do not have it.
    Commit(Must(TryAppend(With("id: bigint, c: string, s: struct<x: integer, y: date>, n: double", {}, {"c"}),
                          "SELECT 9::BIGINT AS id, 'p0' AS c, {'x': 9::INTEGER, 'y': DATE '2024-01-01'} AS s, 0.5::DOUBLE AS n")));
    now = Now();
    EXPECT_EQ(now.metadata.configuration.at("delta.columnMapping.maxColumnId"), "6");
    EXPECT_EQ(Table("id, s.y, n"), (Lines{"0|-|-", "1|-|-", "2|-|-", "3|-|-", "9|2024-01-01|0.5"}));
    ExpectSound();
  }
}

TEST_F(FeaturesTest, AWidenedTypeKeepsItsFiles) {
  Commit(Must(TryAppend(With("id: integer, d: decimal(5,2), day: date", {{"delta.enableTypeWidening", "true"}}),
                        "SELECT 1::INTEGER AS id, 1.25::DECIMAL(5,2) AS d, DATE '2024-01-01' AS day")));
  const auto change = Must(TryAppend(With("id: bigint, d: decimal(9,4), day: timestamp_ntz", {}),
                                     "SELECT 5000000000::BIGINT AS id, 2.1234::DECIMAL(9,4) AS d, TIMESTAMP '2024-01-02 10:00:00' AS day"));
  EXPECT_TRUE(change.removed_paths.empty());
  Commit(change);
  const auto now = Now();
  EXPECT_EQ(now.files.size(), 2U);
  EXPECT_EQ(now.schema.Find("id")->metadata.at("delta.typeChanges"), R"([{"fromType":"integer","toType":"long"}])");
  EXPECT_EQ(Table("id, d, day"), (Lines{"1|1.2500|2024-01-01 00:00:00", "5000000000|2.1234|2024-01-02 10:00:00"}));
  ExpectSound();
}

TEST_F(FeaturesTest, AnAppendOnlyTableKeepsItsRows) {
  Commit(Must(TryAppend(With("id: bigint", {{"delta.appendOnly", "true"}}), "SELECT 1::BIGINT AS id")));
  Commit(Must(TryAppend(With("id: bigint", {}), "SELECT 2::BIGINT AS id")));
  const auto refused = StageOverwrite(Target("id: bigint"), *lake_.Read("SELECT 3::BIGINT AS id"), {}, Options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "append-only-table");
}

TEST_F(FeaturesTest, WhatATableIsMadeWithCannotBeSetLater) {
  Commit(Must(TryAppend(With("id: bigint", {}), "SELECT 1::BIGINT AS id")));
  for (const auto& [key, value] : std::map<std::string, std::string>{
           {"delta.constraints.c", "id > 0"}, {"delta.columnMapping.mode", "name"}, {"delta.enableInCommitTimestamps", "true"}}) {
    TableTarget target = Target("id: bigint");
    target.properties = {{key, value}};
    const auto refused = TryAppend(target, "SELECT 2::BIGINT AS id");
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, "unsupported-feature");
  }
}

}  // namespace
}  // namespace sluice::tables
