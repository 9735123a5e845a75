#include "engines/row_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "core/text.h"
#include "engines/duckdb.h"

namespace sluice::engines {
namespace {

class RowSetTest : public ::testing::Test {
 protected:
  RowSetTest() : db_(*DuckDb::Open({})), connection_(*db_->Connect()) {}
  // "a 3": of file a the row 3. Over files a, b, c with rows 0 … 99,999.
  std::set<std::string> Found(const std::vector<RowsOfFile>& set) {
    const auto rows = connection_->Rows(
        "SELECT file || ' ' || row FROM (SELECT unnest(['a', 'a file with ''quotes'', ü and 12:digits', 'c']) AS file), (SELECT range AS "
        "row FROM "
        "range(100000)) WHERE " +
        Listed(set, "file", "row"));
    EXPECT_TRUE(rows) << rows.error().ToString();
    std::set<std::string> found;
    for (const auto& row : *rows) EXPECT_TRUE(found.insert(*row[0]).second);
    return found;
  }
  std::unique_ptr<DuckDb> db_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(RowSetTest, HoldsTheRowsThatItLists) {
  EXPECT_EQ(Found({}), std::set<std::string>());
  EXPECT_EQ(Found({{"a", {}}}), std::set<std::string>());
  EXPECT_EQ(Found({{"a", {0}}, {"elsewhere", {1, 2}}}), std::set<std::string>{"a 0"});
  EXPECT_EQ(Found({{"a", {0, 1, 99999}}, {"a file with 'quotes', ü and 12:digits", {31, 32, 33, 1 << 20}}}),
            (std::set<std::string>{"a 0", "a 1", "a 99999", "a file with 'quotes', ü and 12:digits 31",
                                   "a file with 'quotes', ü and 12:digits 32", "a file with 'quotes', ü and 12:digits 33"}));
}

TEST_F(RowSetTest, HoldsAnyRows) {
  std::mt19937_64 random(17);
  for (const int64_t step : {1, 2, 30, 31, 32, 33, 63, 64, 65, 1000, 1023, 1024, 1025, 40000}) {
    RowsOfFile listed{"c", {}};
    std::set<std::string> expected;
    for (auto row = static_cast<int64_t>(random() % step); row < 100000; row += 1 + static_cast<int64_t>(random() % (2 * step - 1))) {
      listed.rows.push_back(row);
      expected.insert("c " + std::to_string(row));
    }
    EXPECT_EQ(Found({listed}), expected) << step;
  }
}

TEST_F(RowSetTest, StaysWithPreparedStatementsViewsAndThreads) {
  ASSERT_TRUE(connection_->Execute("SET threads = 4"));
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 1000000; i += 3) rows.push_back(i);
  ASSERT_TRUE(
      connection_->Execute("CREATE VIEW v AS SELECT range AS row FROM range(1000000) WHERE NOT " + Listed({{"f", rows}}, "'f'", "range")));
  const std::string query = "SELECT count(*) || ' ' || sum(row) || ' ' || $x::VARCHAR FROM v";
  for (int i = 0; i < 3; ++i) {
    const auto got = connection_->PreparedScalar(query, {{"x", "bigint", std::to_string(i)}});
    ASSERT_TRUE(got) << got.error().ToString();
    EXPECT_EQ(**got, "666666 333332666667 " + std::to_string(i));
  }
}

TEST_F(RowSetTest, AnythingElseIsRefused) {
  for (const char* call : {"sluice_listed(7, 'a', 0)", "sluice_listed(range, 'a', 0)", "sluice_listed(sluice_row_set('nonsense'), 'a', 0)",
                           "sluice_listed(sluice_row_set('1:a5:000'), 'a', 0)", "sluice_listed(sluice_row_set('1:a1:~'), 'a', 0)",
                           "sluice_listed(sluice_row_set('1:a1:P'), 'a', 0)", "sluice_listed(sluice_row_set(range::VARCHAR), 'a', 0)"}) {
    EXPECT_FALSE(connection_->Rows(std::string("SELECT ") + call + " FROM range(3)")) << call;
  }
}

}  // namespace
}  // namespace sluice::engines
