#include "engines/duckdb.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "engines/duckdb/handles.h"

namespace sluice::engines {
namespace {

using Row = std::vector<std::optional<std::string>>;

struct Opened {
  std::unique_ptr<DuckDb> db;
  std::unique_ptr<Connection> connection;
};

Opened Open(const DuckDbOptions& options = {}) {
  Opened opened;
  opened.db = DuckDb::Open(options).value();
  opened.connection = opened.db->Connect().value();
  return opened;
}

std::shared_ptr<arrow::Table> ReadAll(Connection& connection, const std::string& sql, const std::vector<Parameter>& params = {}) {
  auto reader = connection.Query(sql, params);
  if (!reader) {
    ADD_FAILURE() << reader.error().ToString();
    return nullptr;
  }
  return (*reader)->ToTable().ValueOrDie();
}

TEST(DuckDbConnection, SessionIsUtcAndNothingIsLoadedFromOutside) {
  const auto o = Open();
  EXPECT_EQ(*o.connection->Scalar("SELECT current_setting('TimeZone')").value(), "UTC");
  EXPECT_EQ(*o.connection->Scalar("SELECT TIMESTAMPTZ '2024-07-01 12:00:00+02'").value(), "2024-07-01 10:00:00+00");
  EXPECT_EQ(*o.connection->Scalar("SELECT current_setting('autoload_known_extensions')").value(), "false");
  EXPECT_EQ(*o.connection->Scalar("SELECT current_setting('autoinstall_known_extensions')").value(), "false");
}

TEST(DuckDbConnection, OptionsReachTheDatabase) {
  DuckDbOptions options;
  options.memory_bytes = 512 << 20;
  options.threads = 1;
  options.temp_dir = std::filesystem::temp_directory_path() / "engines-spill";
  const auto o = Open(options);
  EXPECT_EQ(*o.connection->Scalar("SELECT current_setting('memory_limit')").value(), "512.0 MiB");
  EXPECT_EQ(*o.connection->Scalar("SELECT current_setting('threads')").value(), "1");
  EXPECT_EQ(*o.connection->Scalar("SELECT current_setting('temp_directory')").value(), options.temp_dir);
}

TEST(DuckDbConnection, RowsPrintsEveryTypeAsDuckDbDoes) {
  const auto o = Open();
  const auto rows = o.connection->Rows(
      "SELECT * FROM (VALUES (1, NULL, 1.50::DECIMAL(10,2), DATE '2024-02-29', true, [1, 2], 'x'), "
      "(2, 'ü', -0.01, NULL, false, NULL, NULL)) ORDER BY 1 DESC");
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(*rows, (std::vector<Row>{{"2", "ü", "-0.01", std::nullopt, "false", std::nullopt, std::nullopt},
                                     {"1", std::nullopt, "1.50", "2024-02-29", "true", "[1, 2]", "x"}}));
}

TEST(DuckDbConnection, RowsRunsAStatementOnce) {
  const auto o = Open();
  ASSERT_TRUE(o.connection->Execute("CREATE SEQUENCE s"));
  EXPECT_EQ(*o.connection->Scalar("SELECT nextval('s')").value(), "1");
  EXPECT_EQ(*o.connection->Scalar("SELECT nextval('s')").value(), "2");
  EXPECT_TRUE(o.connection->Rows("CREATE TABLE t (a INTEGER)").value().empty());
  EXPECT_EQ(o.connection->Scalar("SELECT a FROM t").value(), std::nullopt);
}

TEST(DuckDbConnection, ParametersAreTyped) {
  const auto o = Open();
  const std::vector<Parameter> params = {{"d", "date", "2024-01-31"},
                                         {"n", "bigint", "41"},
                                         {"x", "double", "0.5"},
                                         {"b", "boolean", "true"},
                                         {"s", "string", "it's"},
                                         {"t", "timestamp", "2024-01-31T10:00:00+02:00"},
                                         {"w", "timestamp_ntz", "2024-01-31 10:00:00.25"},
                                         {"unused", "bigint", "7"}};
  const auto rows = o.connection->Rows(
      "SELECT $d + 1, $n + 1, $x * 2, NOT $b, $s || '!', $t + INTERVAL 1 HOUR, $w, typeof($d), typeof($t), typeof($w)", params);
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ((*rows)[0], (Row{"2024-02-01", "42", "1.0", "false", "it's!", "2024-01-31 09:00:00+00", "2024-01-31 10:00:00.25", "DATE",
                             "TIMESTAMP WITH TIME ZONE", "TIMESTAMP"}));
}

TEST(DuckDbConnection, MissingAndUnreadableParametersAreErrors) {
  const auto o = Open();
  EXPECT_EQ(o.connection->Rows("SELECT $missing").error().code, "unbound-parameter");
  EXPECT_EQ(o.connection->Rows("SELECT $d", {{"d", "date", "31.01.2024"}}).error().code, "bad-parameter");
  EXPECT_EQ(o.connection->Rows("SELECT $n", {{"n", "bigint", "1e3"}}).error().code, "bad-parameter");
  EXPECT_EQ(o.connection->Rows("SELECT $n", {{"n", "money", "1"}}).error().code, "bad-parameter");
}

TEST(DuckDbConnection, DescribeGivesNamesAndTypesWithoutRunning) {
  const auto o = Open();
  const auto columns =
      o.connection->Describe("SELECT error('ran') AS a, 1::DECIMAL(18,2) AS b, [1] AS b, $d AS d", {{"d", "date", "2024-01-01"}});
  ASSERT_TRUE(columns) << columns.error().ToString();
  std::string text;
  for (const auto& c : *columns) text += c.name + " " + c.duckdb_type + "; ";
  EXPECT_EQ(text, "a INTEGER; b DECIMAL(18,2); b INTEGER[]; d DATE; ");
}

TEST(DuckDbConnection, ArrowTypesOfResults) {
  const auto o = Open();
  const auto table =
      ReadAll(*o.connection,
              "SELECT 'x' AS s, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS t, TIMESTAMP '2024-01-01 00:00:00' AS n, DATE '2024-01-01' AS d, "
              "1.5::DECIMAL(4,1) AS e, 1::HUGEINT AS h, 'a'::BLOB AS b, [1::TINYINT] AS l, {'a': 1.0::FLOAT} AS r, MAP {'k': true} AS m");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->schema()->ToString(),
            "s: string\nt: timestamp[us, tz=UTC]\nn: timestamp[us]\nd: date32[day]\ne: decimal128(4, 1)\nh: decimal128(38, 0)\nb: binary\n"
            "l: list<l: int8>\nr: struct<a: float>\nm: map<string, bool>");
}

TEST(DuckDbConnection, StreamsMoreRowsThanFitInOneChunk) {
  const auto o = Open();
  auto reader = o.connection->Query("SELECT i, i::VARCHAR AS s FROM range(100000) r(i)").value();
  int64_t rows = 0, batches = 0, sum = 0;
  for (std::shared_ptr<arrow::RecordBatch> batch; reader->ReadNext(&batch).ok() && batch; ++batches) {
    rows += batch->num_rows();
    for (int64_t i = 0; i < batch->num_rows(); ++i) sum += std::static_pointer_cast<arrow::Int64Array>(batch->column(0))->Value(i);
  }
  EXPECT_EQ(rows, 100000);
  EXPECT_EQ(sum, 4999950000);
  EXPECT_GE(batches, 48);
}

TEST(DuckDbConnection, ResultWithoutRowsKeepsItsSchema) {
  const auto o = Open();
  const auto table = ReadAll(*o.connection, "SELECT 1 AS a, 'x' AS b WHERE false");
  EXPECT_EQ(table->num_rows(), 0);
  EXPECT_EQ(table->schema()->ToString(), "a: int32\nb: string");
}

TEST(DuckDbConnection, ReaderOutlivesConnectionAndDatabase) {
  auto o = Open();
  auto reader = o.connection->Query("SELECT i FROM range(50000) r(i)").value();
  o.connection.reset();
  o.db.reset();
  EXPECT_EQ(reader->ToTable().ValueOrDie()->num_rows(), 50000);
}

TEST(DuckDbConnection, ErrorWhileStreamingComesOutWhole) {
  const auto o = Open();
  auto reader = o.connection->Query("SELECT CASE WHEN i = 9000000 THEN error('late') ELSE i END FROM range(10000000) r(i)").value();
  const auto table = reader->ToTable();
  ASSERT_FALSE(table.ok());
  const Error error = ReaderError(table.status());
  EXPECT_EQ(error.code, "sql");
  EXPECT_NE(error.message.find("late"), std::string::npos);
}

TEST(DuckDbConnection, ErrorsAreTyped) {
  DuckDbOptions options;
  options.memory_bytes = 30 << 20;
  options.threads = 1;
  const auto o = Open(options);
  EXPECT_EQ(o.connection->Execute("SELECT nothing").error().code, "sql");
  EXPECT_EQ(o.connection->Execute("SELECT nothing").error().kind, ErrorKind::kUser);
  EXPECT_EQ(o.connection->Execute("SELECT * FROM read_parquet('/nowhere/x.parquet')").error().kind, ErrorKind::kRetryable);
  ASSERT_TRUE(o.connection->Execute("SET temp_directory = ''"));
  const Status out_of_memory =
      o.connection->Execute("CREATE TABLE big AS SELECT i, hash(i)::VARCHAR || repeat('x', 100) AS s FROM range(3000000) r(i)");
  ASSERT_FALSE(out_of_memory);
  EXPECT_EQ(out_of_memory.error().code, "sql-out-of-memory") << out_of_memory.error().message;
  EXPECT_EQ(out_of_memory.error().kind, ErrorKind::kRetryable);
}

TEST(SqlError, KnowsABrokenInstance) {
  const Error fatal = SqlError("FATAL Error: Failed: database has been invalidated because of a previous fatal error.");
  EXPECT_EQ(fatal.code, "engine-invalidated");
  EXPECT_EQ(fatal.kind, ErrorKind::kRetryable);
  EXPECT_EQ(SqlError("INTERNAL Error: Attempted to access index 1").code, "engine-invalidated");
  EXPECT_EQ(SqlError("Binder Error: no").kind, ErrorKind::kUser);
}

TEST(DuckDbConnection, PreparedScalarTakesNewValuesEachTime) {
  const auto o = Open();
  for (const char* text : {"a", "bb", "ccc"})
    EXPECT_EQ(*o.connection->PreparedScalar("SELECT reverse(CAST($x AS VARCHAR)) || 'x'", {{"x", "string", text}}).value(),
              std::string(text) + "x");
}

TEST(DuckDbConnection, InterruptFromAnotherThreadEndsTheStatement) {
  const auto o = Open();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    o.connection->Interrupt();
  });
  const Status status = o.connection->Execute("SELECT sum(a.range * b.range) FROM range(1000000) a, range(10000000) b");
  other.join();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, "sql-interrupted");
  EXPECT_EQ(status.error().kind, ErrorKind::kCancelled);
  EXPECT_TRUE(o.connection->Execute("SELECT 1")) << "the connection stays usable";
}

TEST(DuckDbConnection, LoadsAnExtensionOfTheBuildOnce) {
  const auto o = Open();
  ASSERT_TRUE(o.db->LoadExtension("delta"));
  ASSERT_TRUE(o.db->LoadExtension("delta"));
  EXPECT_EQ(*o.connection->Scalar("SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'delta'").value(), "true");
  EXPECT_EQ(o.db->LoadExtension("nonesuch").error().code, "missing-extension");
}

}  // namespace
}  // namespace sluice::engines
