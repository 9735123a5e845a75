// Row operations over several commits, once by deletion vectors and once by rewriting, read back through the log.
#include "tables/dml.h"

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "delta/deletion_vector.h"
#include "tables/changes.h"
#include "tables/file_stats.h"
#include "tables/table_fixture.h"

namespace sluice::tables {
namespace {

// true: deletion vectors; false: rewritten files.
class DmlTest : public TableTest, public ::testing::WithParamInterface<bool> {
 protected:
  TableTarget Present() {
    TableTarget target = Target("");
    target.deletion_vectors = GetParam();
    return target;
  }
  void Fill(const std::string& schema, const std::string& sql, std::vector<std::string> partition_by = {}) {
    Commit(Append(Target(schema, std::move(partition_by)), sql));
  }
  StagedChange Delete(const std::string& where) {
    const auto target = Present();
    return Kept(target, StageDelete(target, lake_.connection(), where, Options()));
  }
  StagedChange Update(const std::vector<Assignment>& set, const std::string& where) {
    const auto target = Present();
    return Kept(target, StageUpdate(target, lake_.connection(), set, where, Options()));
  }
  StagedChange Merge(const std::string& sql, const MergeStatement& statement) {
    const auto target = Present();
    return Kept(target, StageMergeStatement(target, lake_.connection(), {sql, {}}, statement, Options()));
  }
  // What checks would see before the commit is what readers see after it.
  StagedChange Kept(const TableTarget& target, Result<StagedChange> change) {
    if (!change) ADD_FAILURE() << change.error().ToString();
    if (!change->empty) CommitAsScanned(target, *change);
    return *std::move(change);
  }
  size_t Files() { return Must(delta::LoadSnapshot(lake_.store(), "silver/t")).files.size(); }
};

INSTANTIATE_TEST_SUITE_P(Tables, DmlTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("DeletionVectors") : std::string("Rewritten"); });

TEST_P(DmlTest, DeletesRowsWhereTheConditionHolds) {
  Fill("id: bigint, v: string", "SELECT range AS id, 'x' || range AS v FROM range(1000)");
  EXPECT_EQ(Delete("id % 2 = 0 OR target.v = 'x7'").counts.deleted, 501);
  EXPECT_EQ(Table("count(*), min(id), sum(id)"), (Lines{"499|1|249993"}));
  EXPECT_EQ(Delete("id = 9").counts.deleted, 1);  // on top of what is marked already
  EXPECT_EQ(Table("count(*)"), (Lines{"498"}));
  EXPECT_TRUE(Delete("id = 9").empty);
  const auto snapshot = Must(delta::LoadSnapshot(lake_.store(), "silver/t"));
  ASSERT_EQ(snapshot.files.size(), 1u);
  const delta::Add& file = *snapshot.files.begin();
  EXPECT_EQ(file.deletion_vector.has_value(), GetParam());
  EXPECT_EQ(RowsOf(file), 498);
  EXPECT_EQ(RecordsOf(file), GetParam() ? 1000 : 498);
  EXPECT_EQ(file.stats.find("\"tightBounds\":false") != std::string::npos, GetParam());
  EXPECT_EQ(snapshot.protocol.min_reader_version, GetParam() ? 3 : 1);
}

TEST_P(DmlTest, AFileWithoutRowsLeftGoes) {
  Fill("id: bigint", "SELECT range AS id FROM range(10)");
  Commit(Append(Target("id: bigint"), "SELECT range + 100 AS id FROM range(10)"));
  EXPECT_EQ(Delete("id < 5").counts.deleted, 5);
  EXPECT_EQ(Files(), 2u);
  EXPECT_EQ(Delete("id < 50").counts.deleted, 5);
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(Delete("").counts.deleted, 10);
  EXPECT_EQ(Files(), 0u);
}

TEST_P(DmlTest, UpdatesOnlyRowsWhoseValuesChange) {
  Fill("id: bigint, v: string, n: decimal(10,2)", "SELECT range AS id, 'x' AS v, range::DECIMAL(10,2) AS n FROM range(100)");
  EXPECT_EQ(Update({{"N", "n + 0.5"}, {"v", "'y'"}}, "id < 3").counts.changed, 3);
  EXPECT_EQ(Table("*", "id < 4"), (Lines{"0|y|0.50", "1|y|1.50", "2|y|2.50", "3|x|3.00"}));
  EXPECT_TRUE(Update({{"v", "'y'"}}, "id < 3").empty);
  EXPECT_EQ(Update({{"v", "CASE WHEN id = 50 THEN NULL ELSE v END"}}, "").counts.changed, 1);
  EXPECT_EQ(Table("count(*), count(v)"), (Lines{"100|99"}));
}

TEST_P(DmlTest, AnUpdateMovesARowToItsPartition) {
  Fill("id: bigint, day: date", "SELECT range AS id, DATE '2024-01-15' AS day FROM range(4)", {"month(day)"});
  EXPECT_EQ(Update({{"day", "DATE '2024-03-01'"}}, "id = 2").counts.changed, 1);
  EXPECT_EQ(Table("id, day_month"), (Lines{"0|2024-01", "1|2024-01", "2|2024-03", "3|2024-01"}));
  const auto target = Present();
  const auto computed = StageUpdate(target, lake_.connection(), {{"day_month", "'2020-01'"}}, "", Options());
  ASSERT_FALSE(computed.has_value());
  EXPECT_EQ(computed.error().code, "generated-column");
}

MergeClause When(MergeClause::When when, MergeClause::Then then, std::string condition = "", std::vector<Assignment> set = {}) {
  return {when, std::move(condition), then, std::move(set)};
}
using W = MergeClause::When;
using D = MergeClause::Then;

TEST_P(DmlTest, MergeTakesTheFirstClauseThatHolds) {
  Fill("id: bigint, v: string, n: bigint", "SELECT range AS id, 'old' AS v, range AS n FROM range(10)");
  MergeStatement statement;
  statement.on = "target.id = source.id";
  statement.clauses = {When(W::kMatched, D::kDelete, "source.op = 'D'"),
                       When(W::kMatched, D::kUpdate, "source.n > target.n", {{"v", "source.v"}, {"n", "source.n"}}),
                       When(W::kNotMatched, D::kInsert, "source.op <> 'D'", {{"id", "source.id"}, {"v", "upper(source.v)"}}),
                       When(W::kNotMatchedBySource, D::kDelete, "target.id = 9"),
                       When(W::kNotMatchedBySource, D::kUpdate, "target.id = 8", {{"v", "'gone'"}})};
  const auto change = Merge(
      "SELECT * FROM (VALUES (1, 'new', 100, 'U'), (2, 'late', 1, 'U'), (3, 'x', 0, 'D'), (20, 'ins', 5, 'I'), "
      "(21, 'never', 5, 'D'), (4, 'old', 4, 'U')) v(id, v, n, op)",
      statement);
  EXPECT_EQ(change.counts.changed, 2);
  EXPECT_EQ(change.counts.deleted, 2);
  EXPECT_EQ(change.counts.added, 1);
  EXPECT_EQ(Table(), (Lines{"0|old|0", "1|new|100", "20|INS|-", "2|old|2", "4|old|4", "5|old|5", "6|old|6", "7|old|7", "8|gone|8"}));
}

// Columns called as anything that a statement might call its own.
class NamesTest : public DmlTest {
 protected:
  static constexpr const char* kNames[] = {"file",      "row",    "updated", "__id",     "__clause",    "__same",
                                           "id",        "action", "source",  "target",   "rowid",       "__old_1",
                                           "__deleted", "n",      "c0",      "__own_id", "__OWN__file", "g"};
  // Each of the columns has its name and the row's number.
  static std::string Rows(const std::string& from, const std::string& value) {
    std::string sql = "SELECT k";
    for (const char* name : kNames) sql += fmt::format(", '{0}' || {1} AS \"{0}\"", name, value);
    return sql + " FROM " + from;
  }
  static std::string Line(const std::string& k, const std::string& value) {
    std::string line = k;
    for (const char* name : kNames) line += fmt::format("|{}{}", name, value);
    return line;
  }
  void Fill(bool change_data) {
    std::string schema = "k: bigint";
    for (const char* name : kNames) schema += fmt::format(", {}: string", name);
    TableTarget target = Target(schema);
    if (change_data) target.properties["delta.enableChangeDataFeed"] = "true";
    Commit(Append(target, Rows("(SELECT range AS k FROM range(6))", "k")));
  }
  Lines Told(int64_t version) {
    const Changes changes = Must(ChangesFor(lake_.store(), kRoot, version, version));
    std::string columns = "_change_type, k";
    for (const char* name : kNames) columns += fmt::format(", \"{}\"", name);
    return lake_.Rows("SELECT " + columns + " FROM " + changes.scan->sql);
  }
};

INSTANTIATE_TEST_SUITE_P(Tables, NamesTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("DeletionVectors") : std::string("Rewritten"); });

TEST_P(NamesTest, AnUpdateLeavesColumnsOfEveryNameAlone) {
  for (const bool change_data : {false, true}) {
    std::filesystem::remove_all(lake_.dir() + "/lake/silver");
    Fill(change_data);
    EXPECT_EQ(Update({{"k", "k + 100"}}, "k = 1 AND file = 'file1'").counts.changed, 1);
    EXPECT_EQ(Update({{"file", "\"row\" || target.target"}, {"updated", "'u'"}}, "k = 2").counts.changed, 1);
    EXPECT_EQ(Delete("\"row\" = 'row3'").counts.deleted, 1);
    std::string second = Line("2", "2");
    second.replace(second.find("|file2"), 6, "|row2target2");
    second.replace(second.find("|updated2"), 9, "|u");
    EXPECT_EQ(Table("*"), (Lines{Line("0", "0"), Line("101", "1"), second, Line("4", "4"), Line("5", "5")}));
    if (!change_data) continue;
    EXPECT_EQ(Told(1), (Lines{"update_postimage|" + Line("101", "1"), "update_preimage|" + Line("1", "1")}));
    EXPECT_EQ(Told(2), (Lines{"update_postimage|" + second, "update_preimage|" + Line("2", "2")}));
    EXPECT_EQ(Told(3), (Lines{"delete|" + Line("3", "3")}));
  }
}

TEST_P(NamesTest, AMergeLeavesColumnsOfEveryNameAlone) {
  for (const bool change_data : {false, true}) {
    std::filesystem::remove_all(lake_.dir() + "/lake/silver");
    Fill(change_data);
    MergeStatement statement;
    statement.on = "target.k = source.k";
    statement.clauses = {When(W::kMatched, D::kDelete, "source.k = 1"),
                         When(W::kMatched, D::kUpdate, "source.k = 2", {{"k", "source.k + 100"}}),
                         When(W::kMatched, D::kUpdate, "source.rowid = 'rowid3!'"), When(W::kNotMatched, D::kInsert),
                         When(W::kNotMatchedBySource, D::kUpdate, "target.k = 4", {{"k", "104"}})};
    const auto change = Merge(Rows("(SELECT unnest([0, 1, 2, 3, 9])::BIGINT AS k)", "k || '!'"), statement);
    EXPECT_EQ(change.counts.changed, 3);
    EXPECT_EQ(change.counts.deleted, 1);
    EXPECT_EQ(change.counts.added, 1);
    EXPECT_EQ(Table("*"), (Lines{Line("0", "0"), Line("102", "2"), Line("104", "4"), Line("3", "3!"), Line("5", "5"), Line("9", "9!")}));
    if (!change_data) continue;
    EXPECT_EQ(Told(1),
              (Lines{"delete|" + Line("1", "1"), "insert|" + Line("9", "9!"), "update_postimage|" + Line("102", "2"),
                     "update_postimage|" + Line("104", "4"), "update_postimage|" + Line("3", "3!"), "update_preimage|" + Line("2", "2"),
                     "update_preimage|" + Line("3", "3"), "update_preimage|" + Line("4", "4")}));
  }
}

TEST_P(DmlTest, AMergeThatChangesNoValueIsEmpty) {
  Fill("id: bigint, v: string", "SELECT range AS id, CASE WHEN range > 5 THEN 'x' END AS v FROM range(10)");
  MergeStatement statement;
  statement.match = {"id"};
  statement.clauses = {When(W::kMatched, D::kUpdate), When(W::kNotMatched, D::kInsert)};
  EXPECT_TRUE(Merge("SELECT range AS id, CASE WHEN range > 5 THEN 'x' END AS v FROM range(10)", statement).empty);
  EXPECT_EQ(Merge("SELECT 3::BIGINT AS id, 'now' AS v UNION ALL SELECT 77, NULL", statement).counts.changed, 1);
  EXPECT_EQ(Table("*", "id IN (3, 77)"), (Lines{"3|now", "77|-"}));
}

TEST_P(DmlTest, SeveralSourceRowsForOneRowAreAnError) {
  Fill("id: bigint, v: string", "SELECT range AS id, 'x' AS v FROM range(10)");
  MergeStatement statement;
  statement.match = {"id"};
  statement.clauses = {When(W::kMatched, D::kUpdate)};
  const auto target = Present();
  const auto change =
      StageMergeStatement(target, lake_.connection(), {"SELECT 4::BIGINT AS id, unnest(['a', 'b']) AS v", {}}, statement, Options());
  ASSERT_FALSE(change.has_value());
  EXPECT_EQ(change.error().code, "ambiguous-merge");
  EXPECT_NE(change.error().message.find("id = 4"), std::string::npos) << change.error().message;
}

TEST_P(DmlTest, SeveralSourceRowsMayDeleteOneRow) {
  Fill("id: bigint, v: string", "SELECT range AS id, 'x' AS v FROM range(6)");
  const std::string twice = "SELECT unnest([1, 1, 2, 9, 9])::BIGINT AS id, 'n' AS v";
  MergeStatement statement;
  statement.match = {"id"};
  const auto refused = [&](std::vector<MergeClause> clauses) {
    statement.clauses = std::move(clauses);
    const auto target = Present();
    const auto change = StageMergeStatement(target, lake_.connection(), {twice, {}}, statement, Options());
    return change ? std::string("not refused") : change.error().code;
  };
  EXPECT_EQ(refused({When(W::kMatched, D::kDelete, "target.v = 'x'")}), "ambiguous-merge");
  EXPECT_EQ(refused({When(W::kMatched, D::kUpdate, "target.id = 1"), When(W::kMatched, D::kDelete)}), "ambiguous-merge");
  statement.clauses = {When(W::kMatched, D::kDelete), When(W::kNotMatchedBySource, D::kUpdate, "id = 5", {{"v", "'left'"}})};
  const auto change = Merge(twice, statement);
  EXPECT_EQ(change.counts.deleted, 2);
  EXPECT_EQ(change.counts.changed, 1);
  EXPECT_EQ(Table(), (Lines{"0|x", "3|x", "4|x", "5|left"}));
}

TEST_P(DmlTest, AClauseBehindOneThatTakesEveryRowIsAnError) {
  Fill("id: bigint", "SELECT range AS id FROM range(6)");
  const auto code = [&](std::vector<MergeClause> clauses) {
    MergeStatement statement;
    statement.match = {"id"};
    statement.clauses = std::move(clauses);
    const auto target = Present();
    const auto change = StageMergeStatement(target, lake_.connection(), {"SELECT 1::BIGINT AS id", {}}, statement, Options());
    return change ? std::string() : change.error().code + ": " + change.error().message;
  };
  EXPECT_EQ(code({When(W::kMatched, D::kUpdate), When(W::kMatched, D::kDelete, "target.id = 1")}),
            "unreachable-clause: silver.t: a clause WHEN MATCHED stands behind one without a condition, which takes every row");
  EXPECT_NE(code({When(W::kNotMatched, D::kInsert), When(W::kNotMatched, D::kInsert)}), "");
  EXPECT_NE(code({When(W::kNotMatchedBySource, D::kDelete), When(W::kNotMatchedBySource, D::kDelete, "id = 2")}), "");
  EXPECT_EQ(code({When(W::kMatched, D::kDelete), When(W::kNotMatched, D::kInsert), When(W::kNotMatchedBySource, D::kDelete)}), "");
}

TEST_P(DmlTest, WhatIsSetTwiceIsAnError) {
  Fill("id: bigint, v: string, s: struct<a: bigint, b: string>", "SELECT 1::BIGINT AS id, 'x' AS v, {'a': 1::BIGINT, 'b': 'y'} AS s");
  const auto target = Present();
  const auto update = [&](const std::vector<Assignment>& set) {
    const auto change = StageUpdate(target, lake_.connection(), set, "", Options());
    return change ? std::string() : change.error().code + ": " + change.error().message;
  };
  EXPECT_EQ(update({{"v", "'1'"}, {"id", "2"}, {"V", "'2'"}}), "duplicate-assignment: silver.t: \"v\" is set twice");
  EXPECT_EQ(update({{"s", "1", {"a"}}, {"s", "2", {"A"}}}), "duplicate-assignment: silver.t: \"s.a\" is set twice");
  EXPECT_EQ(update({{"s", "1", {"a"}}, {"s", "NULL"}}),
            "duplicate-assignment: silver.t: \"s\" and \"s.a\", which is part of it, are both set");
  const auto merge = [&](const std::string& sql, MergeClause clause) {
    MergeStatement statement;
    statement.match = {"id"};
    statement.clauses = {std::move(clause)};
    const auto change = StageMergeStatement(target, lake_.connection(), {sql, {}}, statement, Options());
    return change ? std::string() : change.error().code + ": " + change.error().message;
  };
  EXPECT_EQ(merge("SELECT 5::BIGINT AS id", When(W::kNotMatched, D::kInsert, "", {{"id", "1"}, {"id", "2"}})),
            "duplicate-assignment: silver.t: \"id\" is set twice");
  EXPECT_EQ(merge("SELECT 1::BIGINT AS id", When(W::kMatched, D::kUpdate, "", {{"v", "'1'"}, {"v", "'2'"}})),
            "duplicate-assignment: silver.t: \"v\" is set twice");
  EXPECT_EQ(merge("SELECT 1::BIGINT AS id, 2::BIGINT AS ID", When(W::kMatched, D::kDelete)),
            "duplicate-column: the source of the merge has two columns called \"ID\"");
}

TEST_P(DmlTest, AnIntegerIsNeverRounded) {
  Fill("id: bigint, n: integer, d: decimal(10,1), s: struct<a: bigint>",
       "SELECT range AS id, range::INTEGER AS n, 0::DECIMAL(10,1) AS d, {'a': range} AS s FROM range(4)");
  const auto target = Present();
  const auto update = [&](const Assignment& set, const std::string& where) {
    const auto change = StageUpdate(target, lake_.connection(), {set}, where, Options());
    return change ? std::string() : change.error().code + ": " + change.error().message;
  };
  EXPECT_EQ(update({"id", "2.7"}, ""), "lossy-assignment: silver.t: column \"id\" is bigint, and would be rounded: it is set to 2.7");
  EXPECT_NE(update({"id", "2.7"}, "id = 3"), "");  // which is 3 already
  EXPECT_NE(update({"n", "n / 2"}, ""), "");
  EXPECT_NE(update({"n", "'2.7'"}, ""), "");
  EXPECT_NE(update({"s", "a + 0.5", {"a"}}, ""), "");
  EXPECT_NE(update({"s", "0.5::DOUBLE", {"a"}}, ""), "");
  EXPECT_EQ(Update({{"n", "(n + 10) / 2"}}, "n % 2 = 0").counts.changed, 2);
  EXPECT_EQ(Update({{"id", "CAST(2.7 AS BIGINT) * 10.0"}, {"d", "1.26"}}, "id = 3").counts.changed,
            1);  // decimals are rounded, as in Spark
  const auto merge = [&](MergeClause clause) {
    MergeStatement statement;
    statement.on = "target.id = source.id";
    statement.clauses = {std::move(clause)};
    const auto now = Present();
    const auto change = StageMergeStatement(now, lake_.connection(), {"SELECT 1::BIGINT AS id, 5.5 AS x", {}}, statement, Options());
    return change ? std::string() : change.error().code;
  };
  EXPECT_EQ(merge(When(W::kMatched, D::kUpdate, "", {{"n", "source.x"}})), "lossy-assignment");
  EXPECT_EQ(merge(When(W::kMatched, D::kUpdate, "target.n > 100", {{"n", "source.x"}})), "");
  EXPECT_EQ(merge(When(W::kNotMatchedBySource, D::kUpdate, "", {{"n", "target.n + 0.5"}})), "lossy-assignment");
  EXPECT_EQ(merge(When(W::kNotMatched, D::kInsert, "", {{"id", "source.x"}})), "");  // there is none
  EXPECT_EQ(Table("id, n, d"), (Lines{"0|5|0.0", "1|1|0.0", "2|6|0.0", "30|3|1.3"}));
}

TEST_P(DmlTest, FieldsOfStructsAreSetAlone) {
  Fill(
      "id: bigint, s: struct<a: bigint, `b c`: string, t: struct<x: bigint, y: list<bigint>>>",
      "SELECT range AS id, CASE WHEN range < 3 THEN {'a': range, 'b c': 'v', 't': CASE WHEN range < 2 THEN {'x': range, 'y': [range]} END} "
      "END AS s FROM range(4)");
  EXPECT_EQ(Update({{"s", "s.a + 10", {"A"}}, {"s", "id * 100", {"t", "x"}}}, "id <> 0").counts.changed, 3);
  EXPECT_EQ(Table(),
            (Lines{"0|{'a': 0, 'b c': v, 't': {'x': 0, 'y': [0]}}", "1|{'a': 11, 'b c': v, 't': {'x': 100, 'y': [1]}}",
                   "2|{'a': 12, 'b c': v, 't': {'x': 200, 'y': NULL}}", "3|{'a': NULL, 'b c': NULL, 't': {'x': 300, 'y': NULL}}"}));
  EXPECT_TRUE(Update({{"s", "'v'", {"b c"}}}, "id < 2").empty);
  MergeStatement statement;
  statement.match = {"id"};
  statement.clauses = {When(W::kMatched, D::kUpdate, "source.id = 0", {{"s", "source.w", {"b c"}}, {"s", "[7]", {"t", "y"}}}),
                       When(W::kMatched, D::kUpdate, "", {{"s", "{'x': 1, 'y': NULL}", {"t"}}}),
                       When(W::kNotMatchedBySource, D::kUpdate, "target.id = 3", {{"s", "3", {"a"}}})};
  EXPECT_EQ(Merge("SELECT range AS id, 'w' AS w FROM range(2)", statement).counts.changed, 3);
  EXPECT_EQ(Table(), (Lines{"0|{'a': 0, 'b c': w, 't': {'x': 0, 'y': [7]}}", "1|{'a': 11, 'b c': v, 't': {'x': 1, 'y': NULL}}",
                            "2|{'a': 12, 'b c': v, 't': {'x': 200, 'y': NULL}}", "3|{'a': 3, 'b c': NULL, 't': {'x': 300, 'y': NULL}}"}));
  const auto target = Present();
  const auto update = [&](const Assignment& set) {
    const auto change = StageUpdate(target, lake_.connection(), {set}, "", Options());
    return change ? std::string() : change.error().code + ": " + change.error().message;
  };
  EXPECT_EQ(update({"s", "1", {"t", "xx"}}), "unknown-column: silver.t has no column \"s.t.xx\" (did you mean \"x\"?)");
  EXPECT_EQ(update({"s", "1", {"t", "y", "element"}}),
            "bad-assignment: silver.t: s.t.y.element: \"s.t.y\" is list<bigint>, which has no fields to set");
  statement.clauses = {When(W::kNotMatched, D::kInsert, "", {{"s", "1", {"a"}}})};
  EXPECT_EQ(StageMergeStatement(target, lake_.connection(), {"SELECT 77::BIGINT AS id", {}}, statement, Options()).error().code,
            "bad-assignment");
}

TEST_P(DmlTest, FilesWhoseBoundsCannotMeetTheConditionAreNotOpened) {
  Fill("id: bigint, v: string", "SELECT range AS id, 'x' AS v FROM range(10)");
  const std::string path = (*Must(delta::LoadSnapshot(lake_.store(), kRoot)).files.begin()).path;
  const std::string folder = lake_.dir() + "/lake/silver/t/";
  std::filesystem::rename(folder + path, folder + "away");
  Commit(Append(Target("id: bigint, v: string"), "SELECT range AS id, 'x' AS v FROM range(100, 110)"));
  const auto only = [&](Result<StagedChange> change) {
    Commit(Must(change));
    return *change;
  };
  auto& db = lake_.connection();
  EXPECT_EQ(only(StageUpdate(Present(), db, {{"v", "'y'"}}, "id IN (101, 102, 103)", Options())).counts.changed, 3);
  EXPECT_EQ(only(StageDelete(Present(), db, "target.id = 102 AND v <> 'x'", Options())).counts.deleted, 1);
  MergeStatement statement;
  statement.clauses = {When(W::kMatched, D::kUpdate), When(W::kNotMatched, D::kInsert),
                       When(W::kNotMatchedBySource, D::kDelete, "target.id > 108"),
                       When(W::kNotMatchedBySource, D::kUpdate, "id >= 107", {{"v", "'late'"}})};
  statement.match = {"id"};
  const auto first = only(
      StageMergeStatement(Present(), db, {"SELECT 105::BIGINT AS id, 'm' AS v UNION ALL SELECT 109, 'm' UNION ALL SELECT 200, 'new'", {}},
                          statement, Options()));
  EXPECT_EQ(first.counts.changed, 4);
  EXPECT_EQ(first.counts.deleted, 0);
  statement.match = {};
  statement.on = "source.id = target.id AND target.id > 50";
  const auto second = only(
      StageMergeStatement(Present(), db, {"SELECT 105::BIGINT AS id, 'mm' AS v UNION ALL SELECT 9, 'nine'", {}}, statement, Options()));
  EXPECT_EQ(second.counts.changed, 1);
  EXPECT_EQ(second.counts.deleted, 2);
  EXPECT_EQ(second.counts.added, 1);
  std::filesystem::rename(folder + "away", folder + path);
  EXPECT_EQ(Table("*", "id = 9 AND v = 'nine' OR id > 104"), (Lines{"105|mm", "106|x", "107|late", "108|late", "9|nine"}));
}

// What was not opened for its bounds was read all the same: rows that come there meanwhile may meet the condition.
TEST_P(DmlTest, FilesThatWereNotOpenedAreReadAllTheSame) {
  Fill("id: bigint, v: string", "SELECT range AS id, 'x' AS v FROM range(10)");
  Commit(Append(Target("id: bigint, v: string"), "SELECT range AS id, 'x' AS v FROM range(100, 110)"));
  const auto target = Present();
  MergeStatement statement;
  statement.match = {"id"};
  statement.clauses = {When(W::kMatched, D::kUpdate), When(W::kNotMatchedBySource, D::kDelete, "id > 105")};
  for (const StagedChange& change :
       {Must(StageDelete(target, lake_.connection(), "id = 105", Options())),
        Must(StageUpdate(target, lake_.connection(), {{"v", "'y'"}}, "id = 105", Options())),
        Must(StageMergeStatement(target, lake_.connection(), {"SELECT 105::BIGINT AS id, 'm' AS v", {}}, statement, Options()))})
    EXPECT_EQ(change.commit.reads, delta::ReadScope::kWholeTable);
}

TEST_P(DmlTest, ManyOperationsOnTopOfEachOtherAgreeWithATable) {
  Fill("id: bigint, v: bigint, p: string", "SELECT range AS id, range * 10 AS v, ['a', 'b', NULL][1 + range % 3] AS p FROM range(500)",
       {"p"});
  auto& db = lake_.connection();
  Must(db.Execute(
      "CREATE OR REPLACE TABLE model AS SELECT range AS id, range * 10 AS v, ['a', 'b', NULL][1 + range % 3] AS p FROM range(500)"));
  SeededRandom random(11);
  for (int i = 0; i < 12; ++i) {
    const auto k = static_cast<int64_t>(random.Next() % 500);
    if (i % 3 == 0) {
      const std::string where = fmt::format("(id * 7 + {}) % 11 = 0", k);
      Delete(where);
      Must(db.Execute("DELETE FROM model WHERE " + where));
    } else if (i % 3 == 1) {
      const std::string where = fmt::format("(id * 5 + {}) % 13 < 2", k);
      Update({{"v", "v + 1"}, {"p", "CASE WHEN id % 2 = 0 THEN 'c' ELSE p END"}}, where);
      Must(db.Execute("UPDATE model SET v = v + 1, p = CASE WHEN id % 2 = 0 THEN 'c' ELSE p END WHERE " + where));
    } else {
      const std::string source = fmt::format("SELECT range AS id, range + {} AS v, 'm' AS p FROM range({}, {})", i, k, k + 40);
      MergeStatement statement;
      statement.match = {"id"};
      statement.clauses = {When(W::kMatched, D::kUpdate, "source.id % 2 = 0", {{"v", "source.v"}}), When(W::kNotMatched, D::kInsert)};
      Merge(source, statement);
      Must(
          db.Execute(fmt::format("MERGE INTO model AS target USING ({}) AS source ON target.id = source.id WHEN MATCHED AND source.id % 2 "
                                 "= 0 THEN UPDATE SET v = source.v WHEN NOT MATCHED THEN INSERT VALUES (source.id, source.v, source.p)",
                                 source)));
    }
    ASSERT_EQ(Table("id, v, p"), lake_.Rows("SELECT id, v, p FROM model")) << "after operation " << i;
  }
}

}  // namespace
}  // namespace sluice::tables
