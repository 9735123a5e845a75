// The changes of versions after every kind of commit.
#include "tables/changes.h"

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "tables/dml.h"
#include "tables/optimize.h"
#include "tables/restore.h"
#include "tables/table_fixture.h"

namespace sluice::tables {
namespace {

constexpr const char* kSchema = "id: bigint, v: string, p: string";

class ChangesTest : public TableTest, public ::testing::WithParamInterface<bool> {
 protected:
  ChangesTest() { deletion_vectors_ = GetParam(); }
  TableTarget Kept(bool keeps = true) {
    TableTarget target = Target(kSchema, {"p"});
    if (keeps) target.properties["delta.enableChangeDataFeed"] = "true";
    return target;
  }
  void Fill(const std::string& values, bool keeps = true) {
    Commit(Append(Kept(keeps), "SELECT id::BIGINT AS id, v::VARCHAR AS v, p::VARCHAR AS p FROM (VALUES " + values + ") t(id, v, p)"));
  }
  Lines Told(int64_t from, int64_t to) {
    const Changes changes = Must(ChangesFor(lake_.store(), kRoot, from, to));
    EXPECT_EQ(changes.why_not, "");
    return lake_.Rows("SELECT _commit_version, _change_type, id, v, p FROM " + changes.scan->sql);
  }
  size_t ChangeFiles() { return Must(lake_.store().List("silver/t/_change_data/")).size(); }
};

INSTANTIATE_TEST_SUITE_P(Tables, ChangesTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("DeletionVectors") : std::string("Rewritten"); });

TEST_P(ChangesTest, EveryKindOfCommitTellsItsRows) {
  Fill("(1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', NULL)");
  EXPECT_EQ(ChangeFiles(), 0u);  // an insert needs none
  Commit(Must(StageUpdate(Target(""), lake_.connection(), {{"v", "'B'"}}, "id = 2", Options())));
  EXPECT_EQ(ChangeFiles(), 1u);
  Commit(Must(StageDelete(Target(""), lake_.connection(), "id = 1", Options())));
  MergeSpec spec;
  spec.key = {"id"};
  Commit(
      Must(StageMerge(Kept(), lake_.connection(),
                      {"SELECT * FROM (VALUES (2::BIGINT, 'bb', 'y'), (9, 'n', 'x'), (3, 'c', NULL)) t(id, v, p)", {}}, spec, Options())));
  EXPECT_EQ(Told(0, 0), (Lines{"0|insert|1|a|x", "0|insert|2|b|y", "0|insert|3|c|-"}));
  EXPECT_EQ(Told(1, 1), (Lines{"1|update_postimage|2|B|y", "1|update_preimage|2|b|y"}));
  EXPECT_EQ(Told(2, 3), (Lines{"2|delete|1|a|x", "3|insert|9|n|x", "3|update_postimage|2|bb|y", "3|update_preimage|2|B|y"}));
  EXPECT_EQ(Told(0, 3).size(), 9u);
  EXPECT_EQ(Table(), (Lines{"2|bb|y", "3|c|-", "9|n|x"}));
}

TEST_P(ChangesTest, OverwriteAndRestoreAreDeletesAndInserts) {
  Fill("(1, 'a', 'x'), (2, 'b', 'y')");
  Commit(Must(StageOverwrite(Kept(), *lake_.Read("SELECT 7::BIGINT AS id, 'g' AS v, 'x' AS p"), {}, Options())));
  EXPECT_EQ(Told(1, 1), (Lines{"1|delete|1|a|x", "1|delete|2|b|y", "1|insert|7|g|x"}));
  Commit(Must(StageRestore(Target(""), 0, Options())));
  EXPECT_EQ(Told(2, 2), (Lines{"2|delete|7|g|x", "2|insert|1|a|x", "2|insert|2|b|y"}));
}

TEST_P(ChangesTest, RestoreOfMarkedRowsTellsOnlyThese) {
  Fill("(1, 'a', 'x'), (2, 'b', 'x'), (3, 'c', 'x')");
  Commit(Must(StageDelete(Target(""), lake_.connection(), "id = 2", Options())));
  Commit(Must(StageRestore(Target(""), 0, Options())));
  const Lines told = Told(2, 2);
  if (GetParam()) {
    EXPECT_EQ(told, (Lines{"2|insert|2|b|x"}));
  } else {
    EXPECT_EQ(told.size(), 5u);
  }
}

TEST_P(ChangesTest, OptimizeTellsNothing) {
  Fill("(1, 'a', 'x')");
  Fill("(2, 'b', 'x')");
  Commit(Must(StageOptimize(Target(""), lake_.connection(), {}, Options())));
  EXPECT_TRUE(Told(2, 2).empty());
  EXPECT_EQ(Told(0, 2).size(), 2u);
}

TEST_P(ChangesTest, ColumnsThatCameLaterAreNullBefore) {
  Fill("(1, 'a', 'x')");
  TableTarget target = Target(std::string(kSchema) + ", w: bigint", {"p"});
  Commit(Append(target, "SELECT 2::BIGINT AS id, 'b' AS v, 'y' AS p, 5::BIGINT AS w"));
  const Changes changes = Must(ChangesFor(lake_.store(), kRoot, 0, 1, std::vector<std::string>{"id", "w"}));
  EXPECT_EQ(lake_.Rows("SELECT id, w, _commit_version FROM " + changes.scan->sql), (Lines{"1|-|0", "2|5|1"}));
  EXPECT_TRUE(changes.only_inserts);
}

TEST_P(ChangesTest, WhatACommitTakesAndBringsAgainIsNoChangeOfIt) {
  TableTarget target = Kept();
  target.schema.fields.push_back({"_run_id", contract::DataType::Of(contract::TypeKind::kString)});
  const auto rows = [](const std::string& values, const char* run) {
    return "SELECT id::BIGINT AS id, v::VARCHAR AS v, p::VARCHAR AS p, '" + std::string(run) + "' AS _run_id FROM (VALUES " + values +
           ") t(id, v, p)";
  };
  Commit(Append(target, rows("(1, 'a', 'x'), (1, 'a', 'x'), (2, NULL, 'y')", "r1")));
  target.snapshot = Must(delta::LoadSnapshot(lake_.store(), kRoot));
  Commit(Must(
      StageOverwrite(target, *lake_.Read(rows("(1, 'a', 'x'), (2, NULL, 'y'), (3, 'c', NULL), (3, 'c', NULL)", "r2")), {}, Options())));
  const delta::Snapshot now = Must(delta::LoadSnapshot(lake_.store(), kRoot));
  const Changes changes = Must(ChangesIn(lake_.store(), kRoot, {now, Must(delta::ReadCommits(lake_.store(), kRoot, 0)).commits, {}}));
  EXPECT_EQ(lake_.Rows("SELECT _commit_version, _change_type, id, v, p, _run_id FROM " + changes.scan->sql),
            (Lines{"1|delete|1|a|x|r1", "1|insert|3|c|-|r2", "1|insert|3|c|-|r2"}));
  EXPECT_FALSE(changes.only_inserts);
}

TEST_P(ChangesTest, ACommitThatIsOnlyStagedTellsItsRowsToo) {
  Fill("(1, 'a', 'x'), (2, 'b', 'y')");
  const delta::Snapshot before = Must(delta::LoadSnapshot(lake_.store(), kRoot));
  const StagedChange change = Must(StageUpdate(Target(""), lake_.connection(), {{"v", "'B'"}}, "id = 2", Options()));
  const delta::LogCommit staged{1, change.commit.actions};
  const delta::Snapshot after = Must(delta::Preview(&before, staged));
  const Changes changes = Must(ChangesIn(lake_.store(), kRoot, {after, {staged}, 86'400'000}));
  EXPECT_EQ(lake_.Rows("SELECT _commit_version, _change_type, id, v, _commit_timestamp FROM " + changes.scan->sql),
            (Lines{"1|update_postimage|2|B|1970-01-02 00:00:00+00", "1|update_preimage|2|b|1970-01-02 00:00:00+00"}));
}

TEST_P(ChangesTest, SaysWhyNot) {
  Fill("(1, 'a', 'x'), (2, 'b', 'x')", false);
  EXPECT_EQ(Told(0, 0).size(), 2u);
  Commit(Must(StageDelete(Target(""), lake_.connection(), "id = 2", Options())));
  EXPECT_NE(Must(ChangesFor(lake_.store(), kRoot, 0, 1)).why_not.find("kept no change data"), std::string::npos);
  Must(lake_.store().Delete("silver/t/" + Must(delta::LoadSnapshot(lake_.store(), kRoot, 0)).files.begin()->path));
  if (!GetParam()) {
    EXPECT_NE(Must(ChangesFor(lake_.store(), kRoot, 0, 0)).why_not.find("VACUUM"), std::string::npos);
  }
  EXPECT_EQ(ChangesFor(lake_.store(), kRoot, 2, 1).error().code, "bad-range");
}

}  // namespace
}  // namespace sluice::tables
