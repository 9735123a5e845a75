#include "tables/data_file_writer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tables/test_lake.h"

namespace sluice::tables {
namespace {

using nlohmann::json;

class DataFileWriterTest : public ::testing::Test {
 protected:
  TestLake lake_;
};

json StatsOf(const StagedFile& file) { return json::parse(file.add.stats); }

TEST_F(DataFileWriterTest, EveryTypeComesBackAsItWas) {
  const auto schema = MakeSchema(
      "b: boolean, t: tinyint, s: smallint, i: integer, l: bigint, f: float, d: double, m: decimal(7,2), n: decimal(18,4), h: "
      "decimal(38,10), "
      "x: string, y: binary, da: date, ts: timestamp, tn: timestamp_ntz, li: list<string>, mp: map<string, bigint>, st: struct<a: bigint, "
      "c: list<date>>");
  const std::string sql =
      "SELECT * FROM (VALUES (true, 1::TINYINT, -2::SMALLINT, 3::INTEGER, 4::BIGINT, 1.5::FLOAT, -0.25::DOUBLE, 12345.67::DECIMAL(7,2), "
      "-0.0001::DECIMAL(18,4), 1234567890123456789012345678.0123456789::DECIMAL(38,10), 'ü\n', '\\x00\\xFF'::BLOB, DATE '0001-01-01', "
      "TIMESTAMPTZ '2024-02-29 23:59:59.999999+00', TIMESTAMP '1969-12-31 23:59:59.000001', ['a', NULL], MAP {'k': 1::BIGINT}, "
      "{'a': 7::BIGINT, 'c': [DATE '2024-01-01']}), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
      "NULL, "
      "NULL, NULL, NULL)) t(b, t, s, i, l, f, d, m, n, h, x, y, da, ts, tn, li, mp, st)";
  const auto files = lake_.WriteFiles(lake_.Options(schema), sql);
  ASSERT_EQ(files.size(), 1u);
  const Scan scan = Must(ScanStaged(lake_.store(), "t", schema, {}, files));
  EXPECT_EQ(lake_.Rows(scan), lake_.Rows(sql));
  EXPECT_EQ(lake_.Rows("SELECT typeof(COLUMNS(*)) FROM " + scan.sql + " LIMIT 1"),
            lake_.Rows("SELECT typeof(COLUMNS(*)) FROM (" + sql + ") LIMIT 1"));
  // The file itself says so, without our casts.
  const std::string path = lake_.store().Uri("t/" + files[0].add.path);
  EXPECT_EQ(lake_.Rows("SELECT typeof(COLUMNS(*)) FROM '" + path + "' LIMIT 1"),
            lake_.Rows("SELECT typeof(COLUMNS(*)) FROM (" + sql + ") LIMIT 1"));
}

TEST_F(DataFileWriterTest, StatisticsFollowTheProtocol) {
  const auto schema = MakeSchema(
      "i: integer, d: double, nan: double, zero: double, m: decimal(20,10), s: string, da: date, ts: timestamp, tn: timestamp_ntz, y: "
      "binary, b: boolean, "
      "none: bigint, st: struct<a: bigint, l: list<bigint>>");
  const auto files = lake_.WriteFiles(
      lake_.Options(schema),
      "SELECT * FROM (VALUES (-5::INTEGER, 0.1::DOUBLE, 'nan'::DOUBLE, 0.0::DOUBLE, 0.0000000001::DECIMAL(20,10), repeat('b', 40), DATE "
      "'2024-01-31', "
      "TIMESTAMPTZ '2024-01-01 00:00:00.000999+00', TIMESTAMP '2024-01-01 00:00:00', 'x'::BLOB, true, NULL::BIGINT, {'a': 3::BIGINT, 'l': "
      "NULL::BIGINT[]}), "
      "(NULL, 1e300, 1.0, -0.0, 1234567890.0123456789, 'a', DATE '1969-12-31', TIMESTAMPTZ '2024-01-01 00:00:00.001001+00', "
      "TIMESTAMP '2024-01-01 00:00:00.5', NULL, NULL, NULL, NULL)) t(i, d, nan, zero, m, s, da, ts, tn, y, b, none, st)");
  const json stats = StatsOf(files[0]);
  EXPECT_EQ(stats["numRecords"], 2);
  EXPECT_EQ(stats["minValues"]["i"], -5);
  EXPECT_EQ(stats["nullCount"]["i"], 1);
  EXPECT_EQ(stats["minValues"]["d"], 0.1);
  EXPECT_EQ(stats["maxValues"]["d"], 1e300);
  EXPECT_FALSE(stats["minValues"].contains("nan"));
  EXPECT_EQ(stats["nullCount"]["nan"], 0);
  EXPECT_NE(files[0].add.stats.find("\"zero\":-0.0"), std::string::npos);
  EXPECT_NE(files[0].add.stats.find("\"zero\":0.0"), std::string::npos);
  EXPECT_NE(files[0].add.stats.find("\"m\":0.0000000001"), std::string::npos);
  EXPECT_NE(files[0].add.stats.find("\"m\":1234567890.0123456789"), std::string::npos);
  EXPECT_EQ(stats["minValues"]["s"], "a");
  EXPECT_EQ(stats["maxValues"]["s"], std::string(31, 'b') + "c");
  EXPECT_EQ(stats["minValues"]["da"], "1969-12-31");
  EXPECT_EQ(stats["minValues"]["ts"], "2024-01-01T00:00:00.000Z");
  EXPECT_EQ(stats["maxValues"]["ts"], "2024-01-01T00:00:00.002Z");
  EXPECT_EQ(stats["maxValues"]["tn"], "2024-01-01T00:00:00.500");
  for (const char* name : {"y", "b", "none"}) EXPECT_FALSE(stats["minValues"].contains(name)) << name;
  EXPECT_EQ(stats["nullCount"]["none"], 2);
  EXPECT_EQ(stats["minValues"]["st"], json({{"a", 3}}));
  EXPECT_EQ(stats["nullCount"]["st"], json({{"a", 1}, {"l", 2}}));
}

TEST_F(DataFileWriterTest, StatisticsCoverOnlyTheFirstLeaves) {
  std::string fields, values;
  for (int i = 0; i < 40; ++i) {
    fields += fmt::format("{}c{}: bigint", i ? ", " : "", i);
    values += fmt::format("{}{}::BIGINT AS c{}", i ? ", " : "", i, i);
  }
  const auto schema = MakeSchema(fields);
  const auto files = lake_.WriteFiles(lake_.Options(schema), "SELECT " + values);
  EXPECT_EQ(StatsOf(files[0])["nullCount"].size(), 32u);
  EXPECT_TRUE(StatsOf(files[0])["maxValues"].contains("c31"));
  EXPECT_EQ(lake_.Rows(Must(ScanStaged(lake_.store(), "t", schema, {}, files))).size(), 1u);
}

TEST_F(DataFileWriterTest, ScattersByPartitionWithoutTheColumnInTheFile) {
  const auto schema = MakeSchema("id: bigint, country: string, n: integer");
  const std::string sql =
      "SELECT range AS id, CASE range % 4 WHEN 0 THEN 'D/E = %' WHEN 1 THEN '*[ü]?' WHEN 2 THEN '' END AS country, (range % 2)::INTEGER AS "
      "n "
      "FROM range(1000)";
  const auto files = lake_.WriteFiles(lake_.Options(schema, {"country", "n"}), sql);
  ASSERT_EQ(files.size(), 4u);
  std::set<std::string> folders;
  for (const StagedFile& file : files) {
    EXPECT_EQ(file.rows, 250);
    EXPECT_EQ(StatsOf(file)["minValues"].size(), 1u);
    folders.insert(file.add.path.substr(0, file.add.path.rfind('/')));
  }
  EXPECT_TRUE(folders.contains("country=__HIVE_DEFAULT_PARTITION__/n=0")) << *folders.begin();
  EXPECT_TRUE(folders.contains("country=D%252FE%2520%253D%2520%2525/n=0")) << *folders.begin();
  const Scan scan = Must(ScanStaged(lake_.store(), "t", schema, {"country", "n"}, files));
  EXPECT_EQ(lake_.Rows(scan), lake_.Rows("SELECT id, nullif(country, '') AS country, n FROM (" + sql + ")"));
}

TEST_F(DataFileWriterTest, ComputesGeneratedPartitionColumns) {
  auto schema = MakeSchema("id: bigint, day: date, moment: timestamp");
  const auto columns = Must(ResolvePartitioning({"month(day)", "hour(moment)"}, &schema));
  const std::string sql =
      "SELECT range AS id, CASE WHEN range % 10 > 0 THEN DATE '2023-12-25' + range::INTEGER % 20 END AS day, "
      "TIMESTAMPTZ '2023-12-31 23:30:00+00' + to_minutes(range % 90) AS moment FROM range(500)";
  const auto files = lake_.WriteFiles(lake_.Options(schema, columns), sql);
  const Scan scan = Must(ScanStaged(lake_.store(), "t", schema, columns, files));
  EXPECT_EQ(lake_.Rows(scan),
            lake_.Rows("SELECT *, strftime(day, '%Y-%m') AS day_month, strftime(moment, '%Y-%m-%d-%H') AS moment_hour FROM (" + sql + ")"));
  // Brought along, they must be right.
  const auto again = lake_.WriteFiles(lake_.Options(schema, columns), "SELECT * FROM " + scan.sql, "u");
  EXPECT_EQ(lake_.Rows(Must(ScanStaged(lake_.store(), "u", schema, columns, again))), lake_.Rows(scan));
  try {
    lake_.WriteFiles(lake_.Options(schema, columns), "SELECT * REPLACE ('2023-13' AS day_month) FROM " + scan.sql + " WHERE id = 3", "v");
    ADD_FAILURE() << "written";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("generated-value"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("2023-13 where day = 2023-12-28 gives 2023-12"), std::string::npos) << error.what();
  }
  // Rows of the table itself stay as they are.
  const auto kept =
      lake_.WriteFiles(lake_.Options(schema, columns), "SELECT * REPLACE ('other' AS day_month) FROM " + scan.sql, "w", Brought::kKept);
  EXPECT_EQ(lake_.Rows("SELECT DISTINCT day_month FROM " + Must(ScanStaged(lake_.store(), "w", schema, columns, kept)).sql),
            (std::vector<std::string>{"other"}));
}

TEST_F(DataFileWriterTest, PartitionsOfEveryUnitAreThoseOfTheirRows) {
  auto schema = MakeSchema("id: bigint, at: timestamp, n: integer, s: string");
  const std::pair<const char*, const char*> generated[] = {
      {"date_format(at, 'mm')", "string"}, {"date_trunc('second', at)", "timestamp"}, {"hour(at)", "integer"},
      {"cast(at as date)", "date"},        {"cast(n as string)", "string"},           {"substring(s, 1, 1)", "string"}};
  std::vector<std::string> columns;
  for (const auto& [expression, type] : generated) {
    columns.push_back(fmt::format("g{}", columns.size()));
    schema.fields.push_back(
        {columns.back(), Must(contract::ParseType(type)), true, {{"delta.generationExpression", fmt::format("\"{}\"", expression)}}});
  }
  const std::string sql =
      "SELECT range AS id, CASE WHEN range % 7 > 0 THEN TIMESTAMPTZ '1969-12-31 23:58:00+00' + to_milliseconds(range * 797) END AS \"at\", "
      "(range % 3)::INTEGER AS n, "
      "CASE WHEN range % 2 = 0 THEN 'äx' ELSE '' END AS s FROM range(300)";
  const auto files = lake_.WriteFiles(lake_.Options(schema, columns), sql);
  EXPECT_EQ(lake_.Rows(Must(ScanStaged(lake_.store(), "t", schema, columns, files))),
            lake_.Rows("SELECT *, strftime(\"at\", '%M'), date_trunc('second', \"at\"), hour(\"at\")::INTEGER, \"at\"::DATE, n::VARCHAR, "
                       "nullif(left(s, 1), '') FROM (" +
                       sql + ")"));
}

TEST_F(DataFileWriterTest, KeptAndComputedRowsShareTheirPartitions) {
  auto schema = MakeSchema("id: bigint, at: timestamp, m: string, y: integer");
  schema.fields[2].metadata["delta.generationExpression"] = "\"date_format(at, 'MM')\"";
  schema.fields[3].metadata["delta.generationExpression"] = "\"year(at)\"";
  auto writer = Must(DataFileWriter::Open(lake_.store(), "t", lake_.Options(schema, {"m"}), SystemRandom()));
  const auto write = [&](const std::string& sql, Brought brought) {
    const auto batch = lake_.Read(sql)->ToTable().ValueOrDie()->CombineChunksToBatch();
    Must(writer->Write(**batch, brought));
  };
  write("SELECT 1::BIGINT AS id, TIMESTAMPTZ '1969-12-31 23:59:59.999999+00' AS at", Brought::kChecked);
  write("SELECT 2::BIGINT AS id, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS at, 2023::INTEGER AS y, '12' AS m", Brought::kKept);
  write("SELECT 3::BIGINT AS id, TIMESTAMPTZ '2022-12-01 00:00:00+00' AS at, 2022::INTEGER AS y", Brought::kChecked);
  const auto files = Must(writer->Finish());
  EXPECT_EQ(files.size(), 1u);
  EXPECT_EQ(lake_.Rows("SELECT id, m, y FROM " + Must(ScanStaged(lake_.store(), "t", schema, {"m"}, files)).sql),
            (std::vector<std::string>{"1|12|1969", "2|12|2023", "3|12|2022"}));
}

TEST_F(DataFileWriterTest, PartitionsOfEveryTypeRoundTrip) {
  const auto schema = MakeSchema(
      "v: bigint, b: boolean, t: tinyint, l: bigint, d: double, m: decimal(12,2), da: date, ts: timestamp, tn: timestamp_ntz, y: binary, "
      "s: string");
  const std::vector<std::string> columns = {"b", "t", "l", "d", "m", "da", "ts", "tn", "y", "s"};
  const std::string sql =
      "SELECT * FROM (VALUES (1::BIGINT, true, -1::TINYINT, 9223372036854775807, 0.1::DOUBLE, -0.05::DECIMAL(12,2), DATE '1969-12-31', "
      "TIMESTAMPTZ '2024-01-01 10:00:00.000001+00', TIMESTAMP '2024-01-01 00:00:00', 'abc'::BLOB, 'it''s'), "
      "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
      "(3, false, 127, -9223372036854775807, 'inf'::DOUBLE, 1234567890.10, DATE '9999-12-31', TIMESTAMPTZ '1900-01-01 00:00:00+00', "
      "TIMESTAMP '2024-06-01 12:34:56.5', encode('ü'), '__HIVE_DEFAULT_PARTITION__')) x(v, b, t, l, d, m, da, ts, tn, y, s)";
  const auto files = lake_.WriteFiles(lake_.Options(schema, columns), sql);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(lake_.Rows(Must(ScanStaged(lake_.store(), "t", schema, columns, files))), lake_.Rows(sql));
}

TEST_F(DataFileWriterTest, SpillsBeyondTheOpenPartitionsAndLosesNothing) {
  const auto schema = MakeSchema("id: bigint, s: string, p: integer");
  auto options = lake_.Options(schema, {"p"});
  options.max_open_partitions = 3;
  options.memory_bytes = 1 << 20;
  const std::string sql = "SELECT range AS id, 'v' || range AS s, (hash(range) % 50)::INTEGER AS p FROM range(200000)";
  const auto files = lake_.WriteFiles(options, sql);
  EXPECT_EQ(files.size(), 50u);
  const Scan scan = Must(ScanStaged(lake_.store(), "t", schema, {"p"}, files));
  EXPECT_EQ(scan.rows, 200000);
  const std::string digest = "SELECT count(*), sum(hash(id, s, p)) FROM ";
  EXPECT_EQ(lake_.Rows(digest + scan.sql), lake_.Rows(digest + "(" + sql + ")"));
  EXPECT_TRUE(std::filesystem::is_empty(lake_.scratch()));
}

TEST_F(DataFileWriterTest, RollsFilesAtTheTargetSize) {
  const auto schema = MakeSchema("id: bigint, h: bigint");
  auto options = lake_.Options(schema);
  options.target_file_bytes = 1 << 20;
  options.row_group_rows = 20000;
  const std::string sql = "SELECT range AS id, (hash(range) >> 1)::BIGINT AS h FROM range(400000)";
  const auto files = lake_.WriteFiles(options, sql);
  EXPECT_GT(files.size(), 3u);
  for (size_t i = 0; i + 1 < files.size(); ++i) EXPECT_LT(files[i].add.size, 2 << 20);
  const Scan scan = Must(ScanStaged(lake_.store(), "t", schema, {}, files));
  EXPECT_EQ(lake_.Rows("SELECT count(*), sum(id), bit_xor(h) FROM " + scan.sql),
            lake_.Rows("SELECT count(*), sum(id), bit_xor(h) FROM (" + sql + ")"));
}

TEST_F(DataFileWriterTest, NoRowsMakeNoFile) {
  const auto schema = MakeSchema("id: bigint");
  EXPECT_TRUE(lake_.WriteFiles(lake_.Options(schema), "SELECT range AS id FROM range(0)").empty());
}

TEST_F(DataFileWriterTest, RefusesNullWhereItMustNotBe) {
  auto schema = MakeSchema("id: bigint");
  schema.fields[0].nullable = false;
  auto writer = Must(DataFileWriter::Open(lake_.store(), "t", lake_.Options(schema), SystemRandom()));
  const auto table = lake_.Read("SELECT NULL::BIGINT AS id")->ToTable().ValueOrDie();
  const auto status = writer->Write(**table->CombineChunksToBatch());
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, "not-null");
}

TEST_F(DataFileWriterTest, AbandonedWriterLeavesNoVisibleFile) {
  {
    auto writer = Must(DataFileWriter::Open(lake_.store(), "t", lake_.Options(MakeSchema("id: bigint")), SystemRandom()));
    Must(writer->Write(**lake_.Read("SELECT 1::BIGINT AS id")->ToTable().ValueOrDie()->CombineChunksToBatch()));
  }
  EXPECT_TRUE(Must(lake_.store().List("t/")).empty());
}

}  // namespace
}  // namespace sluice::tables
