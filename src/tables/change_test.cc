// Every store over several commits, read back through the log.
#include "tables/change.h"

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tables/history.h"
#include "tables/table_fixture.h"

namespace sluice::tables {
namespace {

class ChangeTest : public TableTest {
 protected:
  Result<StagedChange> Merge(const TableTarget& target, const std::string& sql, const MergeSpec& spec) {
    return StageMerge(target, lake_.connection(), {sql, {}}, spec, Options());
  }
  StagedChange Merged(const TableTarget& target, const std::string& sql, const MergeSpec& spec) {
    StagedChange change = Must(Merge(target, sql, spec));
    if (!change.empty) CommitAsScanned(target, change);
    return change;
  }
};

TEST_F(ChangeTest, CreatesAtTheLowestProtocol) {
  Commit(Append(Target("id: bigint"), "SELECT 1::BIGINT AS id"));
  auto snapshot = Must(delta::LoadSnapshot(lake_.store(), "silver/t"));
  EXPECT_EQ(snapshot.version, 0);
  EXPECT_EQ(snapshot.protocol, (delta::Protocol{1, 2}));
  EXPECT_EQ(snapshot.schema, MakeSchema("id: bigint"));
}

TEST_F(ChangeTest, GeneratedPartitionsNeedWriterFour) {
  const auto target = Target("id: bigint, day: date", {"month(day)"});
  CommitAsScanned(target, Append(target, "SELECT range AS id, DATE '2024-01-15' + (range * 10)::INTEGER AS day FROM range(10)"));
  const auto snapshot = Must(delta::LoadSnapshot(lake_.store(), "silver/t"));
  EXPECT_EQ(snapshot.protocol, (delta::Protocol{1, 4}));
  EXPECT_EQ(snapshot.metadata.partition_columns, (Lines{"day_month"}));
  EXPECT_EQ(Table("DISTINCT day_month"), (Lines{"2024-01", "2024-02", "2024-03", "2024-04"}));
  // The next batch finds the column there and adds none.
  Commit(Append(Target("id: bigint, day: date", {"month(day)"}), "SELECT 100::BIGINT AS id, DATE '2024-05-01' AS day"));
  EXPECT_EQ(Must(delta::LoadSnapshot(lake_.store(), "silver/t")).schema, snapshot.schema);
}

TEST_F(ChangeTest, WallClocksNeedTheirFeature) {
  Commit(Append(Target("t: timestamp_ntz"), "SELECT TIMESTAMP '2024-01-01' AS t"));
  const auto protocol = Must(delta::LoadSnapshot(lake_.store(), "silver/t")).protocol;
  EXPECT_EQ(protocol.min_reader_version, 3);
  EXPECT_EQ(protocol.min_writer_version, 7);
  EXPECT_TRUE(protocol.reader_features->contains("timestampNtz"));
  EXPECT_TRUE(protocol.writer_features->contains("timestampNtz"));
}

TEST_F(ChangeTest, AppendOfNothingIsEmptyButCreates) {
  const auto first = Append(Target("id: bigint"), "SELECT range AS id FROM range(0)");
  Commit(first);
  EXPECT_TRUE(Table().empty());
  EXPECT_TRUE(Append(Target("id: bigint"), "SELECT range AS id FROM range(0)").empty);
}

TEST_F(ChangeTest, NewColumnsEvolveAndOldRowsHaveNone) {
  Commit(Append(Target("id: bigint, s: struct<a: bigint>"), "SELECT 1::BIGINT AS id, {'a': 5::BIGINT} AS s"));
  const auto target = Target("id: bigint, added: date, s: struct<a: bigint, b: string>");
  EXPECT_EQ(CompareSchemas(target.snapshot->schema, target.schema).added, (Lines{"s.b", "added"}));
  const auto change = Append(target, "SELECT 2::BIGINT AS id, DATE '2024-01-01' AS added, {'a': 6::BIGINT, 'b': 'x'} AS s");
  EXPECT_TRUE(change.removed_paths.empty());
  CommitAsScanned(target, change);
  EXPECT_EQ(Table("id, s.b, added"), (Lines{"1|-|-", "2|x|2024-01-01"}));
  EXPECT_EQ(Must(delta::LoadSnapshot(lake_.store(), "silver/t")).schema.Names(), (Lines{"id", "s", "added"}));
}

TEST_F(ChangeTest, WidenedColumnsRewrite) {
  Commit(Append(Target("id: integer, m: decimal(5,2)"), "SELECT 1::INTEGER AS id, 1.25::DECIMAL(5,2) AS m"));
  const auto target = Target("id: bigint, m: decimal(12,4)");
  const auto change = Append(target, "SELECT 5000000000::BIGINT AS id, 2.0001::DECIMAL(12,4) AS m");
  EXPECT_EQ(change.removed_paths.size(), 1u);
  EXPECT_EQ(change.commit.reads, delta::ReadScope::kWholeTable);
  CommitAsScanned(target, change);
  EXPECT_EQ(Table(), (Lines{"1|1.2500", "5000000000|2.0001"}));
}

TEST_F(ChangeTest, BreakingChangesAreRefusedByName) {
  Commit(Append(Target("id: bigint, name: string"), "SELECT 1::BIGINT AS id, 'x' AS name"));
  const auto refused = [&](const std::string& schema, const std::string& sql, std::vector<std::string> by = {}) {
    auto change = StageAppend(Target(schema, by), *lake_.Read(sql), Options(), &lake_.connection());
    return change ? std::string("accepted") : change.error().code + ": " + change.error().message;
  };
  EXPECT_EQ(refused("id: bigint", "SELECT 1::BIGINT AS id"), "schema-change: silver.t: the table's readers would break: name is dropped");
  EXPECT_EQ(refused("id: integer, name: string", "SELECT 1::INTEGER AS id, '' AS name"),
            "schema-change: silver.t: the table's readers would break: id: bigint → integer");
  EXPECT_NE(refused("id: bigint, name: string", "SELECT 1::BIGINT AS id, '' AS name", {"name"}).find("partitioned by name"),
            std::string::npos);
  TableTarget target = Target("id: integer", {});
  target.replace_schema = true;
  Commit(Must(StageOverwrite(target, *lake_.Read("SELECT 7::INTEGER AS id"), {}, Options())));
  EXPECT_EQ(Table(), (Lines{"7"}));
  EXPECT_EQ(Must(delta::LoadSnapshot(lake_.store(), "silver/t")).metadata.id, target.snapshot->metadata.id);
}

TEST_F(ChangeTest, OverwriteReplacesAll) {
  Commit(Append(Target("id: bigint"), "SELECT range AS id FROM range(5)"));
  const auto target = Target("id: bigint");
  const auto change = Must(StageOverwrite(target, *lake_.Read("SELECT 9::BIGINT AS id"), {}, Options()));
  EXPECT_EQ(change.counts.removed, 5);
  CommitAsScanned(target, change);
  EXPECT_EQ(Table(), (Lines{"9"}));
}

TEST_F(ChangeTest, OverwriteWhereReplacesItsPartitionsOnly) {
  const std::string schema = "id: bigint, c: string, d: date";
  Commit(Append(Target(schema, {"c", "d"}),
                "SELECT range AS id, CASE range % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END AS c, DATE '2024-01-01' + (range % 2)::INTEGER AS "
                "d FROM range(12)"));
  const auto target = Target(schema, {"c", "d"});
  const auto where = [&](const std::string& sql) {
    return StageOverwrite(target, *lake_.Read(sql), {"c = 'a' AND d >= DATE '2024-01-02'"}, Options(), &lake_.connection());
  };
  const auto outside = where("SELECT 1::BIGINT AS id, 'b' AS c, DATE '2024-01-02' AS d");
  ASSERT_FALSE(outside.has_value());
  EXPECT_EQ(outside.error().code, "row-outside-predicate");
  const auto change = Must(where("SELECT 99::BIGINT AS id, 'a' AS c, DATE '2024-02-02' AS d"));
  EXPECT_EQ(change.counts.removed, 2);
  CommitAsScanned(target, change);
  EXPECT_EQ(Table("count(*)"), (Lines{"11"}));
}

const char* kOrders = "id: bigint, status: string, at: bigint, _batch_id: bigint";

std::string Orders(const std::string& values) {
  return "SELECT id::BIGINT AS id, status::VARCHAR AS status, \"at\"::BIGINT AS \"at\", b::BIGINT AS _batch_id FROM (VALUES " + values +
         ") v(id, status, \"at\", b)";
}

MergeSpec BySequence() {
  MergeSpec spec;
  spec.key = {"id"};
  spec.sequence_by = {"at"};
  return spec;
}

// Rows leave by deletion vectors, or with rewritten files.
class RowStoresTest : public ChangeTest, public ::testing::WithParamInterface<bool> {
 protected:
  RowStoresTest() { deletion_vectors_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Tables, RowStoresTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("DeletionVectors") : std::string("Rewritten"); });

TEST_P(RowStoresTest, MergeTakesTheHighestSequence) {
  auto change = Merged(Target(kOrders),
                       Orders("(1, 'new', 1, 1), (2, 'new', 1, 1), (1, 'paid', 3, 1), (1, 'late', 2, 1), (2, 'new', 1, 1)"), BySequence());
  EXPECT_EQ(change.counts.read, 5);
  EXPECT_EQ(change.counts.added, 2);
  EXPECT_EQ(change.counts.older, 2);
  EXPECT_EQ(change.counts.same, 1);
  EXPECT_EQ(Table(), (Lines{"1|paid|3|1", "2|new|1|1"}));
  change = Merged(Target(kOrders), Orders("(1, 'older', 2, 2), (2, 'paid', 5, 2), (3, 'new', 1, 2)"), BySequence());
  EXPECT_EQ(change.counts.older, 1);
  EXPECT_EQ(change.counts.changed, 1);
  EXPECT_EQ(change.counts.added, 1);
  EXPECT_EQ(Table(), (Lines{"1|paid|3|1", "2|paid|5|2", "3|new|1|2"}));
}

TEST_P(RowStoresTest, MergeThatChangesNoValueCommitsNothing) {
  Merged(Target(kOrders), Orders("(1, 'new', 1, 1), (2, NULL, 1, 1)"), BySequence());
  const auto again = Must(Merge(Target(kOrders), Orders("(1, 'new', 1, 2), (2, NULL, 1, 2)"), BySequence()));
  EXPECT_TRUE(again.empty);
  EXPECT_EQ(again.counts.same, 2);
  EXPECT_TRUE(Must(Merge(Target(kOrders), Orders("(1, 'new', 1, 2)") + " WHERE false", BySequence())).empty);
}

TEST_P(RowStoresTest, MergeTouchesOnlyFilesWithItsKeys) {
  Merged(Target(kOrders), Orders("(1, 'a', 1, 1)"), BySequence());
  Merged(Target(kOrders), Orders("(2, 'a', 1, 2)"), BySequence());
  const auto change = Merged(Target(kOrders), Orders("(2, 'b', 2, 3)"), BySequence());
  EXPECT_EQ(change.removed_paths.size(), 1u);
  EXPECT_EQ(Table("id, status"), (Lines{"1|a", "2|b"}));
}

TEST_P(RowStoresTest, MergeNamesTheAmbiguousKey) {
  const auto in_batch = Merge(Target(kOrders), Orders("(1, 'a', 1, 1), (1, 'b', 1, 1)"), BySequence());
  ASSERT_FALSE(in_batch.has_value());
  EXPECT_EQ(in_batch.error().code, "ambiguous-sequence");
  EXPECT_NE(in_batch.error().message.find("id = 1"), std::string::npos) << in_batch.error().message;
  Merged(Target(kOrders), Orders("(7, 'a', 1, 1)"), BySequence());
  const auto against = Merge(Target(kOrders), Orders("(7, 'b', 1, 2)"), BySequence());
  ASSERT_FALSE(against.has_value());
  EXPECT_EQ(against.error().code, "ambiguous-sequence");
  EXPECT_NE(against.error().message.find("id = 7"), std::string::npos);
  // Beaten by a higher one, the tie below decides nothing.
  EXPECT_TRUE(Merge(Target(kOrders), Orders("(8, 'a', 1, 1), (8, 'b', 1, 1), (8, 'c', 2, 1)"), BySequence()).has_value());
}

TEST_P(RowStoresTest, MergeRefusesNullKeys) {
  const auto change = Merge(Target(kOrders), Orders("(NULL, 'a', 1, 1), (1, 'b', 1, 1)"), BySequence());
  ASSERT_FALSE(change.has_value());
  EXPECT_EQ(change.error().code, "null-key");
}

TEST_P(RowStoresTest, MergeTakesNullSequenceAsLowest) {
  Merged(Target(kOrders), Orders("(1, 'never', NULL, 1), (2, 'x', 5, 1)"), BySequence());
  Merged(Target(kOrders), Orders("(1, 'now', 1, 2), (2, 'lost', NULL, 2)"), BySequence());
  EXPECT_EQ(Table("id, status"), (Lines{"1|now", "2|x"}));
}

TEST_P(RowStoresTest, MergeDeletes) {
  MergeSpec spec = BySequence();
  spec.delete_when = "status = 'deleted'";
  Merged(Target(kOrders), Orders("(1, 'a', 1, 1), (2, 'a', 1, 1), (3, 'deleted', 1, 1)"), spec);
  EXPECT_EQ(Table("id"), (Lines{"1", "2"}));
  const auto change = Merged(Target(kOrders), Orders("(1, 'deleted', 2, 2)"), spec);
  EXPECT_EQ(change.counts.deleted, 1);
  EXPECT_EQ(Table("id"), (Lines{"2"}));
  EXPECT_TRUE(Must(Merge(Target(kOrders), Orders("(1, 'deleted', 2, 3)"), spec)).empty);
}

TEST_P(RowStoresTest, AnOlderRowThatComesLateDoesNotBringADeletedKeyBack) {
  MergeSpec spec = BySequence();
  spec.delete_when = "status = 'deleted'";
  Merged(Target(kOrders), Orders("(1, 'new', 1, 1), (2, 'new', 1, 1), (7, 'deleted', 5, 1)"), spec);
  auto change = Merged(Target(kOrders), Orders("(1, 'deleted', 5, 2)"), spec);
  EXPECT_EQ(change.counts.deleted, 1);
  change = Merged(Target(kOrders), Orders("(1, 'late', 4, 3), (7, 'late', 2, 3), (2, 'paid', 9, 3)"), spec);
  EXPECT_EQ(change.counts.older, 2);
  EXPECT_EQ(Table("id, status"), (Lines{"2|paid"}));
  // Told again, the delete is nothing new; another row of its sequence contradicts it.
  EXPECT_TRUE(Must(Merge(Target(kOrders), Orders("(1, 'deleted', 5, 4), (1, 'deleted', 3, 4)"), spec)).empty);
  const auto tie = Merge(Target(kOrders), Orders("(1, 'tied', 5, 4)"), spec);
  ASSERT_FALSE(tie.has_value());
  EXPECT_EQ(tie.error().code, "ambiguous-sequence");
  // A younger row does bring it back, and a younger delete takes it away again.
  EXPECT_EQ(Merged(Target(kOrders), Orders("(1, 'again', 6, 5)"), spec).counts.added, 1);
  EXPECT_EQ(Merged(Target(kOrders), Orders("(1, 'deleted', 8, 6)"), spec).counts.deleted, 1);
  EXPECT_EQ(Merged(Target(kOrders), Orders("(1, 'late', 7, 7), (9, 'x', 1, 7)"), spec).counts.older, 1);
  EXPECT_EQ(Table("id, status"), (Lines{"2|paid", "9|x"}));
}

TEST_P(RowStoresTest, ManyBatchesOfDeletesKeepFewFiles) {
  MergeSpec spec = BySequence();
  spec.delete_when = "status = 'deleted'";
  for (int i = 0; i < 20; ++i) Merged(Target(kOrders), Orders(fmt::format("({}, 'deleted', 5, {})", i, i)), spec);
  const auto snapshot = Must(delta::LoadSnapshot(lake_.store(), kRoot));
  EXPECT_LE(std::ranges::count(snapshot.domains.at("sluice.tombstones").configuration, '{'), 17);
  EXPECT_EQ(Must(Merge(Target(kOrders), Orders("(0, 'late', 4, 30), (19, 'late', 4, 30)"), spec)).counts.older, 2);
}

TEST_P(RowStoresTest, MergeDeletesMissingKeysOfASnapshot) {
  MergeSpec spec = BySequence();
  spec.delete_missing = true;
  Merged(Target(kOrders), Orders("(1, 'a', 1, 1), (2, 'a', 1, 1)"), spec);
  const auto change = Merged(Target(kOrders), Orders("(2, 'a', 1, 2), (3, 'a', 1, 2)"), spec);
  EXPECT_EQ(change.counts.deleted, 1);
  EXPECT_EQ(Table("id, _batch_id"), (Lines{"2|1", "3|2"}));
}

TEST_P(RowStoresTest, MergeByArrivalLetsTheLaterBatchWin) {
  MergeSpec spec;
  spec.key = {"id"};
  Merged(Target(kOrders), Orders("(1, 'a', 5, 1)"), spec);
  Merged(Target(kOrders), Orders("(1, 'b', 1, 2)"), spec);
  EXPECT_EQ(Table("status"), (Lines{"b"}));
  EXPECT_EQ(Merge(Target(kOrders), Orders("(1, 'c', 1, 2), (1, 'd', 1, 2)"), spec).error().code, "ambiguous-sequence");
}

TEST_P(RowStoresTest, MergeUpdatesOnlyTheNamedColumns) {
  const std::string schema = "id: bigint, a: string, b: string, at: bigint, _batch_id: bigint";
  const auto rows = [](const std::string& values) {
    return "SELECT id::BIGINT AS id, a, b, \"at\"::BIGINT AS \"at\", n::BIGINT AS _batch_id FROM (VALUES " + values +
           ") v(id, a, b, \"at\", n)";
  };
  MergeSpec spec = BySequence();
  spec.update = {"b"};
  Merged(Target(schema), rows("(1, 'x', 'x', 1, 1)"), spec);
  Merged(Target(schema), rows("(1, 'y', 'y', 2, 2)"), spec);
  EXPECT_EQ(Table(), (Lines{"1|x|y|2|2"}));
  EXPECT_TRUE(Must(Merge(Target(schema), rows("(1, 'z', 'y', 2, 3)"), spec)).empty);
}

TEST_P(RowStoresTest, MergeOverPartitionsAndEvolution) {
  const auto first = Target("id: bigint, c: string, at: bigint", {"c"});
  Merged(first, "SELECT range AS id, 'c' || (range % 3) AS c, 1::BIGINT AS \"at\" FROM range(30)", BySequence());
  const auto second = Target("id: bigint, c: string, at: bigint, extra: string", {"c"});
  const auto change = Merged(second, "SELECT 4::BIGINT AS id, 'moved' AS c, 2::BIGINT AS \"at\", 'e' AS extra", BySequence());
  EXPECT_EQ(change.counts.changed, 1);
  EXPECT_EQ(change.removed_paths.size(), 1u);
  EXPECT_EQ(Table("count(*), count(extra)"), (Lines{"30|1"}));
  EXPECT_EQ(Table("id, c, extra", "id = 4"), (Lines{"4|moved|e"}));
}

TEST_F(ChangeTest, ParametersReachTheSource) {
  const auto change = Must(
      StageMerge(Target(kOrders), lake_.connection(),
                 {"SELECT 1::BIGINT AS id, $name AS status, 1::BIGINT AS \"at\", 1::BIGINT AS _batch_id", {{"name", "string", "it's"}}},
                 BySequence(), Options()));
  Commit(change);
  EXPECT_EQ(Table("status"), (Lines{"it's"}));
}

TEST_P(RowStoresTest, IntervalReplacesExactlyItsWindows) {
  const std::string schema = "day: date, n: bigint";
  const auto days = [](const std::string& n) {
    return "SELECT DATE '2024-01-01' + range::INTEGER AS day, " + n + "::BIGINT AS n FROM range(10)";
  };
  const auto stage = [&](const std::string& sql, std::vector<Window> windows) {
    return StageInterval(Target(schema), lake_.connection(), {sql, {}}, {"day", std::move(windows)}, Options());
  };
  Commit(Must(stage(days("1"), {{"2024-01-01", "2024-01-11"}})));
  const auto target = Target(schema);
  const auto change =
      Must(stage(days("2") + " WHERE range < 2 OR range = 5", {{"2024-01-01", "2024-01-04"}, {"2024-01-06", "2024-01-07"}}));
  EXPECT_EQ(change.counts.removed, 4);
  EXPECT_EQ(change.counts.added, 3);
  CommitAsScanned(target, change);
  EXPECT_EQ(Table(), (Lines{"2024-01-01|2", "2024-01-02|2", "2024-01-04|1", "2024-01-05|1", "2024-01-06|2", "2024-01-07|1", "2024-01-08|1",
                            "2024-01-09|1", "2024-01-10|1"}));
  const auto outside = stage(days("3"), {{"2024-01-01", "2024-01-04"}});
  ASSERT_FALSE(outside.has_value());
  EXPECT_EQ(outside.error().code, "row-outside-window");
  EXPECT_NE(outside.error().message.find("2024-01-04"), std::string::npos) << outside.error().message;
  EXPECT_EQ(stage("SELECT NULL::DATE AS day, 1::BIGINT AS n", {{"2024-01-01", "2024-01-04"}}).error().code, "row-outside-window");
  EXPECT_TRUE(Must(stage(days("3") + " WHERE false", {{"2030-01-01", "2030-01-04"}})).empty);
}

TEST_F(ChangeTest, HistoryTellsEachCommit) {
  Commit(Append(Target("id: bigint"), "SELECT range AS id FROM range(5)"));
  Commit(Must(StageOverwrite(Target("id: bigint"), *lake_.Read("SELECT 9::BIGINT AS id"), {}, Options())));
  const auto history = Must(History(lake_.store(), "silver/t"));
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].version, 1);
  EXPECT_EQ(history[0].operation, "WRITE");
  EXPECT_EQ(history[0].files_removed, 1);
  EXPECT_EQ(history[1].rows_added, 5);
  EXPECT_TRUE(history[1].schema_changed);
  // A time copied from the history is the time that the version is found by.
  for (const auto& entry : history)
    EXPECT_EQ(Must(delta::VersionAt(lake_.store(), "silver/t", Instant{entry.timestamp * 1000})), entry.version);
  EXPECT_EQ(Must(History(lake_.store(), "silver/t", 1)).size(), 1u);
  const auto summary = Summarise(Must(delta::LoadSnapshot(lake_.store(), "silver/t")));
  EXPECT_EQ(summary.rows, 1);
  EXPECT_EQ(summary.files, 1);
}

}  // namespace
}  // namespace sluice::tables
