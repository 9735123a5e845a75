#include "sources/postgres/cursor.h"

#include <gtest/gtest.h>

#include "sources/postgres/connection.h"

namespace sluice::sources::postgres {
namespace {

Sight See(const std::string& snapshot, const std::string& top, std::vector<std::string> open = {}, const std::string& server = "s") {
  return {"t", server, top, std::move(open), ParseSnapshot(snapshot).value()};
}

TEST(ParseSnapshot, ReadsWhatTheServerWrites) {
  const auto snapshot = ParseSnapshot("750:755:750,752");
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->xmin, 750);
  EXPECT_EQ(snapshot->xmax, 755);
  EXPECT_EQ(snapshot->open, (std::vector<int64_t>{750, 752}));
  EXPECT_TRUE(ParseSnapshot("7:7:"));
  for (const char* wrong : {"", "7", "7:8", "a:8:", "9:8:", "7:8:9:10", "7:8:a"}) EXPECT_FALSE(ParseSnapshot(wrong)) << wrong;
}

TEST(Cursor, ReadsItselfAgain) {
  const Cursor cursor{"t", "s", "7:9:7", {8}, "a", Mark{"b", 9, {"3/4"}}};
  EXPECT_EQ(ToJson(ParseCursor(ToJson(cursor)).value()), ToJson(cursor));
  EXPECT_EQ(ParseCursor("{}").error().code, "bad-cursor");
  EXPECT_EQ(ParseCursor("[1]").error().code, "bad-cursor");
}

TEST(Advance, RaisesTheFloorAtOnceWhereNobodyIsAtWork) {
  const Cursor one = Advance(std::nullopt, See("10:10:", "100"), {});
  EXPECT_EQ(one.floor, "100");
  EXPECT_EQ(one.mark, std::nullopt);
  EXPECT_EQ(Advance(one, See("12:12:", "200"), {}).floor, "200");
}

TEST(Advance, RaisesTheFloorToTheValueOfABatchWhoseTransactionsAreAllOver) {
  const Cursor one = Advance(std::nullopt, See("12:12:", "100", {"5/1"}), {});
  EXPECT_EQ(one.floor, std::nullopt);
  EXPECT_EQ(one.mark, (Mark{"100", 12, {"5/1"}}));
  const Cursor held = Advance(one, See("14:14:", "300", {"5/1", "6/1"}), {});  // 5/1 may still write from 100 downwards
  EXPECT_EQ(held.floor, std::nullopt);
  EXPECT_EQ(held.mark, one.mark);
  const Cursor risen = Advance(held, See("15:15:", "400", {"6/1"}), {});
  EXPECT_EQ(risen.floor, "100");
  EXPECT_EQ(risen.mark, (Mark{"400", 15, {"6/1"}}));
  const Cursor quiet = Advance(risen, See("16:16:", "500"), {});
  EXPECT_EQ(quiet.floor, "500");
}

TEST(Advance, LeavesTheFloorWhileANumberedOrPreparedTransactionIsOpen) {
  const Cursor one = Advance(std::nullopt, See("10:13:10", "100"), {});
  EXPECT_EQ(one.floor, std::nullopt);
  EXPECT_EQ(Advance(one, See("10:14:10", "300"), {}).floor, std::nullopt);
  EXPECT_EQ(Advance(one, See("13:14:", "300", {"prepared"}), {}).floor, std::nullopt);
  EXPECT_EQ(Advance(one, See("13:14:", "300", {"7/7"}), {}).floor, "100");
}

TEST(Advance, AnEmptyTableRaisesNothing) {
  Sight empty = See("10:10:", "");
  empty.top = std::nullopt;
  const Cursor one = Advance(std::nullopt, empty, {});
  EXPECT_EQ(one.floor, std::nullopt);
  EXPECT_EQ(one.mark, std::nullopt);
}

TEST(Advance, KeepsTheTransactionsThatWereTakenAsLongAsNeighboursAreOpen) {
  const Cursor one = Advance(std::nullopt, See("10:15:10", "1"), {8, 9, 11, 14});
  EXPECT_EQ(one.taken, (std::vector<int64_t>{11, 14}));
  const Cursor two = Advance(one, See("12:18:12", "1"), {16});
  EXPECT_EQ(two.taken, (std::vector<int64_t>{14, 16}));
  EXPECT_TRUE(Advance(two, See("20:20:", "1"), {19}).taken.empty());
}

TEST(Advance, ForgetsTransactionsOfAnotherServerAndKeepsValues) {
  Cursor before{"t", "s", "10:10:", {11}, "50", Mark{"90", 10, {}}};
  const Cursor after = Advance(before, See("3:3:", "200", {"1/1"}, "other"), {});
  EXPECT_TRUE(after.taken.empty());
  EXPECT_EQ(after.floor, "50");
  EXPECT_EQ(after.mark, (Mark{"200", 3, {"1/1"}}));
}

TEST(NotTakenBefore, LooksAtTransactionsFromTheOldestOpenOneOn) {
  const auto sql = [](const std::string& before, std::vector<int64_t> taken, const std::string& now) {
    return NotTakenBefore({"t", "s", before, std::move(taken), {}, {}}, ParseSnapshot(now).value()).value().value_or("none");
  };
  const std::string age = "((30 - xmin::pg_catalog.text::pg_catalog.int8) & 4294967295)";
  EXPECT_EQ(sql("10:15:10", {}, "30:30:"), age + " <= 20");
  EXPECT_EQ(sql("10:15:10", {11, 14}, "30:30:"), "(" + age + " <= 20 AND " + age + " NOT IN (19, 16))");
  EXPECT_EQ(sql("10:10:", {}, "3000000000:3000000000:"), "none");  // the column's 32 bits do not tell any more
}

TEST(WholeTransaction, PutsTheUpperHalfBack) {
  const Snapshot now = ParseSnapshot("8589934600:8589934600:").value();  // 2 * 2^32 + 8
  EXPECT_EQ(WholeTransaction(7, now), 8589934599);
  EXPECT_EQ(WholeTransaction(4294967295U, now), 8589934591);  // of before the wrap
}

TEST(TransactionToKeep, IsNoneThatIsOpenForTheRowIsOfAnEarlierTime) {
  const Snapshot now = ParseSnapshot("4294967400:4294967410:4294967400,4294967405").value();  // 2^32 + 104 and so on
  EXPECT_EQ(TransactionToKeep(104, now), std::nullopt);
  EXPECT_EQ(TransactionToKeep(109, now), std::nullopt);
  EXPECT_EQ(TransactionToKeep(114, now), std::nullopt);  // had not begun
  EXPECT_EQ(TransactionToKeep(115, now), std::nullopt);
  EXPECT_EQ(TransactionToKeep(103, now), std::nullopt);  // over
  EXPECT_EQ(TransactionToKeep(106, now), 4294967402);
}

Settings Server() {
  Settings settings;
  settings.name = "shop";
  settings.host = "db";
  settings.database = "d";
  settings.user = "etl";
  settings.password = Secret("hunter2");
  return settings;
}

TEST(ConnectError, TellsWhatIsWrongByStateOrText) {
  const auto code = [](const char* message) { return ConnectError(Server(), message).code; };
  EXPECT_EQ(
      code(
          "connection to server at \"db\", port 5432 failed: FATAL:  28P01: password authentication failed for user \"etl\"\nLOCATION:  x"),
      "postgres-login");
  EXPECT_EQ(code("failed: FATAL:  28000: no pg_hba.conf entry for host"), "postgres-login");
  EXPECT_EQ(code("failed: FATAL:  3D000: database \"d\" does not exist"), "postgres-no-database");
  EXPECT_EQ(code("failed: FATAL:  53300: sorry, too many clients already"), "postgres-busy");
  EXPECT_EQ(code("failed: FATAL:  57P03: the database system is starting up"), "postgres-starting");
  EXPECT_EQ(code("failed: SSL error: certificate verify failed"), "postgres-tls");
  EXPECT_EQ(code("failed: server certificate for \"a\" does not match host name \"db\""), "postgres-tls");
  EXPECT_EQ(code("failed: server does not support SSL, but SSL was required"), "postgres-tls");
  EXPECT_EQ(code("failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?"),
            "postgres-unreachable");
  EXPECT_EQ(code("SSL SYSCALL error: EOF detected"), "postgres-unreachable");
}

TEST(ServerError, DecidesWhetherToTryAgain) {
  const auto of = [](const char* state) {
    const Error error = ServerError(Server(), state, "it says why");
    return error.code + (error.kind == ErrorKind::kRetryable ? " again" : "");
  };
  EXPECT_EQ(of(""), "postgres-lost again");
  EXPECT_EQ(of("57P01"), "postgres-lost again");
  EXPECT_EQ(of("57014"), "postgres-cancelled again");
  EXPECT_EQ(of("40001"), "postgres-failed again");
  EXPECT_EQ(of("55P03"), "postgres-locked again");
  EXPECT_EQ(of("42501"), "postgres-forbidden");
  EXPECT_EQ(of("42P01"), "postgres-no-table");
  EXPECT_EQ(of("22012"), "postgres-query");
  EXPECT_EQ(ServerError(Server(), "42601", "syntax error").ToString().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace sluice::sources::postgres
