#include "tables/prune.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engines/sql.h"
#include "tables/test_lake.h"

namespace sluice::tables {
namespace {

// Ten files of a table: day d0 … d9 with ids 100·d … 100·d + 99.
class PruneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    schema_ = MakeSchema("id: bigint, name: string, day: date, moment: timestamp, price: decimal(9,2), ratio: double");
    for (int d = 0; d < 10; ++d) {
      const std::string sql = fmt::format(
          "SELECT range AS id, 'n' || lpad(range::VARCHAR, 4, '0') AS name, DATE '2024-01-10' + {0} AS day, TIMESTAMPTZ '2024-01-01 "
          "00:00:00.000900+00' + to_days({0}) AS moment, (range / 4)::DECIMAL(9,2) AS price, range::DOUBLE AS ratio FROM range({1}, {2})",
          d, 100 * d, 100 * d + 100);
      auto files = lake_.WriteFiles(lake_.Options(schema_, {"day"}), sql);
      std::move(files.begin(), files.end(), std::back_inserter(files_));
    }
    files_[9].add.stats.clear();  // nothing is known of its rows
  }

  // The days whose files are left, as digits. Every file that is left out must hold no row for which `where` is true.
  std::string Left(const std::string& where) {
    const auto frontend = Must(engines::SqlFrontend::Open(*db_));
    const auto tree = Must(frontend->ParseQuery("select * from bronze.t where " + where, {"bronze"}));
    const auto asked = engines::RowConditions(tree);
    std::vector<const delta::Add*> adds;
    for (const StagedFile& file : files_) adds.push_back(&file.add);
    const std::vector<std::string> partitions = {"day"};
    const auto left =
        Must(FilesWithRows(lake_.connection(), {schema_, partitions}, adds,
                           asked.contains("bronze.t") ? asked.at("bronze.t") : engines::AnyConditions{{}}, {{"cut", "bigint", "250"}}));
    std::string days;
    for (const StagedFile& file : files_) {
      if (std::find(left.begin(), left.end(), &file.add) != left.end()) {
        days += file.add.partition_values.at("day")->back();
      } else {
        const Scan scan = Must(ScanStaged(lake_.store(), "t", schema_, partitions, {file}));
        auto rows = lake_.connection().Rows("SELECT * FROM " + scan.sql + " WHERE " + where, {{"cut", "bigint", "250"}});
        EXPECT_TRUE(!rows || rows->empty()) << where;
      }
    }
    return days;
  }

  TestLake lake_;
  std::unique_ptr<engines::DuckDb> db_ = Must(engines::DuckDb::Open({}));
  contract::Schema schema_;
  std::vector<StagedFile> files_;
};

TEST_F(PruneTest, ByStatistics) {
  EXPECT_EQ(Left("id = 205"), "29");
  EXPECT_EQ(Left("id between 199 and 200"), "129");
  EXPECT_EQ(Left("id < 100"), "09");
  EXPECT_EQ(Left("id <= 100"), "019");
  EXPECT_EQ(Left("id > 799.5"), "89");
  EXPECT_EQ(Left("id in (5, 850) and name >= 'n0100'"), "89");
  EXPECT_EQ(Left("id = 5 or price > 215.10"), "089");
  EXPECT_EQ(Left("id >= $cut and id < $cut + 1"), "29");
  EXPECT_EQ(Left("name = 'n0333'"), "39");
  EXPECT_EQ(Left("false or id = -1"), "0123456789");
}

// Statistics cut instants to milliseconds: the least value may lie below them, the greatest above.
TEST_F(PruneTest, InstantsWithinTheirMilliseconds) {
  EXPECT_EQ(Left("moment > timestamptz '2024-01-09 00:00:00.000800+00'"), "89");
  EXPECT_EQ(Left("moment = timestamptz '2024-01-04 00:00:00.000900+00'"), "39");
}

TEST_F(PruneTest, ByPartitionAlsoWithoutStatistics) {
  EXPECT_EQ(Left("day = '2024-01-12'"), "2");
  EXPECT_EQ(Left("day >= date '2024-01-19' - interval 1 day and id < 1000"), "89");
}

TEST_F(PruneTest, KeepsAllWhereBoundsSayNothing) {
  EXPECT_EQ(Left("ratio = 5"), "0123456789");   // doubles: a NaN is in no bounds
  EXPECT_EQ(Left("name = 5"), "0123456789");    // compares numbers, not texts
  EXPECT_EQ(Left("id = 'abc'"), "0123456789");  // no number: the statement itself will say so
  EXPECT_EQ(Left("unknown_column = 5"), "0123456789");
}

// Files without statistics, of partitions that are generated from their columns.
class GeneratedPruneTest : public ::testing::Test {
 protected:
  std::string Left(const std::string& column, const std::string& expression, const std::string& type, const std::string& where) {
    contract::Schema schema = MakeSchema("at: timestamp, wall: timestamp_ntz, d: date, s: string");
    contract::Field field{"g", Must(contract::ParseType(type))};
    field.metadata["delta.generationExpression"] = nlohmann::json(expression).dump();
    schema.fields.push_back(field);
    const std::vector<std::string> partitions = {"g"};
    auto files =
        lake_.WriteFiles(lake_.Options(schema, partitions),
                         "SELECT TIMESTAMPTZ '2023-12-30 12:00:00+00' + to_hours(range * 12) AS \"at\", TIMESTAMP '2023-12-30 12:00:00' + "
                         "to_hours(range * 12) AS wall, DATE '2023-12-30' + (range // 2)::INTEGER AS d, chr((97 + range)::INTEGER) || 'x' "
                         "AS s FROM range(10) UNION ALL SELECT NULL, NULL, NULL, NULL");
    std::vector<const delta::Add*> adds;
    for (StagedFile& file : files) file.add.stats.clear(), adds.push_back(&file.add);
    const engines::AnyConditions asked = {engines::ConditionsOf(lake_.connection(), column + " " + where, "target", false)};
    std::vector<std::string> left;
    for (const delta::Add* add : Must(FilesWithRows(lake_.connection(), {schema, partitions}, adds, asked, {})))
      left.push_back(add->partition_values.at("g").value_or("-"));
    // What is left out must hold none.
    int64_t rows = 0;
    for (const StagedFile& file : files) {
      const Scan scan = Must(ScanStaged(lake_.store(), "t", schema, partitions, {file}));
      const auto count = Must(lake_.connection().Scalar(fmt::format("SELECT count(*) FROM {} WHERE {} {}", scan.sql, column, where)));
      const bool kept = std::find(left.begin(), left.end(), file.add.partition_values.at("g").value_or("-")) != left.end();
      EXPECT_TRUE(kept || count == "0") << expression << " " << where;
      rows += std::stoll(*count);
    }
    EXPECT_GT(rows, 0) << where;
    std::sort(left.begin(), left.end());
    return Join(left, " ");
  }
  TestLake lake_;
};

TEST_F(GeneratedPruneTest, ByTheColumnThatThePartitionIsComputedFrom) {
  const std::string day = "cast(d as date)", wall = "date_format(wall, 'yyyy-MM-dd')";
  EXPECT_EQ(Left("d", day, "date", "= '2024-01-01'"), "2024-01-01");
  EXPECT_EQ(Left("d", day, "date", "> date '2024-01-01'"), "2024-01-02 2024-01-03");
  EXPECT_EQ(Left("d", "year(d)", "integer", "< '2024-01-01'"), "2023");
  EXPECT_EQ(Left("d", "year(d)", "integer", "<= '2023-12-31'"), "2023");
  EXPECT_EQ(Left("d", "month(d)", "integer", "= '2023-12-31'"), "12");
  EXPECT_EQ(Left("d", "month(d)", "integer", ">= '2023-12-31'"), "- 1 12");
  EXPECT_EQ(Left("d", "trunc(d, 'MM')", "date", "IN ('2024-01-02', '2024-01-03')"), "2024-01-01");
  EXPECT_EQ(Left("wall", wall, "string", "between '2024-01-01 06:00:00' and '2024-01-02 06:00:00'"), "2024-01-01 2024-01-02");
  EXPECT_EQ(Left("wall", "hour(wall)", "integer", "= '2024-01-01 12:00:00'"), "12");
  EXPECT_EQ(Left("s", "substring(s, 1, 1)", "string", "= 'cx'"), "c");
  EXPECT_EQ(Left("s", "substring(s, 1, 1)", "string", ">= 'i'"), "i j");
  EXPECT_EQ(Left("s", "substring(s, 2, 1)", "string", "< 'c'"), "- x");
}

// Who wrote the partitions may have had a zone up to 18 hours from UTC.
TEST_F(GeneratedPruneTest, OfInstantsTheDaysBesideCountToo) {
  EXPECT_EQ(Left("\"at\"", "cast(at as date)", "date", "= '2024-01-01 00:00:00+00'"), "2023-12-31 2024-01-01");
  EXPECT_EQ(Left("\"at\"", "cast(at as date)", "date", "= '2024-01-01 12:00:00+00'"), "2023-12-31 2024-01-01 2024-01-02");
  EXPECT_EQ(Left("\"at\"", "year(at)", "integer", ">= '2024-01-01 12:00:00+00'"), "2023 2024");
  EXPECT_EQ(Left("\"at\"", "year(at)", "integer", ">= '2024-01-02 12:00:00+00'"), "2024");
  EXPECT_EQ(Left("\"at\"", "hour(at)", "integer", "= '2024-01-01 12:00:00+00'"), "- 0 12");
}

}  // namespace
}  // namespace sluice::tables
