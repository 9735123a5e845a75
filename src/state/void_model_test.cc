// The counterexamples of the protocol's exhaustive model (see batch_model_test.cc) about changes that a foreign commit voids: they are
// prepared again, by whoever comes first, or the batch is abandoned.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "state/record_store.h"
#include "state/traces.h"

namespace sluice::state::toy {
namespace {

TEST(Counterexample, Cx03_AVoidIngestIsPreparedFromItsStagedRowsNotFromTheSource) {
  World world = AfterFirstBatch(Kind::kIngest, 2, 1);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(0, 1), [&] {
                                world.end = 4;  // record 3 appears, contents change, and T0's entry becomes void
                                world.flavour = 1;
                                ForeignConflict(world, 0);
                              }));
  EXPECT_TRUE(a.result) << Said(a.result);
  EXPECT_EQ(HighestReady(world, 2)->k, 2);
  EXPECT_EQ(HighestReady(world, 2)->cursor, "3");
  RunToRest(world);
  ExpectExactlyOnce(world, "cx03");
}

TEST(Counterexample, Cx12_TwoRunsThatPrepareAgainFollowTheOneThatWasFirst) {
  World world = AfterFirstBatch(Kind::kGroup);
  // Both find T0 void. A is about to put ready.2; B puts its own ready.2, commits T0 with it, and dies.
  const int64_t put = [] {
    World same = AfterFirstBatch(Kind::kGroup);
    ForeignConflict(same, 0);
    return NumberOf(std::move(same), OperationKind::kPutIfAbsent, LogFile(0, 2));
  }();
  store::FaultyOptions options = Before(OperationKind::kPutIfAbsent, LogFile(0, 1), [&] { ForeignConflict(world, 0); });
  const auto conflict_first = options.before;
  const auto b_comes = Before(OperationKind::kPutIfAbsent, ".ready.2", [&] {
                         (void)RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(1, 1), [] {}));
                       }).before;
  options.before = [=](const Operation& operation) {
    conflict_first(operation);
    b_comes(operation);
  };
  const RunReport a = RunWith(world, std::move(options));
  EXPECT_GT(put, 0);
  EXPECT_TRUE(a.result) << Said(a.result);
  EXPECT_EQ(HighestReady(world, 2)->k, 2);
  RunToRest(world);
  ExpectExactlyOnce(world, "cx12");
}

TEST(Counterexample, Cx12_WithTheWinnerDyingAtEveryPoint) {
  for (int64_t death = 1; death < 60; ++death) {
    World world = AfterFirstBatch(Kind::kGroup);
    const auto conflict = Before(OperationKind::kPutIfAbsent, LogFile(0, 1), [&] { ForeignConflict(world, 0); }).before;
    const auto b_comes = Before(OperationKind::kPutIfAbsent, ".ready.2", [&] {
                           (void)RunWith(world, {.faults = {{.at = death, .kind = FaultKind::kKillAfter}}});
                         }).before;
    const RunReport a = RunWith(world, {.before = [=](const Operation& operation) {
                                  conflict(operation);
                                  b_comes(operation);
                                }});
    EXPECT_TRUE(a.result) << death << ": " << Said(a.result);
    RunToRest(world);
    ExpectExactlyOnce(world, fmt::format("cx12, B died after {}", death));
  }
}

TEST(Counterexample, Cx13_WhatWasComputedFromAVoidChangeIsPreparedAgainWithIt) {
  World world = AfterFirstBatch(Kind::kGroup);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(0, 1), [&] { ForeignConflict(world, 0); }));
  EXPECT_TRUE(a.result) << Said(a.result);
  const ReadyRecord first = ReadReady(*world.lake, kNode, 2, 1).value(), second = ReadReady(*world.lake, kNode, 2, 2).value();
  EXPECT_NE(first.changes[0].commit, second.changes[0].commit);
  EXPECT_NE(first.changes[1].commit, second.changes[1].commit);  // T1 too, though nobody touched T1
  EXPECT_EQ(first.cursor, second.cursor);
  EXPECT_EQ(first.inputs, second.inputs);
  ExpectExactlyOnce(world, "cx13");
}

TEST(Counterexample, Cx13_WhatIsCommittedOrIndependentStaysAsItWas) {
  World world = AfterFirstBatch(Kind::kIngest);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(1, 1), [&] { ForeignConflict(world, 1); }));
  EXPECT_TRUE(a.result) << Said(a.result);
  const ReadyRecord first = ReadReady(*world.lake, kNode, 2, 1).value(), second = ReadReady(*world.lake, kNode, 2, 2).value();
  EXPECT_EQ(first.changes[0], second.changes[0]);
  EXPECT_NE(first.changes[1], second.changes[1]);
  ExpectExactlyOnce(world, "cx13");
}

TEST(Counterexample, Cx14_AFailedCheckOfARepreparationAbandonsTheBatchAndTheNextRollsItBack) {
  World world = AfterFirstBatch(Kind::kGroup);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(1, 1), [&] {  // T0 is committed by then
                                ForeignConflict(world, 1);
                                world.bad_checks = true;
                              }));
  EXPECT_TRUE(a.result) << Said(a.result);
  EXPECT_TRUE(ReadDone(*world.lake, kNode, 2)->abandoned);
  EXPECT_EQ(Runner(world, *world.lake).log().Load()->abandoned, true);
  EXPECT_EQ(Rows(world, 1), (std::vector<std::string>{"0", "1"}));  // T1 got no rows, only the txn
  EXPECT_EQ(delta::LoadSnapshot(*world.lake, kRoots[1])->TxnVersion(kProject + "/" + kNode), 2);
  world.bad_checks = false;

  const NodeState rolled_back = Runner(world, *world.lake).log().Recover(Runner(world, *world.lake).reprepare()).value();
  EXPECT_EQ(rolled_back.last_done, 3);
  EXPECT_EQ(rolled_back.cursor, "2");
  EXPECT_EQ(Rows(world, 0), (std::vector<std::string>{"0", "1"}));  // as before batch 2, from a copy
  RunToRest(world);
  for (const int table : {0, 1}) EXPECT_EQ(Rows(world, table), (std::vector<std::string>{"0", "1", "2", "3"}));
}

TEST(Counterexample, Cx14_KilledAnywhereOnThatWay) {
  for (const Kind kind : {Kind::kIngest, Kind::kGroup}) {
    for (int64_t death = 20; death < 120; death += 2) {
      World world = AfterFirstBatch(kind);
      store::FaultyOptions options = Before(OperationKind::kPutIfAbsent, LogFile(1, 1), [&] {
        ForeignConflict(world, 1);
        world.bad_checks = true;
      });
      options.faults = {{.at = death, .kind = FaultKind::kKillAfter}};
      (void)RunWith(world, std::move(options));
      (void)RunWith(world, {.faults = {{.at = death / 2, .kind = FaultKind::kKillAfter}}});
      world.bad_checks = false;
      RunToRest(world);
      std::vector<std::string> all = Rows(world, 0);
      if (kind == Kind::kIngest) {
        const auto more = Rows(world, 1);
        all.insert(all.end(), more.begin(), more.end());
        std::sort(all.begin(), all.end());
      } else {
        EXPECT_EQ(Rows(world, 1), all) << death;
      }
      EXPECT_EQ(all, (std::vector<std::string>{"0", "1", "2", "3"})) << death;
    }
  }
}

}  // namespace
}  // namespace sluice::state::toy
