// Tables computed from each other's staged rows within one batch.
#include <gtest/gtest.h>

#include "state/toy_lake.h"

namespace sluice::state::toy {
namespace {

// A blind append to `table` of one file, on its present version.
TableChange AppendTo(World& world, const BatchLog& log, int table, const std::string& name) {
  const auto snapshot = delta::LoadSnapshot(*world.lake, kRoots[table]).value();
  EXPECT_TRUE(world.lake->Put(kRoots[table] + "/" + name, name));
  delta::PreparedCommit commit{.table_id = snapshot.metadata.id, .read_version = snapshot.version, .operation = "WRITE"};
  commit.actions.emplace_back(delta::Add{.path = name, .size = static_cast<int64_t>(name.size())});
  return MakeChange(log.identity(), kRoots[table], kRoots[table], std::move(commit), &snapshot);
}

struct Group {
  World world{Kind::kGroup};
  std::optional<BatchLog> log;
  std::vector<size_t> redone;

  Group() {
    RunToRest(world);
    log.emplace(*world.lake, world.clock, world.random, NodeIdentity{.project = kProject, .node = kNode, .run_id = "group"});
  }

  // Appends to both tables; T1's rows computed from T0's, or not.
  int64_t Decide(std::vector<size_t> depends_on) {
    const NodeState state = log->Load().value();
    const OpenRecord open = log->Open(state, {}).value();
    ReadyRecord ready{.n = open.n, .attempt = open.attempt, .changes = {}};
    ready.changes.push_back(AppendTo(world, *log, 0, "first.parquet"));
    ready.changes.push_back(AppendTo(world, *log, 1, "second.parquet"));
    ready.changes.back().depends_on = std::move(depends_on);
    EXPECT_TRUE(log->Decide(state, ready));
    return open.n;
  }

  Result<DoneRecord> Finish(int64_t n) {
    return log->Finish(n, [this](const ReadyRecord&, const std::vector<size_t>& redo) -> Result<Repreparation> {
      redone = redo;
      Repreparation again;
      for (const size_t i : redo)
        again.changes.push_back(AppendTo(world, *log, static_cast<int>(i), i == 0 ? "first-2.parquet" : "second-2.parquet"));
      return again;
    });
  }
};

TEST(PublishGroup, WhatOthersWereComputedFromIsNeverRebased) {
  Group group;
  const int64_t n = group.Decide({0});
  ForeignAppend(group.world, 0);
  ASSERT_TRUE(group.Finish(n));
  EXPECT_EQ(group.redone, (std::vector<size_t>{0, 1}));
  const auto rows = Rows(group.world, 1);
  EXPECT_TRUE(std::find(rows.begin(), rows.end(), "second-2.parquet") != rows.end());
  EXPECT_TRUE(std::find(rows.begin(), rows.end(), "second.parquet") == rows.end());
}

TEST(PublishGroup, AnIndependentAppendIsRebased) {
  Group group;
  const int64_t n = group.Decide({});
  ForeignAppend(group.world, 0);
  ASSERT_TRUE(group.Finish(n));
  EXPECT_TRUE(group.redone.empty());
}

TEST(PublishGroup, StateKnowsTheVersionsThatWereCommitted) {
  Group group;
  const int64_t before = delta::LoadSnapshot(*group.world.lake, kRoots[0]).value().version;
  ASSERT_TRUE(group.Finish(group.Decide({0})));
  ForeignAppend(group.world, 0);
  EXPECT_EQ(group.log->Load()->prepared_for.at(kRoots[0]), before + 1);
}

}  // namespace
}  // namespace sluice::state::toy
