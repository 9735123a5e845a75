// Expressions of generated columns as Spark types and computes them (Spark 4 with its session in UTC), and tables that have them.
#include "tables/generated.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tables/dml.h"
#include "tables/optimize.h"
#include "tables/table_fixture.h"

namespace sluice::tables {
namespace {

contract::Field FieldOf(const std::string& name, const std::string& type, const std::string& expression) {
  return {name, Must(contract::ParseType(type)), true, {{"delta.generationExpression", nlohmann::json(expression).dump()}}};
}

contract::Schema Columns() {
  auto schema = MakeSchema("at: timestamp, wall: timestamp_ntz, d: date, s: string, n: integer, big: bigint, ok: boolean, m: decimal(5,2)");
  schema.fields.push_back({"odd na`me", contract::DataType::Of(contract::TypeKind::kDate)});
  return schema;
}

struct Case {
  const char *expression, *type;
  const char *source, *value, *expected;  // SQL of the source's type; the text of the result, "-" for NULL
};
// Expected values are Spark's.
const Case kCases[] = {
    {"CAST(at AS DATE)", "date", "TIMESTAMPTZ", "2024-02-29 23:59:59.999999+00", "2024-02-29"},
    {"cast ( `AT` as date )", "date", "TIMESTAMPTZ", "1969-12-31 23:59:59.999999+00", "1969-12-31"},
    {"(cast(at as date))", "date", "TIMESTAMPTZ", "1970-01-01 00:00:00+00", "1970-01-01"},
    {"CAST(wall AS DATE)", "date", "TIMESTAMP", "0999-03-01 00:00:00", "0999-03-01"},
    {"CAST(d AS TIMESTAMP)", "timestamp", "DATE", "1969-12-31", "1969-12-31 00:00:00+00"},
    {"CAST(d AS STRING)", "string", "DATE", "2024-01-05", "2024-01-05"},
    {"CAST(n AS BIGINT)", "bigint", "INTEGER", "-7", "-7"},
    {"CAST(n AS STRING)", "string", "INTEGER", "-7", "-7"},
    {"CAST(ok AS STRING)", "string", "BOOLEAN", "true", "true"},
    {"CAST(big AS long)", "bigint", "BIGINT", "9223372036854775807", "9223372036854775807"},
    {"m", "decimal(5,2)", "DECIMAL(5,2)", "-0.05", "-0.05"},
    {"s", "string", "VARCHAR", "x", "x"},
    {"YEAR(at)", "integer", "TIMESTAMPTZ", "1969-12-31 23:59:59+00", "1969"},
    {"year(d)", "integer", "DATE", "0001-01-01", "1"},
    {"year(CAST(at AS DATE))", "integer", "TIMESTAMPTZ", "2000-01-01 00:00:00+00", "2000"},
    {"MONTH(at)", "integer", "TIMESTAMPTZ", "1969-12-31 23:59:59+00", "12"},
    {"DAY(at)", "integer", "TIMESTAMPTZ", "1969-12-31 23:59:59+00", "31"},
    {"dayofmonth(`odd na``me`)", "integer", "DATE", "2024-02-29", "29"},
    {"HOUR(at)", "integer", "TIMESTAMPTZ", "1969-12-31 23:00:00+00", "23"},
    {"hour(wall)", "integer", "TIMESTAMP", "2024-01-01 05:59:59", "5"},
    {"hour(d)", "integer", "DATE", "2024-01-01", "0"},
    {"DATE_FORMAT(at, 'yyyy-MM')", "string", "TIMESTAMPTZ", "1969-12-31 23:00:00+00", "1969-12"},
    {"date_format(d, \"yyyy-MM\")", "string", "DATE", "0999-02-28", "0999-02"},
    {"date_format(at, 'yyyy-MM-dd-HH')", "string", "TIMESTAMPTZ", "1969-12-31 23:59:59.999999+00", "1969-12-31-23"},
    {"date_format(at, 'yyyyMMdd')", "string", "TIMESTAMPTZ", "2024-03-09 01:00:00+00", "20240309"},
    {"date_format(at, 'MM')", "string", "TIMESTAMPTZ", "2024-03-09 01:00:00+00", "03"},
    {"date_format(at, 'yy/M/d H:m:s')", "string", "TIMESTAMPTZ", "2004-03-09 01:02:03.9+00", "04/3/9 1:2:3"},
    {"date_format(at, 'yyyy-MM-dd HH:mm:ss')", "string", "TIMESTAMPTZ", "1969-12-31 23:59:58.1+00", "1969-12-31 23:59:58"},
    {"date_trunc('YEAR', at)", "timestamp", "TIMESTAMPTZ", "1969-12-31 23:59:59+00", "1969-01-01 00:00:00+00"},
    {"date_trunc('quarter', at)", "timestamp", "TIMESTAMPTZ", "2024-06-30 23:59:59+00", "2024-04-01 00:00:00+00"},
    {"DATE_TRUNC('MM', at)", "timestamp", "TIMESTAMPTZ", "2024-06-30 23:59:59+00", "2024-06-01 00:00:00+00"},
    {"date_trunc('week', at)", "timestamp", "TIMESTAMPTZ", "1970-01-01 12:00:00+00", "1969-12-29 00:00:00+00"},
    {"date_trunc('DAY', d)", "timestamp", "DATE", "1969-12-31", "1969-12-31 00:00:00+00"},
    {"date_trunc('HOUR', at)", "timestamp", "TIMESTAMPTZ", "1969-12-31 23:59:59+00", "1969-12-31 23:00:00+00"},
    {"date_trunc('minute', at)", "timestamp", "TIMESTAMPTZ", "1969-12-31 23:59:59+00", "1969-12-31 23:59:00+00"},
    {"date_trunc('second', at)", "timestamp", "TIMESTAMPTZ", "1969-12-31 23:59:59.5+00", "1969-12-31 23:59:59+00"},
    {"TRUNC(d, 'MM')", "date", "DATE", "1969-12-31", "1969-12-01"},
    {"trunc(at, 'year')", "date", "TIMESTAMPTZ", "2024-02-29 10:00:00+00", "2024-01-01"},
    {"trunc(d, 'quarter')", "date", "DATE", "2024-12-31", "2024-10-01"},
    {"trunc(d, 'WEEK')", "date", "DATE", "1969-12-28", "1969-12-22"},
    {"SUBSTRING(s, 1, 3)", "string", "VARCHAR", "äbcd", "äbc"},
    {"substring(s, 0, 2)", "string", "VARCHAR", "abcd", "ab"},
    {"substr(s, 2)", "string", "VARCHAR", "abcd", "bcd"},
    {"substring(s, -2, 1)", "string", "VARCHAR", "abcd", "c"},
    {"substring(s, -6, 3)", "string", "VARCHAR", "abcd", "a"},
    {"substring(s, 9, 3)", "string", "VARCHAR", "abcd", ""},
    {"substring(s, 1, -3)", "string", "VARCHAR", "abcd", ""},
    {"substring(s from 2 for 2)", "string", "VARCHAR", "abcd", "bc"},
    {"substring(date_format(at, 'yyyy-MM-dd'), 1, 7)", "string", "TIMESTAMPTZ", "2024-03-09 01:00:00+00", "2024-03"},
    {"substring(d, 1, 4)", "string", "DATE", "2024-03-09", "2024"},
};

TEST(Generated, AsSparkComputesThem) {
  TestLake lake;
  const auto schema = Columns();
  for (const Case& c : kCases) {
    const auto generated = GeneratedOf(FieldOf("g", c.type, c.expression), schema);
    ASSERT_TRUE(generated.has_value()) << generated.error().ToString();
    const std::string sql = fmt::format("SELECT CAST('{}' AS {}) AS v UNION ALL SELECT NULL", c.value, c.source);
    const auto source = (*lake.Read(sql)->ToTable().ValueOrDie()->CombineChunksToBatch())->column(0);
    const auto result = Must(Generate(**generated, *source));
    Must(CheckGenerated(**generated, *source, *result, false));
    const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("r", result->type())}), 2, {result});
    Must(lake.connection().Register("result", batch->schema(), {batch}));
    EXPECT_EQ(lake.Rows("SELECT r::VARCHAR FROM result"), (*c.expected ? Lines{"-", c.expected} : Lines{"", "-"})) << c.expression;
    Must(lake.connection().Unregister("result"));
  }
}

TEST(Generated, WhatMayDifferFromSparkIsRefusedByName) {
  const auto schema = Columns();
  const std::pair<const char*, const char*> refused[] = {{"upper(s)", "string"},
                                                         {"n + 1", "integer"},
                                                         {"year(at) * 100 + month(at)", "integer"},
                                                         {"CAST(s AS DATE)", "date"},
                                                         {"CAST(big AS INT)", "integer"},
                                                         {"CAST(at AS STRING)", "string"},
                                                         {"CAST(m AS STRING)", "string"},
                                                         {"year(s)", "integer"},
                                                         {"date_format(at, 'MMM')", "string"},
                                                         {"date_format(at, 'EEE')", "string"},
                                                         {"date_format(at, s)", "string"},
                                                         {"date_format(at, \"yyyy-'Q'\")", "string"},
                                                         {"trunc(d, 'DAY')", "date"},
                                                         {"trunc(d, 'no')", "date"},
                                                         {"date_trunc('eon', at)", "timestamp"},
                                                         {"substring(s, n, 2)", "string"},
                                                         {"substring(s)", "string"},
                                                         {"at.x", "timestamp"},
                                                         {"nope", "string"},
                                                         {"year(at", "integer"},
                                                         {"year(at))", "integer"},
                                                         {"", "string"},
                                                         {"'x'", "string"},
                                                         {"year(at) -- ", "integer"},
                                                         {"YEAR(at)", "string"},
                                                         {"CAST(at AS DATE)", "timestamp"}};
  for (const auto& [expression, type] : refused) {
    const auto generated = GeneratedOf(FieldOf("g", type, expression), schema);
    ASSERT_FALSE(generated.has_value()) << expression;
    EXPECT_EQ(generated.error().code, "unsupported-feature");
    EXPECT_NE(generated.error().message.find(expression), std::string::npos) << generated.error().message;
  }
  // One generated column may not read another.
  auto more = schema;
  more.fields.push_back(FieldOf("y", "integer", "year(at)"));
  EXPECT_FALSE(GeneratedOf(FieldOf("g", "string", "cast(y as string)"), more).has_value());
}

TEST(Generated, EveryDayOfSomeCenturiesAgreesWithDuckDb) {
  TestLake lake;
  const auto schema = Columns();
  const std::string days = "SELECT DATE '1600-01-01' + (range * 3)::INTEGER AS v FROM range(80000)";
  const auto batch = *lake.Read(days)->ToTable().ValueOrDie()->CombineChunksToBatch();
  const std::tuple<const char*, const char*, const char*> same[] = {
      {"year(d)", "integer", "year(v)::INTEGER"},
      {"month(d)", "integer", "month(v)::INTEGER"},
      {"day(d)", "integer", "day(v)::INTEGER"},
      {"trunc(d, 'week')", "date", "date_trunc('week', v)::DATE"},
      {"trunc(d, 'quarter')", "date", "date_trunc('quarter', v)::DATE"},
      {"date_format(d, 'yyyy-MM-dd')", "string", "strftime(v, '%Y-%m-%d')"},
      {"date_trunc('month', d)", "timestamp", "date_trunc('month', v)::TIMESTAMP::TIMESTAMPTZ"}};
  for (const auto& [expression, type, sql] : same) {
    const auto generated = Must(GeneratedOf(FieldOf("g", type, expression), schema));
    const auto expected = *lake.Read(fmt::format("SELECT {} FROM ({})", sql, days))->ToTable().ValueOrDie()->CombineChunksToBatch();
    const auto status = CheckGenerated(*generated, *batch->column(0), *expected->column(0), false);
    EXPECT_TRUE(status.has_value()) << expression << ": " << status.error().message;
  }
}

TEST(Generated, OnlyWhatGrowsWithItsSourceIsMonotone) {
  const auto schema = Columns();
  const std::tuple<const char*, const char*, bool> all[] = {{"cast(at as date)", "date", true},
                                                            {"year(at)", "integer", true},
                                                            {"month(at)", "integer", false},
                                                            {"hour(at)", "integer", false},
                                                            {"date_format(at, 'yyyy-MM')", "string", true},
                                                            {"date_format(at, 'MM-yyyy')", "string", false},
                                                            {"date_format(at, 'yyyy-dd')", "string", false},
                                                            {"date_format(at, 'yyyy-M')", "string", false},
                                                            {"date_format(at, 'yyyyMMddHH')", "string", true},
                                                            {"trunc(d, 'MM')", "date", true},
                                                            {"substring(s, 1, 2)", "string", true},
                                                            {"substring(s, 2, 2)", "string", false},
                                                            {"cast(n as string)", "string", false},
                                                            {"cast(n as bigint)", "bigint", true}};
  for (const auto& [expression, type, monotone] : all)
    EXPECT_EQ(IsMonotone(*Must(GeneratedOf(FieldOf("g", type, expression), schema))), monotone) << expression;
}

// A table as Spark leaves it: with generated columns that no project asked for.
class GeneratedTableTest : public TableTest, public ::testing::WithParamInterface<bool> {
 protected:
  GeneratedTableTest() {
    deletion_vectors_ = GetParam();
    schema_ = MakeSchema("id: bigint, at: timestamp, v: string");
    auto whole = schema_;
    whole.fields.push_back(FieldOf("day", "date", "CAST(at AS DATE)"));
    whole.fields.insert(whole.fields.begin(), FieldOf("y", "integer", "YEAR( `at` )"));
    whole.fields.push_back(FieldOf("head", "string", "SUBSTRING(v, 1, 1)"));
    Commit(Must(StageOverwrite(Target(whole, {"day", "head"}), *lake_.Read(Rows(0, 6) + " WHERE false"), {}, Options())));
    Commit(Append(Target(schema_, {"day", "head"}), Rows(0, 6)));
  }
  static std::string Rows(int from, int to) {
    return fmt::format(
        "SELECT range AS id, TIMESTAMPTZ '1969-12-30 00:00:00+00' + to_hours(range * 12) AS at, 'v' || range AS v FROM range({}, {})", from,
        to);
  }
  static constexpr const char* kAll = "id, y, day, head, v";
  contract::Schema schema_;
};
INSTANTIATE_TEST_SUITE_P(Tables, GeneratedTableTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("DeletionVectors") : std::string("Rewritten"); });

TEST_P(GeneratedTableTest, AppendsComputeThemWhetherTheyPartitionOrNot) {
  EXPECT_EQ(Table(kAll), (Lines{"0|1969|1969-12-30|v|v0", "1|1969|1969-12-30|v|v1", "2|1969|1969-12-31|v|v2", "3|1969|1969-12-31|v|v3",
                                "4|1970|1970-01-01|v|v4", "5|1970|1970-01-01|v|v5"}));
  EXPECT_EQ(Must(delta::LoadSnapshot(lake_.store(), kRoot)).schema.Names(), (Lines{"y", "id", "at", "v", "day", "head"}));
  // NULL gives NULL, and the empty text is none as a partition.
  Commit(Append(Target(schema_, {"day", "head"}), "SELECT 9::BIGINT AS id, NULL::TIMESTAMPTZ AS at, '' AS v"));
  EXPECT_EQ(Table(kAll, "id = 9"), (Lines{"9|-|-|-|"}));
}

TEST_P(GeneratedTableTest, UpdatesComputeThemAnewAndLeaveOthers) {
  auto target = Target("");
  CommitAsScanned(
      target, Must(StageUpdate(target, lake_.connection(), {{"at", "\"at\" + INTERVAL 1 YEAR"}, {"v", "'u' || v"}}, "id = 3", Options())));
  EXPECT_EQ(Table(kAll, "id in (2, 3)"), (Lines{"2|1969|1969-12-31|v|v2", "3|1970|1970-12-31|u|uv3"}));
  target = Target("");
  MergeStatement statement;
  statement.match = {"id"};
  statement.clauses = {{MergeClause::When::kMatched, "", MergeClause::Then::kUpdate, {{"at", "source.\"at\""}}},
                       {MergeClause::When::kNotMatched, "", MergeClause::Then::kInsert, {{"id", "source.id"}, {"at", "source.\"at\""}}}};
  CommitAsScanned(target, Must(StageMergeStatement(target, lake_.connection(),
                                                   {"SELECT unnest([5, 50]) AS id, TIMESTAMPTZ '2024-02-29 12:00:00+00' AS at", {}},
                                                   statement, Options())));
  EXPECT_EQ(Table(kAll, "id >= 5"), (Lines{"50|2024|2024-02-29|-|-", "5|2024|2024-02-29|v|v5"}));
  for (const char* column : {"y", "day", "head"})
    EXPECT_EQ(StageUpdate(Target(""), lake_.connection(), {{column, "NULL"}}, "", Options()).error().code, "generated-column");
}

TEST_P(GeneratedTableTest, GivenValuesMustBeThoseComputed) {
  auto brings = schema_;
  brings.fields.push_back({"day", contract::DataType::Of(contract::TypeKind::kDate)});
  const auto target = Target(brings, {"day", "head"});
  const std::string right = "SELECT *, \"at\"::DATE AS \"day\" FROM (" + Rows(6, 8) + ")",
                    wrong = "SELECT *, DATE '2020-01-01' AS \"day\" FROM (" + Rows(6, 8) + ")";
  MergeSpec merge;
  merge.key = {"id"};
  const auto all = [&](const std::string& sql) {
    std::vector<Status> statuses;
    const auto add = [&](auto result) { statuses.push_back(result ? Ok() : Status(Fail(result.error()))); };
    add(StageAppend(target, *lake_.Read(sql), Options(), &lake_.connection()));
    add(StageOverwrite(target, *lake_.Read(sql), {}, Options(), &lake_.connection()));
    add(StageMerge(target, lake_.connection(), {sql, {}}, merge, Options()));
    add(StageInterval(target, lake_.connection(), {sql, {}}, {"id", {{"6", "8"}}}, Options()));
    MergeStatement statement;
    statement.match = {"id"};
    statement.clauses = {{MergeClause::When::kNotMatched, "", MergeClause::Then::kInsert, {}}};
    statement.brought = {"day"};
    add(StageMergeStatement(Target(Must(delta::LoadSnapshot(lake_.store(), kRoot)).schema), lake_.connection(), {sql, {}}, statement,
                            Options()));
    return statuses;
  };
  for (const Status& status : all(right)) EXPECT_TRUE(status.has_value()) << status.error().ToString();
  for (const Status& status : all(wrong)) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, "generated-value");
    EXPECT_NE(
        status.error().message.find("column \"day\" is generated by CAST(at AS DATE): 2 rows have another value, the first 2020-01-01 "
                                    "where at = 1970-01-02"),
        std::string::npos)
        << status.error().message;
  }
  auto other = schema_;
  other.fields.push_back({"day", contract::DataType::Of(contract::TypeKind::kString)});
  EXPECT_EQ(
      StageAppend(Target(other, {"day", "head"}), *lake_.Read("SELECT *, '' AS day FROM (" + Rows(6, 8) + ")"), Options()).error().code,
      "schema-change");
}

TEST_P(GeneratedTableTest, MadeAnewItKeepsThosePartitionsThatTheProjectNames) {
  auto target = Target(MakeSchema("id: bigint, at: timestamp"), {"day"});
  target.replace_schema = true;
  CommitAsScanned(target, Must(StageOverwrite(target, *lake_.Read(Rows(4, 6)), {}, Options())));
  EXPECT_EQ(Table("id, day"), (Lines{"4|1970-01-01", "5|1970-01-01"}));
  EXPECT_EQ(Must(delta::LoadSnapshot(lake_.store(), kRoot)).schema.Names(), (Lines{"id", "at", "day"}));
  target = Target(MakeSchema("id: bigint"), {"day"});
  target.replace_schema = true;
  const auto without = StageOverwrite(target, *lake_.Read("SELECT 1::BIGINT AS id"), {}, Options());
  ASSERT_FALSE(without.has_value());
  EXPECT_EQ(without.error().code, "unsupported-feature");
  target.partition_by.clear();
  CommitAsScanned(target, Must(StageOverwrite(target, *lake_.Read("SELECT 1::BIGINT AS id"), {}, Options())));
  EXPECT_EQ(Table(), (Lines{"1"}));
}

// Whoever wrote them may have had another zone than UTC: rows that stay keep what they have.
TEST_P(GeneratedTableTest, RowsThatStayKeepTheirValues) {
  auto snapshot = Must(delta::LoadSnapshot(lake_.store(), kRoot));
  delta::PreparedCommit moved;
  moved.table_id = snapshot.metadata.id;
  moved.read_version = snapshot.version;
  for (const delta::Add& add : snapshot.files) {
    if (add.partition_values.at("day") != "1969-12-31") continue;
    delta::Add west = add;
    west.partition_values["day"] = "1969-12-30";
    moved.actions = {delta::Remove{.path = add.path, .data_change = true}, west};
  }
  StagedChange change;
  change.empty = false;
  change.commit = moved;
  Commit(change);
  const Lines before = Table(kAll, "id <> 2");
  ASSERT_EQ(Table("day", "id = 3"), (Lines{"1969-12-30"}));
  const auto target = Target("");
  CommitAsScanned(target, Must(StageDelete(target, lake_.connection(), "id = 2", Options())));
  EXPECT_EQ(Table(kAll), before);
  const auto packed = Target("");
  const auto optimized = Must(StageOptimize(packed, lake_.connection(), {.z_order_by = {"id"}}, Options()));
  ASSERT_FALSE(optimized.empty);
  CommitAsScanned(packed, optimized);
  EXPECT_EQ(Table(kAll), before);
}

}  // namespace
}  // namespace sluice::tables
