#include "tables/scan.h"

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "delta/path.h"
#include "tables/test_lake.h"

namespace sluice::tables {
namespace {

using Lines = std::vector<std::string>;

class ScanTest : public ::testing::Test {
 protected:
  // A file that some other writer made, at a path of its choosing.
  StagedFile Foreign(const std::string& key, const std::string& select) {
    const std::string path = lake_.store().Uri("t/" + key);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    Must(lake_.connection().Execute(fmt::format("COPY ({}) TO {} (FORMAT parquet)", select, QuoteLiteral(path))));
    StagedFile file;
    file.add.path = delta::LogPath(key);
    file.add.size = static_cast<int64_t>(std::filesystem::file_size(path));
    return file;
  }
  Scan Staged(const contract::Schema& schema, const std::vector<std::string>& partitions, const std::vector<StagedFile>& files) {
    return Must(ScanStaged(lake_.store(), "t", schema, partitions, files));
  }
  TestLake lake_;
};

TEST_F(ScanTest, EmptyTableHasItsTypes) {
  const auto schema = MakeSchema("a: decimal(10,2), b: timestamp, c: list<struct<x: date>>");
  const Scan scan = Staged(schema, {}, {});
  EXPECT_EQ(scan.rows, 0);
  EXPECT_TRUE(lake_.Rows(scan).empty());
  const auto columns = Must(lake_.connection().Describe("SELECT * FROM " + scan.sql));
  ASSERT_EQ(columns.size(), 3u);
  EXPECT_EQ(columns[0].duckdb_type, "DECIMAL(10,2)");
  EXPECT_EQ(columns[1].duckdb_type, "TIMESTAMP WITH TIME ZONE");
  EXPECT_EQ(columns[2].duckdb_type, "STRUCT(x DATE)[]");
}

TEST_F(ScanTest, PathsWithSpecialCharacters) {
  std::vector<StagedFile> files;
  for (const char* name : {"a b.parquet", "ü%20.parquet", "x*y?[z].parquet", "it's.parquet", "p=1/q+r#s.parquet"})
    files.push_back(Foreign(name, fmt::format("SELECT {}::BIGINT AS id", files.size())));
  EXPECT_EQ(lake_.Rows(Staged(MakeSchema("id: bigint"), {}, files)), (Lines{"0", "1", "2", "3", "4"}));
  files[0].add.path = "file://" + PercentEncode(lake_.store().Uri("t/a b.parquet"), true);
  EXPECT_EQ(lake_.Rows(Staged(MakeSchema("id: bigint"), {}, files)).size(), 5u);
}

TEST_F(ScanTest, OlderFilesLackColumnsAndHaveNarrowerTypes) {
  const std::vector<StagedFile> files = {Foreign("1.parquet", "SELECT 1::INTEGER AS a, {'x': 1::INTEGER} AS s"),
                                         Foreign("2.parquet", "SELECT {'y': 'q', 'x': 2::BIGINT} AS s, 2::BIGINT AS a, 'b' AS b")};
  const auto schema = MakeSchema("b: string, a: bigint, s: struct<x: bigint, y: string>, none: date");
  EXPECT_EQ(lake_.Rows(Staged(schema, {}, files)), (Lines{"-|1|{'x': 1, 'y': NULL}|-", "b|2|{'x': 2, 'y': q}|-"}));
}

TEST_F(ScanTest, PartitionValuesComeFromTheLogAlone) {
  auto one = Foreign("c=wrong/1.parquet", "SELECT 1::BIGINT AS id, 'in the file' AS c");
  auto two = Foreign("c=wrong/2.parquet", "SELECT 2::BIGINT AS id, 'in the file' AS c");
  auto three = Foreign("c=wrong/3.parquet", "SELECT 3::BIGINT AS id, 'in the file' AS c");
  one.add.partition_values = {{"c", "it's"}, {"d", "2024-02-29"}, {"n", "1"}};
  two.add.partition_values = {{"c", ""}, {"d", std::nullopt}, {"n", "1"}};
  three.add.partition_values = {{"C", "x"}, {"n", "1"}};
  const auto schema = MakeSchema("id: bigint, c: string, d: date, n: integer");
  EXPECT_EQ(lake_.Rows(Staged(schema, {"c", "d", "n"}, {one, two, three})), (Lines{"1|it's|2024-02-29|1", "2|-|-|1", "3|x|-|1"}));
}

// DuckDB has a name of its own for this one.
TEST_F(ScanTest, AColumnNamedFilename) {
  auto one = Foreign("1.parquet", "SELECT 1::BIGINT AS id, 'a' AS filename");
  auto two = Foreign("2.parquet", "SELECT 2::BIGINT AS id, 'b' AS filename UNION ALL SELECT 3, NULL");
  one.add.partition_values = {{"p", "x"}};
  two.add.partition_values = {{"p", "y"}};
  const Scan scan = Staged(MakeSchema("id: bigint, filename: string, p: string"), {"p"}, {one, two});
  EXPECT_EQ(lake_.Rows("FROM " + scan.sql), (Lines{"1|a|x", "2|b|y", "3|-|y"}));
  EXPECT_EQ(lake_.Rows("FROM " + scan.sql + " WHERE filename = 'b'"), Lines{"2|b|y"});
  EXPECT_EQ(lake_.Rows("FROM " + scan.sql + " WHERE filename IN ('a', 'b') AND p > ''"), (Lines{"1|a|x", "2|b|y"}));
  EXPECT_EQ(lake_.Rows("FROM " + scan.sql + " WHERE filename IS NULL"), Lines{"3|-|y"});
  auto number = Foreign("3.parquet", "SELECT 4::BIGINT AS id, 7::BIGINT AS FileName");
  auto other = Foreign("4.parquet", "SELECT 5::BIGINT AS id, 8::BIGINT AS FileName");
  number.add.partition_values = {{"p", "x"}};
  other.add.partition_values = {{"p", "y"}};
  const Scan numbers = Staged(MakeSchema("id: bigint, FileName: bigint, p: string"), {"p"}, {number, other});
  EXPECT_EQ(lake_.Rows("FROM " + numbers.sql + " WHERE filename > 7"), Lines{"5|8|y"});
}

TEST_F(ScanTest, FileAndRowAreNamed) {
  const std::vector<StagedFile> files = {Foreign("a b.parquet", "SELECT range AS id FROM range(2)"),
                                         Foreign("c.parquet", "SELECT 7::BIGINT AS id")};
  const auto schema = MakeSchema("id: bigint");
  const Lines none;
  ScanOptions options;
  options.file_column = "path";
  options.row_column = "row";
  const Scan scan =
      Must(ScanFiles(lake_.store(), "t", {schema, none, delta::ColumnMapping::kNone, {&files[0].add, &files[1].add}}, options));
  const std::string root = lake_.store().Uri("t/");
  EXPECT_EQ(lake_.Rows(scan), (Lines{"0|" + root + "a b.parquet|0", "1|" + root + "a b.parquet|1", "7|" + root + "c.parquet|0"}));
}

TEST_F(ScanTest, ChosenColumnsInSchemaOrder) {
  const auto schema = MakeSchema("a: bigint, b: bigint, c: bigint");
  const std::vector<std::string> none;
  const auto file = Foreign("1.parquet", "SELECT 1::BIGINT AS a, 2::BIGINT AS b, 3::BIGINT AS c");
  ScanOptions options;
  options.columns = Lines{"C", "a"};
  options.file_column = "path";
  options.row_column = "row";
  const Scan scan = Must(ScanFiles(lake_.store(), "t", {schema, none, delta::ColumnMapping::kNone, {&file.add}}, options));
  EXPECT_EQ(lake_.Rows(scan), (Lines{"1|3|" + lake_.store().Uri("t/1.parquet") + "|0"}));
  EXPECT_EQ(scan.schema.Names(), (Lines{"a", "c", "path", "row"}));
  options.columns = Lines{"d"};
  const auto unknown = ScanFiles(lake_.store(), "t", {schema, none, delta::ColumnMapping::kNone, {&file.add}}, options);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, "unknown-column");
}

TEST_F(ScanTest, MappedColumnsAreReadByTheirPhysicalNames) {
  auto file = Foreign("1.parquet",
                      "SELECT 1::BIGINT AS \"col-1\", {'col-3': 5::BIGINT} AS \"col-2\", [{'col-5': 'x'}] AS \"col-4\", "
                      "MAP {'k': {'col-7': 1.5::DOUBLE}} AS \"col-6\"");
  file.add.partition_values = {{"col-8", "2024"}};
  auto schema = MakeSchema("id: bigint, s: struct<a: bigint>, l: list<struct<b: string>>, m: map<string, struct<d: double>>, p: integer");
  const auto name = [](contract::Field& field, const char* physical) {
    field.metadata["delta.columnMapping.physicalName"] = fmt::format("\"{}\"", physical);
  };
  name(schema.fields[0], "col-1"), name(schema.fields[1], "col-2"), name(schema.fields[1].type.children[0], "col-3");
  name(schema.fields[2], "col-4"), name(schema.fields[2].type.children[0].type.children[0], "col-5");
  name(schema.fields[3], "col-6"), name(schema.fields[3].type.children[1].type.children[0], "col-7"), name(schema.fields[4], "col-8");
  const Lines partitions = {"p"};
  const Scan scan = Must(ScanFiles(lake_.store(), "t", {schema, partitions, delta::ColumnMapping::kName, {&file.add}}));
  EXPECT_EQ(lake_.Rows(scan), (Lines{"1|{'a': 5}|[{'b': x}]|{k={'d': 1.5}}|2024"}));
}

TEST_F(ScanTest, DeletedRowsAreGone) {
  auto file = Foreign("1.parquet", "SELECT range AS id FROM range(12)");
  auto other = Foreign("2.parquet", "SELECT 100 + range AS id FROM range(2)");
  // Rows 3, 4, 7, 11, 18 and 29.
  file.add.deletion_vector = delta::DeletionVector{"i", "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", std::nullopt, 44, 6};
  file.add.stats = R"({"numRecords":12})";
  other.add.stats = R"({"numRecords":2})";
  const Scan scan = Staged(MakeSchema("id: bigint"), {}, {file, other});
  EXPECT_EQ(lake_.Rows("SELECT id FROM " + scan.sql + " WHERE id < 100 ORDER BY id"), (Lines{"0", "1", "10", "2", "5", "6", "8", "9"}));
  EXPECT_EQ(lake_.Rows("SELECT count(*) FROM " + scan.sql), (Lines{"10"}));
}

TEST_F(ScanTest, OverlayLeavesRemovedFilesOut) {
  delta::Snapshot snapshot;
  snapshot.schema = MakeSchema("id: bigint");
  snapshot.files = {Foreign("a b.parquet", "SELECT 1::BIGINT AS id").add, Foreign("c.parquet", "SELECT 2::BIGINT AS id").add};
  ScanOptions options;
  options.removed_paths = {"a%20b.parquet"};
  options.added = {Foreign("d.parquet", "SELECT 3::BIGINT AS id")};
  EXPECT_EQ(lake_.Rows(Must(ScanFor(lake_.store(), "t", snapshot, options))), (Lines{"2", "3"}));
  options.only = std::vector<delta::Add>{snapshot.files[0]};
  EXPECT_EQ(lake_.Rows(Must(ScanFor(lake_.store(), "t", snapshot, options))), (Lines{"3"}));
}

TEST_F(ScanTest, RowsComeFromStatistics) {
  auto one = Foreign("1.parquet", "SELECT 1::BIGINT AS id"), two = Foreign("2.parquet", "SELECT 2::BIGINT AS id");
  one.add.stats = R"({"numRecords":1})";
  EXPECT_EQ(Staged(MakeSchema("id: bigint"), {}, {one}).rows, 1);
  EXPECT_EQ(Staged(MakeSchema("id: bigint"), {}, {one, two}).rows, -1);
}

}  // namespace
}  // namespace sluice::tables
