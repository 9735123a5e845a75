#include "tables/copy_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tables/test_lake.h"

namespace sluice::tables {
namespace {

constexpr const char* kColumns =
    "id: bigint, text: string, word: string, bytes: binary, d: double, f: float, m: decimal(7,2), n: decimal(38,10), day: date, ts: "
    "timestamp, tn: "
    "timestamp_ntz, yes: boolean, li: list<string>, mp: map<string, bigint>, st: struct<a: bigint, c: list<date>>";

// Many row groups, NULLs in each column, a NaN, texts that repeat and texts that do not.
std::string RowsSql(int64_t rows) {
  return "SELECT i::BIGINT AS id, 'text ' || hash(i) AS text, CASE WHEN i % 7 > 0 THEN 'w' || i % 5 END AS word, CASE WHEN i % 3 > 0 THEN "
         "('b' || i % 4)::BLOB "
         "END AS bytes, CASE WHEN i = 17 THEN 'nan' ELSE i / 8 END::DOUBLE AS d, CASE WHEN i % 11 > 0 THEN i % 100 END::FLOAT AS f, (i % "
         "1000 / "
         "100)::DECIMAL(7,2) AS m, (i * 1000003)::DECIMAL(38,10) AS n, DATE '2020-01-01' + (i % 400)::INTEGER AS day, TIMESTAMPTZ "
         "'1969-12-31 "
         "23:59:59.5+00' + to_microseconds(i) AS ts, TIMESTAMP '2024-01-01' + to_seconds(i) AS tn, i % 2 = 0 AS yes, CASE WHEN i % 5 > 0 "
         "THEN ['x' || i "
         "% 3, NULL] END AS li, CASE WHEN i % 4 > 0 THEN MAP {'k': i::BIGINT} END AS mp, CASE WHEN i % 6 > 0 THEN {'a': i::BIGINT, 'c': "
         "[DATE "
         "'2024-01-01']} END AS st FROM range(" +
         std::to_string(rows) + ") r(i)";
}

class CopyFileTest : public ::testing::Test {
 protected:
  StagedFile Write(const contract::Schema& schema, const std::string& sql, int64_t row_group_rows = 1000) {
    WriterOptions options = lake_.Options(schema);
    options.row_group_rows = row_group_rows;
    const auto files = lake_.WriteFiles(options, sql);
    EXPECT_EQ(files.size(), 1u);
    return files.at(0);
  }
  std::optional<FileCopy> Open(const StagedFile& file, const contract::Schema& schema) {
    return Must(FileCopy::Open(lake_.store(), "t", file.add, schema.fields, {}));
  }
  std::string Read(const contract::Schema& schema, const StagedFile& file) {
    return Must(ScanStaged(lake_.store(), "t", schema, {}, {file})).sql;
  }
  TestLake lake_;
};

TEST_F(CopyFileTest, AllRowsButThoseThatLeave) {
  const auto schema = MakeSchema(kColumns);
  const StagedFile file = Write(schema, RowsSql(5000));
  std::vector<int64_t> leaving = {0, 999, 1000, 4999};                 // at the borders of row groups …
  for (int64_t row = 2000; row < 3000; ++row) leaving.push_back(row);  // … and a whole one
  std::sort(leaving.begin(), leaving.end());
  auto copy = Open(file, schema);
  ASSERT_TRUE(copy);
  const auto copied = Must(copy->Write(leaving, "copied"));
  ASSERT_TRUE(copied);
  EXPECT_EQ(copied->add.path, "copied.parquet");
  EXPECT_EQ(copied->rows, 5000 - static_cast<int64_t>(leaving.size()));
  EXPECT_EQ(copied->add.size, static_cast<int64_t>(std::filesystem::file_size(lake_.store().Uri("t/copied.parquet"))));
  const std::string stay = "SELECT * FROM (" + RowsSql(5000) + ") WHERE id NOT IN (0, 999, 1000, 4999) AND id NOT BETWEEN 2000 AND 2999";
  EXPECT_EQ(lake_.Rows("FROM " + Read(schema, *copied)), lake_.Rows(stay));
  // The same statistics as of the rows written.
  EXPECT_EQ(copied->add.stats, Write(schema, stay).add.stats);
}

TEST_F(CopyFileTest, ADictionaryStaysOne) {
  const auto schema = MakeSchema(kColumns);
  const StagedFile file = Write(schema, RowsSql(20000), 10000);
  const auto copied = Must(Open(file, schema)->Write({5}, "copied"));
  const auto encodings = [&](const StagedFile& of) {
    return lake_.Rows("SELECT path_in_schema, encodings FROM parquet_metadata('" + lake_.store().Uri("t/" + of.add.path) +
                      "') ORDER BY ALL");
  };
  EXPECT_EQ(encodings(*copied), encodings(file));
}

TEST_F(CopyFileTest, NoRowNoFile) {
  const auto schema = MakeSchema("id: bigint");
  const StagedFile file = Write(schema, "SELECT 1::BIGINT AS id UNION ALL SELECT 2");
  EXPECT_FALSE(Must(Open(file, schema)->Write({0, 1}, "copied")));
  EXPECT_FALSE(std::filesystem::exists(lake_.store().Uri("t/copied.parquet")));
}

TEST_F(CopyFileTest, AColumnOfLaterStaysOutAndADroppedOneGoes) {
  const StagedFile file = Write(MakeSchema("id: bigint, old: string"), "SELECT range AS id, 'x' AS old FROM range(3)");
  const auto now = MakeSchema("id: bigint, later: string");
  const auto copied = Must(Open(file, now)->Write({1}, "copied"));
  EXPECT_EQ(lake_.Rows("FROM " + Read(now, *copied)), (std::vector<std::string>{"0|-", "2|-"}));
  EXPECT_EQ(lake_.Rows("SELECT name FROM parquet_schema('" + lake_.store().Uri("t/copied.parquet") + "') WHERE type IS NOT NULL"),
            std::vector<std::string>{"id"});
}

TEST_F(CopyFileTest, OtherTypesAndNamesAreForTheRowsWay) {
  const StagedFile file = Write(MakeSchema("id: integer, v: string"), "SELECT range::INTEGER AS id, 'x' AS v FROM range(3)");
  EXPECT_FALSE(Open(file, MakeSchema("id: bigint, v: string")));  // widened since
  EXPECT_FALSE(Open(file, MakeSchema("ID: integer, v: string")));
  EXPECT_FALSE(Open(file, MakeSchema("w: integer")));
  EXPECT_FALSE(Must(FileCopy::Open(lake_.store(), "t", file.add, MakeSchema("id: integer").fields, {delta::ColumnMapping::kId})));
  StagedFile elsewhere = file;
  elsewhere.add.path = "file:///elsewhere.parquet";
  EXPECT_FALSE(Open(elsewhere, MakeSchema("id: integer, v: string")));
}

TEST_F(CopyFileTest, ADamagedFileIsNamed) {
  const auto schema = MakeSchema(kColumns);
  const StagedFile file = Write(schema, RowsSql(5000));
  const std::string place = lake_.store().Uri("t/" + file.add.path);
  {
    std::fstream bytes(place, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(1000);
    bytes << std::string(2000, '\x7f');
  }
  auto copy = Open(file, schema);
  ASSERT_TRUE(copy);
  const auto copied = copy->Write({3}, "copied");
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, "corrupt-file");
  EXPECT_NE(copied.error().message.find(file.add.path), std::string::npos);
  std::filesystem::resize_file(place, 100);
  const auto opened = FileCopy::Open(lake_.store(), "t", file.add, schema.fields, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "corrupt-file");
}

}  // namespace
}  // namespace sluice::tables
