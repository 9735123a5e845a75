// The counterexamples of the protocol's exhaustive model (docs/exactly-once.md), played against the real code: the natural
// readings of the rules that turned out wrong. Each test is the trace that broke the wrong reading, with the same two runs, faults
// and foreign writers; its name carries the model's number. T0, T1: the batch's first and second table.
#include <gtest/gtest.h>

#include "state/record_store.h"
#include "state/traces.h"

namespace sluice::state::toy {
namespace {

TEST(Counterexample, Cx01_AStaleRunCannotSetTheCursorBack) {
  World world(Kind::kIngest, 1);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, kDone, [&] {
                                RunToRest(world);  // B finishes batch 1 …
                                world.end = 3;
                                RunToRest(world);  // … and does batch 2
                              }));
  EXPECT_TRUE(a.result) << Said(a.result);
  EXPECT_EQ(Runner(world, *world.lake).log().Load()->cursor, "3");
  world.end = 4;
  RunToRest(world);  // batch 3 begins behind batch 2
  ExpectExactlyOnce(world, "cx01");
  EXPECT_EQ(Runner(world, *world.lake).log().Load()->last_done, 3);
}

TEST(Counterexample, Cx02_ATableWithoutRowsGetsNoCommitAndStopsNothing) {
  World world(Kind::kIngest, 1);
  RunToRest(world);  // record 0 is quarantined: bronze is not made
  EXPECT_EQ(delta::LoadSnapshotIfExists(*world.lake, kRoots[1])->has_value(), false);
  world.end = 2;
  RunToRest(world);  // record 1 goes to bronze: its first txn is 2
  world.end = 3;
  RunToRest(world);
  EXPECT_EQ(Commits(world, 0).size(), 2u);  // batches 1 and 3
  EXPECT_EQ(Commits(world, 1).size(), 1u);
  ExpectExactlyOnce(world, "cx02");
}

TEST(Counterexample, Cx04_AnOpenWithoutAnswerIsNotMine) {
  for (const FaultKind kind : {FaultKind::kLoseAnswer, FaultKind::kLoseRequest}) {
    World world(Kind::kIngest, 1);
    const int64_t open = NumberOf(World(Kind::kIngest, 1), OperationKind::kPutIfAbsent, ".1.open");
    store::FaultyOptions options = Before(OperationKind::kPutIfAbsent, kReady, [&] {
      // B has taken 1.1 too (or finds it taken), staged other contents, and decided.
      world.end = 2;
      world.flavour = 1;
      RunToRest(world);
    });
    options.faults = {{.at = open, .kind = kind}};
    const RunReport a = RunWith(world, std::move(options));
    EXPECT_EQ(Said(a.result), "batch 1.2 was another's");
    ExpectExactlyOnce(world, "cx04");
    EXPECT_NE(HighestReady(world, 1)->attempt, 2);
  }
}

TEST(Counterexample, Cx05_BatchNumbersDoNotComeFromATxnThatExpires) {
  World world(Kind::kIngest, 2);
  RunToRest(world);
  ForgetTransactions(world, 0);
  ForgetTransactions(world, 1);
  RunToRest(world);  // nothing to do: the records say so
  EXPECT_EQ(Runner(world, *world.lake).log().Load()->last_done, 1);
  world.end = 4;
  RunToRest(world);
  ExpectExactlyOnce(world, "cx05", false);
  EXPECT_EQ(Runner(world, *world.lake).log().Load()->last_done, 2);
}

TEST(Counterexample, Cx06_ATableDroppedAndMadeAgainStopsTheNode) {
  World world = AfterFirstBatch(Kind::kIngest);
  DropAndMakeAgain(world, 0);
  const Status stopped = TryRunToRest(world);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, "table-replaced");
  EXPECT_FALSE(stopped.error().hint.empty());
  EXPECT_EQ(Commits(world, 0).size(), 1u);  // only the stranger's: none of ours names files that went with the drop
}

TEST(Counterexample, Cx06_ATableDroppedAfterTheDecisionStopsTheNodeToo) {
  for (const bool again : {true, false}) {
    World world = AfterFirstBatch(Kind::kIngest);
    const int64_t ready = NumberOf(AfterFirstBatch(Kind::kIngest), OperationKind::kPutIfAbsent, kReady);
    (void)RunWith(world, {.faults = {{.at = ready, .kind = FaultKind::kKillAfter}}});
    if (again) {
      DropAndMakeAgain(world, 0);
    } else {
      const auto objects = world.lake->List(kRoots[0] + "/").value();
      for (const auto& object : objects) ASSERT_TRUE(world.lake->Delete(object.key));
    }
    const Status stopped = TryRunToRest(world);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, again ? "table-replaced" : "table-dropped");
    EXPECT_EQ(Commits(world, 0).size(), again ? 1u : 0u);
  }
}

TEST(Counterexample, Cx07_ACreationIsNeverRebasedOnAForeignTable) {
  World world(Kind::kIngest, 2);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(0, 0), [&] { ForeignAppend(world, 0); }));
  EXPECT_TRUE(a.result) << Said(a.result);
  ExpectExactlyOnce(world, "cx07");
  const delta::Snapshot table = delta::LoadSnapshot(*world.lake, kRoots[0]).value();
  EXPECT_EQ(table.metadata.id, "foreign-id-1");  // its metadata stands: ours was prepared again as an append
  EXPECT_EQ(Rows(world, 0), (std::vector<std::string>{"0", "f0"}));
  EXPECT_EQ(HighestReady(world, 1)->k, 2);
}

TEST(Counterexample, Cx08_ACommittedTableWhoseTxnExpiredIsNotCommittedAgain) {
  World world(Kind::kIngest, 2);
  // Killed after T0's commit, before T1's.
  const int64_t put = NumberOf(World(Kind::kIngest, 2), OperationKind::kPutIfAbsent, LogFile(0, 0));
  (void)RunWith(world, {.faults = {{.at = put, .kind = FaultKind::kKillAfter}}});
  ForgetTransactions(world, 0);
  EXPECT_TRUE(delta::LoadSnapshot(*world.lake, kRoots[0])->txns.empty());
  RunToRest(world);
  ExpectExactlyOnce(world, "cx08", false);
}

TEST(Counterexample, Cx08_IfThatLogIsGoneTooTheNodeStops) {
  World world(Kind::kIngest, 2);
  const int64_t put = NumberOf(World(Kind::kIngest, 2), OperationKind::kPutIfAbsent, LogFile(0, 0));
  (void)RunWith(world, {.faults = {{.at = put, .kind = FaultKind::kKillAfter}}});
  ForgetTransactions(world, 0);
  ASSERT_TRUE(world.lake->Delete(LogFile(0, 0)));
  const Status stopped = TryRunToRest(world);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, "log-gone");
  EXPECT_EQ(Rows(world, 0), (std::vector<std::string>{"0", "f0"}));  // not twice
}

TEST(Counterexample, Cx09_APutIntoACleanedSlotIsNotBelieved) {
  World world(Kind::kGroup, 1);
  // While A is about to put T1/0, a stranger makes T1, goes on, and the log before its checkpoint is cleaned away: A's put of
  // 0.json succeeds, and no reader will ever see it.
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(1, 0), [&] {
                                ForeignAppend(world, 1);
                                ForeignAppend(world, 1);
                                CleanLog(world, 1);
                              }));
  ASSERT_FALSE(a.result);  // the log since cannot be had, nor can a txn: a person must look
  EXPECT_EQ(a.result.error().code, "log-gone");
  EXPECT_FALSE(ListBatch(*world.lake, kNode, 1)->done);
  EXPECT_EQ(Rows(world, 1), (std::vector<std::string>{"f0", "f1"}));
}

TEST(Counterexample, Cx09_InATableThatKnowsTheNodeItIsPutAgain) {
  World world = AfterFirstBatch(Kind::kIngest);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(1, 1), [&] {
                                ForeignAppend(world, 1);
                                ForeignAppend(world, 1);
                                CleanLog(world, 1);  // its checkpoint still holds the txn of batch 1
                              }));
  EXPECT_TRUE(a.result) << Said(a.result);
  ExpectExactlyOnce(world, "cx09", false);
  EXPECT_EQ(HighestReady(world, 2)->k, 2);  // part of the log was gone: void, and prepared again
}

TEST(Counterexample, Cx10_WhoeverFindsTheDoneRecordMissingWritesIt) {
  World world(Kind::kGroup, 1);
  const int64_t done = NumberOf(World(Kind::kGroup, 1), OperationKind::kPutIfAbsent, kDone);
  (void)RunWith(world, {.faults = {{.at = done, .kind = FaultKind::kKillBefore}}});
  EXPECT_FALSE(ListBatch(*world.lake, kNode, 1)->done);
  EXPECT_EQ(Commits(world, 1).size(), 1u);
  EXPECT_EQ(Said(RunWith(world).result), "nothing to do");
  EXPECT_TRUE(ListBatch(*world.lake, kNode, 1)->done);
  ExpectExactlyOnce(world, "cx10");
}

TEST(Counterexample, Cx11_NothingOfTheNextBatchIsWrittenBeforeDone) {
  World world(Kind::kGroup, 1);
  const int64_t done = NumberOf(World(Kind::kGroup, 1), OperationKind::kPutIfAbsent, kDone);
  (void)RunWith(world, {.faults = {{.at = done, .kind = FaultKind::kKillBefore}}});
  world.end = 2;
  bool next_began = false;
  const RunReport b = RunWith(world, {.before = [&](const Operation& operation) {
                                if (operation.kind != OperationKind::kPutIfAbsent || !operation.key.ends_with(".open")) return;
                                next_began = true;
                                EXPECT_TRUE(ListBatch(*world.lake, kNode, 1)->done);
                              }});
  EXPECT_TRUE(b.result) << Said(b.result);
  EXPECT_TRUE(next_began);
  ExpectExactlyOnce(world, "cx11");
  // Batch 1's record names the versions that hold batch 1, though both tables went on.
  const auto record = ReadDone(*world.lake, kNode, 1);
  for (const TableVersion& table : record->tables) EXPECT_EQ(table.version, 0);
}

TEST(Counterexample, Cx11_AStaleRunFindsDoneBeforeItLooksAtTablesThatWentOn) {
  World world(Kind::kGroup, 1);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, kDone, [&] {
                                RunToRest(world);
                                world.end = 2;
                                RunToRest(world);
                              }));
  EXPECT_TRUE(a.result) << Said(a.result);
  ExpectExactlyOnce(world, "cx11");
}

TEST(Counterexample, Cx20_ARollbackCoversEveryTableOfTheBatch) {
  World world = AfterFirstBatch(Kind::kIngest);  // records 2 and 3: one for each table
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(1, 1), [&] {
                                ForeignConflict(world, 1);
                                world.bad_checks = true;
                              }));
  EXPECT_TRUE(a.result) << Said(a.result);
  EXPECT_EQ(Rows(world, 0), (std::vector<std::string>{"0", "2"}));  // the quarantine's part is committed …
  world.bad_checks = false;
  RunToRest(world);  // … taken back, and batch 4 brings both
  EXPECT_EQ(Rows(world, 0), (std::vector<std::string>{"0", "2"}));
  EXPECT_EQ(Rows(world, 1), (std::vector<std::string>{"1", "3"}));
  EXPECT_EQ(Runner(world, *world.lake).log().Load()->last_done, 4);
}

TEST(Counterexample, Cx22_ARefreshIsTheNextBatchSoAStaleRunClosesNothingOfIt) {
  World world(Kind::kIngest, 2);
  const RunReport a = RunWith(
      world, Before(OperationKind::kPutIfAbsent, kDone, [&] {
        RunToRest(world);
        Runner b(world, *world.lake);  // the refresh: numbers go on, records stay
        const NodeState state = b.log().Recover(b.reprepare()).value();
        const OpenRecord open = b.log().Open(state, {.kind = kFullRefreshKind}).value();
        EXPECT_EQ(open.n, 2);
        ReadyRecord ready{.n = open.n, .attempt = open.attempt, .kind = kFullRefreshKind, .cursor = "0"};
        for (const std::string& root : kRoots) {
          const delta::Snapshot table = delta::LoadSnapshot(*world.lake, root).value();
          delta::PreparedCommit empty{.table_id = table.metadata.id, .read_version = table.version, .reads = delta::ReadScope::kWholeTable};
          for (const delta::Add& file : table.files)
            empty.actions.emplace_back(delta::Remove{.path = file.path, .deletion_timestamp = world.clock.Now().millis()});
          ready.changes.push_back(MakeChange(b.log().identity(), root, root, std::move(empty), &table));
        }
        EXPECT_TRUE(b.log().Decide(state, std::move(ready))->mine);  // and B dies here: only decided
      }));
  EXPECT_TRUE(a.result) << Said(a.result);  // A's done is of batch 1, which it is
  EXPECT_FALSE(ListBatch(*world.lake, kNode, 2)->done);
  RunToRest(world);  // empties the tables, and takes the source anew
  ExpectExactlyOnce(world, "cx22");
  EXPECT_EQ(Runner(world, *world.lake).log().Load()->last_done, 3);
}

TEST(Counterexample, Cx23_AConflictHiddenByALogCleanUpStillVoids) {
  World world = AfterFirstBatch(Kind::kGroup);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(0, 1), [&] {
                                ForeignConflict(world, 0);  // rewrites the files that the batch removes
                                ForeignAppend(world, 0);
                                CleanLog(world, 0);  // and the commit that did it is gone
                              }));
  EXPECT_TRUE(a.result) << Said(a.result);
  EXPECT_GE(HighestReady(world, 2)->k, 2);
  RunToRest(world);
  ExpectExactlyOnce(world, "cx23", false);
}

TEST(Counterexample, Rx24_ADropBetweenTheLookAndThePutIsNoticedAfterwards) {
  World world = AfterFirstBatch(Kind::kIngest);
  const RunReport a = RunWith(world, Before(OperationKind::kPutIfAbsent, LogFile(0, 1), [&] { DropAndMakeAgain(world, 0); }));
  ASSERT_FALSE(a.result);  // the put cannot be stopped, but the node stops and says so
  EXPECT_EQ(a.result.error().code, "table-replaced");
  EXPECT_FALSE(ListBatch(*world.lake, kNode, 2)->done);
}

// Not of the model, but of its text: a table that may forget its txns is refused.
TEST(Counterexample, ATableThatMayForgetItsTransactionsIsRefused) {
  World world = AfterFirstBatch(Kind::kIngest);
  delta::Snapshot table = delta::LoadSnapshot(*world.lake, kRoots[0]).value();
  delta::PreparedCommit commit{.table_id = table.metadata.id, .read_version = table.version, .operation = "SET TBLPROPERTIES"};
  table.metadata.configuration["delta.setTransactionRetentionDuration"] = "interval 1 days";
  commit.actions.emplace_back(table.metadata);
  ASSERT_TRUE(delta::Commit(*world.lake, kRoots[0], commit, {.commit_id = "x", .now = world.clock.Now(), .engine_info = "f"}, world.clock));
  EXPECT_EQ(TryRunToRest(world).error().code, "transaction-retention");
}

// A foreign VACUUM knows no records: a decision whose files it took must not be published.
TEST(Counterexample, ADecisionWhoseStagedFilesAreGoneIsNotCommitted) {
  World world(Kind::kIngest, 2);
  const int64_t ready = NumberOf(World(Kind::kIngest, 2), OperationKind::kPutIfAbsent, kReady);
  (void)RunWith(world, {.faults = {{.at = ready, .kind = FaultKind::kKillAfter}}});
  const auto staged = world.lake->List(kRoots[0] + "/").value();
  ASSERT_EQ(staged.size(), 1u);
  ASSERT_TRUE(world.lake->Delete(staged[0].key));
  EXPECT_EQ(TryRunToRest(world).error().code, "staged-file-missing");
  EXPECT_TRUE(Commits(world, 0).empty());
}

}  // namespace
}  // namespace sluice::state::toy
