// Arrow batches registered as relations: every type, NULLs, slices, many batches, several threads.
#include <arrow/api.h>
#include <gtest/gtest.h>

#include <thread>

#include "engines/duckdb.h"

namespace sluice::engines {
namespace {

struct Opened {
  std::unique_ptr<DuckDb> db;
  std::unique_ptr<Connection> connection;
};

Opened Open(int threads = 4) {
  Opened opened;
  DuckDbOptions options;
  options.threads = threads;
  opened.db = DuckDb::Open(options).value();
  opened.connection = opened.db->Connect().value();
  return opened;
}

// Every contract type, row i of `rows`; each seventh row is NULL in every column.
constexpr const char* kEveryType = R"(
  SELECT i, CASE WHEN i % 7 <> 0 THEN COLUMNS(* EXCLUDE i) END FROM (
  SELECT i, i % 2 = 0 AS bool, (i % 100)::TINYINT AS i8, (i % 30000)::SMALLINT AS i16, i::INTEGER AS i32, i * 1000000007 AS i64,
    (i / 3)::FLOAT AS f32, i / 7 AS f64, (i * 1.25)::DECIMAL(9,2) AS dec9, (i * 100000.125)::DECIMAL(18,3) AS dec18,
    (i::DECIMAL(38,4) * 1000000000000000) AS dec38, 'row ' || i AS short_text, repeat('long text ', (i % 5)::INTEGER) || i AS long_text,
    encode('bytes' || i) AS blob, DATE '2024-01-01' + i::INTEGER AS day, TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(i) AS instant,
    TIMESTAMP '2024-01-01 00:00:00' + to_microseconds(i) AS wall, range(i % 4) AS list_of_bigint,
    ['a' || i, NULL, 'c'] AS list_of_text, {'a': i, 'b': 'text of more than twelve bytes ' || i, 'c': {'d': [i, NULL]}} AS nested,
    MAP {'k' || i: i, 'other': NULL} AS map, [{'x': i, 'y': [['deep ' || i]]}] AS list_of_struct,
    [{'p': {'q': i, 'r': {'s': 'inner ' || i}}}, NULL, {'p': NULL}] AS list_of_struct_of_struct,
    MAP {i: {'m': {'n': [i]}}} AS map_of_struct, {'l': [{'v': {'w': i}}]} AS struct_of_list_of_struct
  FROM range(ROWS) r(i)) ORDER BY i)";

std::string EveryType(int64_t rows) {
  std::string sql = kEveryType;
  return sql.replace(sql.find("ROWS"), 4, std::to_string(rows));
}

std::vector<std::shared_ptr<arrow::RecordBatch>> ReadBatches(Connection& connection, const std::string& sql) {
  return connection.Query(sql).value()->ToRecordBatches().ValueOrDie();
}

std::string Difference(Connection& connection, const std::string& a, const std::string& b) {
  return *connection.Scalar("SELECT count(*) FROM ((" + a + ") EXCEPT ALL (" + b + "))").value() + "/" +
         *connection.Scalar("SELECT count(*) FROM ((" + b + ") EXCEPT ALL (" + a + "))").value();
}

TEST(ArrowScan, EveryTypeComesBackEqualFromManyBatches) {
  const auto o = Open();
  const auto batches = ReadBatches(*o.connection, EveryType(20000));
  ASSERT_GE(batches.size(), 9u);
  ASSERT_TRUE(o.connection->Register("arrived", batches[0]->schema(), batches));
  EXPECT_EQ(*o.connection->Scalar("SELECT count(*) FROM arrived").value(), "20000");
  EXPECT_EQ(*o.connection->Scalar("SELECT count(*) FROM arrived WHERE nested IS NULL").value(), "2858");
  EXPECT_EQ(Difference(*o.connection, "SELECT * FROM arrived", EveryType(20000)), "0/0");
}

TEST(ArrowScan, BatchesLargerThanAVectorAndSlicesAtOddOffsets) {
  const auto o = Open();
  const auto small = ReadBatches(*o.connection, EveryType(12000));
  const auto one = arrow::Table::FromRecordBatches(small).ValueOrDie()->CombineChunksToBatch().ValueOrDie();
  std::vector<std::shared_ptr<arrow::RecordBatch>> slices = {one->Slice(0, 3), one->Slice(3, 0), one->Slice(3, 5001),
                                                             one->Slice(5004, 6996)};
  ASSERT_TRUE(o.connection->Register("sliced", one->schema(), slices));
  for (const std::string& column : one->schema()->field_names())
    EXPECT_EQ(Difference(*o.connection, "SELECT i, " + column + " FROM sliced", "SELECT i, " + column + " FROM (" + EveryType(12000) + ")"),
              "0/0")
        << column;
}

TEST(ArrowScan, ProjectionReadsOnlyTheColumnsNamedInTheirOrder) {
  const auto o = Open();
  const auto batches = ReadBatches(*o.connection, EveryType(5000));
  ASSERT_TRUE(o.connection->Register("t", batches[0]->schema(), batches));
  const auto rows = o.connection->Rows("SELECT long_text, i, nested.c.d[1] FROM t WHERE i IN (8, 4999) ORDER BY i");
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ((*rows)[0][0], "long text long text long text 8");
  EXPECT_EQ((*rows)[1][2], "4999");
  EXPECT_EQ(Difference(*o.connection, "SELECT map, i32 FROM t", "SELECT map, i32 FROM (" + EveryType(5000) + ")"), "0/0");
}

TEST(ArrowScan, DictionariesAndWideOffsetsAreRead) {
  const auto o = Open();
  arrow::StringDictionaryBuilder dictionary;
  arrow::LargeStringBuilder large;
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE((i % 3 == 0 ? dictionary.AppendNull() : dictionary.Append(i % 2 ? "odd" : "even")).ok());
    ASSERT_TRUE(large.Append("value " + std::to_string(i)).ok());
  }
  const auto a = dictionary.Finish().ValueOrDie(), b = large.Finish().ValueOrDie();
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("d", a->type()), arrow::field("l", b->type())}), 5000, {a, b});
  ASSERT_TRUE(o.connection->Register("t", batch->schema(), {batch}));
  const auto rows = o.connection->Rows("SELECT d, count(*), min(l) FROM t GROUP BY d ORDER BY d NULLS FIRST");
  ASSERT_TRUE(rows) << rows.error().ToString();
  using Row = std::vector<std::optional<std::string>>;
  EXPECT_EQ(*rows, (std::vector<Row>{{std::nullopt, "1667", "value 0"}, {"even", "1666", "value 10"}, {"odd", "1667", "value 1"}}));
}

TEST(ArrowScan, KeepsRowOrderWithoutBeingAsked) {
  const auto o = Open();
  const auto batches = ReadBatches(*o.connection, "SELECT i FROM range(300000) r(i)");
  ASSERT_TRUE(o.connection->Register("t", batches[0]->schema(), batches));
  int64_t expected = 0;
  for (const auto& batch : ReadBatches(*o.connection, "SELECT i FROM t"))
    for (int64_t r = 0; r < batch->num_rows(); ++r)
      ASSERT_EQ(std::static_pointer_cast<arrow::Int64Array>(batch->column(0))->Value(r), expected++);
  EXPECT_EQ(expected, 300000);
}

TEST(ArrowScan, EmptyRelationHasItsTypes) {
  const auto o = Open();
  const auto schema = ReadBatches(*o.connection, EveryType(1))[0]->schema();
  ASSERT_TRUE(o.connection->Register("none", schema, {}));
  EXPECT_EQ(*o.connection->Scalar("SELECT count(*) FROM none").value(), "0");
  EXPECT_EQ(*o.connection->Scalar("SELECT typeof(nested) FROM (SELECT any_value(nested) AS nested FROM none)").value(),
            "STRUCT(a BIGINT, b VARCHAR, c STRUCT(d BIGINT[]))");
}

TEST(ArrowScan, RegisterReplacesAndUnregisterDrops) {
  const auto o = Open();
  const auto one = ReadBatches(*o.connection, "SELECT 1 AS a"), two = ReadBatches(*o.connection, "SELECT 'x' AS b");
  ASSERT_TRUE(o.connection->Register("My \"t\"", one[0]->schema(), one));
  ASSERT_TRUE(o.connection->Register("My \"t\"", two[0]->schema(), two));
  EXPECT_EQ(*o.connection->Scalar("SELECT b FROM \"My \"\"t\"\"\"").value(), "x");
  ASSERT_TRUE(o.connection->Unregister("My \"t\""));
  EXPECT_EQ(o.connection->Scalar("SELECT b FROM \"My \"\"t\"\"\"").error().code, "sql");
  EXPECT_TRUE(o.connection->Unregister("My \"t\""));
}

TEST(ArrowScan, RelationBelongsToItsConnection) {
  const auto o = Open();
  const auto other = o.db->Connect().value();
  const auto batches = ReadBatches(*o.connection, "SELECT 1 AS a");
  ASSERT_TRUE(o.connection->Register("t", batches[0]->schema(), batches));
  EXPECT_FALSE(other->Scalar("SELECT a FROM t"));
}

TEST(ArrowScan, StreamStaysWholeWhenItsRelationIsGone) {
  auto o = Open();
  auto reader = [&] {
    auto batches = ReadBatches(*o.connection, EveryType(30000));
    const auto schema = batches[0]->schema();
    EXPECT_TRUE(o.connection->Register("t", schema, std::move(batches)));
    return o.connection->Query("SELECT i, long_text, nested FROM t").value();
  }();
  o.connection.reset();
  o.db.reset();
  const auto table = reader->ToTable().ValueOrDie();
  ASSERT_EQ(table->num_rows(), 30000);
  const auto last = std::static_pointer_cast<arrow::StringArray>(table->column(1)->chunk(table->column(1)->num_chunks() - 1));
  EXPECT_EQ(last->GetString(last->length() - 1), "long text long text long text long text 29999");
}

TEST(ArrowScan, SeveralConnectionsScanTheSameBatchesAtOnce) {
  const auto o = Open();
  const auto batches = ReadBatches(*o.connection, EveryType(40000));
  std::vector<std::thread> threads;
  std::vector<std::string> sums(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const auto connection = o.db->Connect().value();
      for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(connection->Register("t", batches[0]->schema(), batches));
        sums[t] = *connection->Scalar("SELECT sum(i + len(long_text) + len(list_of_text)) FROM t WHERE i % 7 <> 0").value();
      }
    });
  for (auto& thread : threads) thread.join();
  const std::string expected =
      *o.connection->Scalar("SELECT sum(i + len(long_text) + len(list_of_text)) FROM (" + EveryType(40000) + ") WHERE i % 7 <> 0").value();
  for (const std::string& sum : sums) EXPECT_EQ(sum, expected);
}

}  // namespace
}  // namespace sluice::engines
