// Rollbacks that a person asks for, played in the toy lake: killed, cut off, overtaken and voided at every store operation. What comes out
// is the state of the batch that was asked for, and what came since comes again, once.
#include "state/restore.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/text.h"
#include "state/ledger.h"
#include "state/record_store.h"
#include "state/rollback.h"
#include "state/traces.h"

namespace sluice::state::toy {
namespace {

using store::Fault;

// What `sluice rollback --to-batch n` does: once, through `lake`.
Result<std::string> RestoreOnce(World& world, store::ObjectStore& lake, int64_t n) {
  Runner runner(world, lake);
  BatchLog& log = runner.log();
  SLUICE_TRY(const NodeState state, log.Recover(runner.reprepare()));
  SLUICE_TRY(const auto then, ReadBatch(lake, kNode, n));
  if (state.cursor == then.second.cursor) return "nothing to do";
  RestoreTarget target{.batch = n, .tables = {}};
  for (const TableVersion& table : state.tables) {
    if (table.batch <= n) continue;
    const auto& tables = then.first.tables;
    const auto at = std::find_if(tables.begin(), tables.end(), [&](const TableVersion& one) { return one.root == table.root; });
    target.tables.push_back({table.table, table.root, at == tables.end() ? -1 : at->version});
  }
  SLUICE_TRY(const OpenRecord open, log.Open(state, {.kind = kRestoreKind, .inputs = InputsOfRestore(target)}));
  ReadyRecord ready{.n = open.n, .attempt = open.attempt, .kind = kRestoreKind, .changes = {}, .inputs = open.inputs};
  SLUICE_TRY(ready.changes,
             StageRestore(lake, world.clock, world.random, log.identity(), target, StagedFilePrefix(kNode, open.n, open.attempt)));
  ready.cursor = then.second.cursor;
  SLUICE_TRY(const Decision decision, log.Decide(state, std::move(ready)));
  SLUICE_CHECK(log.Finish(decision.ready.n, runner.reprepare()));
  return decision.mine ? "is mine" : "was another's";
}

RunReport RestoreWith(World& world, int64_t n, store::FaultyOptions options = {}) {
  store::FaultyStore store(*world.lake, std::move(options));
  auto result = RestoreOnce(world, store, n);
  store.LandLate();
  return {std::move(result), store.operations()};
}

// As often as it takes.
void RestoreToRest(World& world, int64_t n) {
  for (int i = 0; i < 5; ++i) {
    const auto result = RestoreOnce(world, *world.lake, n);
    ASSERT_TRUE(result) << Said(result);
    if (*result != "was another's") return;
  }
  FAIL() << "never restored";
}

// Two batches, of which the second is to be taken back.
World TwoBatches(Kind kind) {
  World world = AfterFirstBatch(kind);
  RunToRest(world);
  return world;
}

std::vector<std::string> WithoutForeign(std::vector<std::string> rows) {
  std::erase_if(rows, [](const std::string& row) { return row.starts_with("f"); });
  return rows;
}

std::vector<std::string> All(World& world) {
  std::vector<std::string> rows = WithoutForeign(Rows(world, 0));
  if (world.kind == Kind::kGroup) {
    EXPECT_EQ(rows, WithoutForeign(Rows(world, 1)));
    return rows;
  }
  const auto more = WithoutForeign(Rows(world, 1));
  rows.insert(rows.end(), more.begin(), more.end());
  std::sort(rows.begin(), rows.end());
  return rows;
}

const std::vector<std::string> kFirst{"0", "1"}, kBoth{"0", "1", "2", "3"};

// The first batch's rows, and then all of them again.
void ExpectRestored(World& world, const std::string& what) {
  EXPECT_EQ(All(world), kFirst) << what;
  RunToRest(world);
  EXPECT_EQ(All(world), kBoth) << what << ", and a run";
}

class Restore : public testing::TestWithParam<Kind> {
 protected:
  const int64_t operations = [] {
    World world = TwoBatches(GetParam());
    return static_cast<int64_t>(RestoreWith(world, 1).operations.size());
  }();
};

TEST_P(Restore, BringsAnEarlierBatchBackAndItsCursor) {
  World world = TwoBatches(GetParam());
  EXPECT_EQ(All(world), kBoth);
  EXPECT_EQ(Said(RestoreWith(world, 1).result), "is mine");
  EXPECT_EQ(Runner(world, *world.lake).log().Load()->cursor, "2");
  ExpectRestored(world, "undisturbed");
  // And back again to what it was before: nothing is lost by a rollback.
  EXPECT_EQ(Said(RestoreWith(world, 1).result), "is mine");
  EXPECT_EQ(Said(RestoreWith(world, 2).result), "is mine");
  EXPECT_EQ(All(world), kBoth);
  EXPECT_EQ(Said(RunWith(world).result), "nothing to do");
}

TEST_P(Restore, KeepsRecordsAndLogs) {
  World world = TwoBatches(GetParam());
  const auto before = world.lake->List("").value();
  ASSERT_TRUE(RestoreWith(world, 1).result);
  for (const auto& object : before) {
    if (object.key.find("/index/") == std::string::npos) {
      EXPECT_TRUE(world.lake->Head(object.key)) << object.key;
    }
  }
}

TEST_P(Restore, KilledAnywhere) {
  ASSERT_GT(operations, 20);
  for (int64_t at = 1; at <= operations; ++at) {
    for (const FaultKind kind : {FaultKind::kKillBefore, FaultKind::kKillAfter}) {
      World world = TwoBatches(GetParam());
      (void)RestoreWith(world, 1, {.faults = {{.at = at, .kind = kind}}});
      RestoreToRest(world, 1);
      ExpectRestored(world, fmt::format("killed at {}", at));
    }
  }
}

// A run comes first: it finishes what was decided, and before that nothing has happened.
TEST_P(Restore, KilledAnywhereAndThenARun) {
  for (int64_t at = 1; at <= operations; ++at) {
    World world = TwoBatches(GetParam());
    (void)RestoreWith(world, 1, {.faults = {{.at = at, .kind = FaultKind::kKillAfter}}});
    RunToRest(world);
    EXPECT_EQ(All(world), kBoth) << at;
  }
}

TEST_P(Restore, AnyAnswerIsLostOrLate) {
  for (int64_t at = 1; at <= operations; ++at) {
    for (const FaultKind kind : {FaultKind::kLoseAnswer, FaultKind::kLoseRequest, FaultKind::kFail, FaultKind::kLate}) {
      World world = TwoBatches(GetParam());
      (void)RestoreWith(world, 1, {.faults = {{.at = at, .kind = kind, .late_by = 9}}});
      RestoreToRest(world, 1);
      ExpectRestored(world, fmt::format("fault {} at {}", static_cast<int>(kind), at));
    }
  }
}

TEST_P(Restore, ForeignWritersComeBetween) {
  for (const int table : {0, 1}) {
    for (int64_t at = 1; at <= operations; ++at) {
      World world = TwoBatches(GetParam());
      store::FaultyOptions options;
      options.before = [&](const Operation& operation) {
        if (operation.number == at) ForeignConflict(world, table);
      };
      const RunReport report = RestoreWith(world, 1, std::move(options));
      EXPECT_TRUE(report.result) << at << ": " << Said(report.result);
      RestoreToRest(world, 1);
      ExpectRestored(world, fmt::format("conflict on T{} at {}", table, at));
    }
  }
}

TEST_P(Restore, AnotherRunGoesThroughWhileItSleeps) {
  for (int64_t at = 1; at <= operations; ++at) {
    World world = TwoBatches(GetParam());
    store::FaultyOptions options;
    options.before = [&](const Operation& operation) {
      if (operation.number != at) return;
      world.end = 5;
      RunToRest(world);
    };
    (void)RestoreWith(world, 1, std::move(options));
    RunToRest(world);
    EXPECT_EQ(All(world), (std::vector<std::string>{"0", "1", "2", "3", "4"})) << at;
    RestoreToRest(world, 1);
    EXPECT_EQ(All(world), kFirst) << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Restore, testing::Values(Kind::kIngest, Kind::kGroup),
                         [](const auto& info) { return info.param == Kind::kIngest ? "Ingest" : "Group"; });

TEST(Counterexample, Cx20_ARestoreCoversAllTablesOfTheBatch) {
  World world = TwoBatches(Kind::kIngest);
  ASSERT_TRUE(RestoreWith(world, 1).result);
  const auto [done, ready] = ReadBatch(*world.lake, kNode, 3).value();
  EXPECT_EQ(ready.changes.size(), 2u);
  for (const TableVersion& table : done.tables) EXPECT_EQ(table.batch, 3) << table.root;
  ExpectRestored(world, "cx20");
}

TEST(Counterexample, Cx21_ARestoreNeverNamesATombstone) {
  World world = TwoBatches(Kind::kGroup);
  ASSERT_TRUE(RestoreWith(world, 1).result);
  const auto ready = ReadBatch(*world.lake, kNode, 3).value().second;
  for (const TableChange& change : ready.changes) {
    const auto before = delta::LoadSnapshot(*world.lake, change.root, change.commit.read_version).value();
    for (const delta::Action& action : change.commit.actions) {
      const auto* add = std::get_if<delta::Add>(&action);
      if (add == nullptr) continue;
      EXPECT_TRUE(add->path.starts_with("bronze.toy-3.1-")) << add->path;
      for (const delta::Remove& gone : before.tombstones) EXPECT_NE(add->path, gone.path);
    }
  }
}

TEST(RestoreTarget, NamesFilesThatAreGone) {
  World world = TwoBatches(Kind::kGroup);
  const auto first = delta::LoadSnapshot(*world.lake, kRoots[0], 0).value();
  ASSERT_TRUE(world.lake->Delete(kRoots[0] + "/" + (*first.files.begin()).path));
  const auto result = RestoreOnce(world, *world.lake, 1);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "restore-impossible");
  EXPECT_NE(result.error().message.find((*first.files.begin()).path), std::string::npos) << result.error().message;
}

TEST(RestoreTarget, TheLedgerGoesBackWithIt) {
  World world(Kind::kIngest);
  BatchLog log(*world.lake, world.clock, world.random, {.project = kProject, .node = kNode, .run_id = "ledger"});
  const Reprepare none = [](const ReadyRecord&, const std::vector<size_t>&) -> Result<Repreparation> { return Fail(BugError("no")); };
  const auto batch = [&](const std::string& kind, const std::string& inputs) {
    const NodeState state = log.Load().value();
    const OpenRecord open = log.Open(state, {.kind = kind, .inputs = inputs}).value();
    ReadyRecord ready{.n = open.n, .attempt = open.attempt, .kind = kind, .changes = {}, .inputs = inputs};
    EXPECT_TRUE(log.Decide(state, ready));
    EXPECT_TRUE(log.Finish(open.n, none));
  };
  const auto paths = [&] {
    std::vector<std::string> paths;
    const FileLedger ledger = LoadLedger(*world.lake, kNode, log.Load().value()).value();
    for (const auto& [path, entry] : ledger.files) paths.push_back(fmt::format("{}@{}", path, entry.batch));
    return paths;
  };
  batch("write", InputsOfFiles({{"a", 1, "x", 0}}));
  batch("write", InputsOfFiles({{"b", 1, "x", 0}}));
  batch("write", InputsOfFiles({{"c", 1, "x", 0}}));
  batch(kRestoreKind, InputsOfRestore({.batch = 1, .tables = {}}));
  const std::vector<std::string> first{"a@1"}, again{"a@1", "c@5"};
  EXPECT_EQ(paths(), first);
  batch("write", InputsOfFiles({{"c", 1, "x", 0}}));
  EXPECT_EQ(paths(), again);
  ASSERT_TRUE(RebuildIndexes(*world.lake));
  EXPECT_EQ(paths(), again);
  batch(kRestoreKind, InputsOfRestore({.batch = 3, .tables = {}}));
  EXPECT_EQ(paths(), (std::vector<std::string>{"a@1", "b@2", "c@3"}));
  batch(kRestoreKind, InputsOfRestore({.batch = 0, .tables = {}}));
  EXPECT_TRUE(paths().empty());
}

// ---- staged files that have lain for long

TEST(OldStagedFiles, RecoveryCommitsCopies) {
  for (const Kind kind : {Kind::kIngest, Kind::kGroup}) {
    World world = AfterFirstBatch(kind);
    const int64_t put = NumberOf(AfterFirstBatch(kind), OperationKind::kPutIfAbsent, LogFile(0, 1));
    (void)RunWith(world, {.faults = {{.at = put, .kind = FaultKind::kKillBefore}}});
    ASSERT_EQ(HighestReady(world, 2)->k, 1);
    world.clock.SleepMillis(4LL * 86'400'000);  // more than half of a week
    ASSERT_TRUE(Runner(world, *world.lake).log().Recover(Runner(world, *world.lake).reprepare()));
    EXPECT_EQ(HighestReady(world, 2)->k, 2);
    const ReadyRecord renewed = *HighestReady(world, 2);
    for (const TableChange& change : renewed.changes)
      for (const delta::Action& action : change.commit.actions)
        if (const auto* add = std::get_if<delta::Add>(&action)) {
          EXPECT_TRUE(add->path.starts_with("bronze.toy-2.1.2-")) << add->path;
          EXPECT_EQ(world.lake->Head(change.root + "/" + add->path)->modified, world.clock.Now());
        }
    RunToRest(world);
    EXPECT_EQ(All(world), kBoth);
  }
}

TEST(OldStagedFiles, ThoseOfHalfTheRetentionStay) {
  World world = AfterFirstBatch(Kind::kIngest);
  const int64_t put = NumberOf(AfterFirstBatch(Kind::kIngest), OperationKind::kPutIfAbsent, LogFile(0, 1));
  (void)RunWith(world, {.faults = {{.at = put, .kind = FaultKind::kKillBefore}}});
  world.clock.SleepMillis(3LL * 86'400'000);
  RunToRest(world);
  EXPECT_EQ(HighestReady(world, 2)->k, 1);
}

TEST(OldStagedFiles, TheRecoveryIsKilledAnywhere) {
  for (const Kind kind : {Kind::kIngest, Kind::kGroup}) {
    const int64_t put = NumberOf(AfterFirstBatch(kind), OperationKind::kPutIfAbsent, LogFile(0, 1));
    for (int64_t death = 1; death < 60; ++death) {
      World world = AfterFirstBatch(kind);
      (void)RunWith(world, {.faults = {{.at = put, .kind = FaultKind::kKillBefore}}});
      world.clock.SleepMillis(4LL * 86'400'000);
      (void)RunWith(world, {.faults = {{.at = death, .kind = FaultKind::kKillAfter}}});
      world.clock.SleepMillis(4LL * 86'400'000);
      RunToRest(world);
      EXPECT_EQ(All(world), kBoth) << death;
    }
  }
}

// ---- attempts that nobody will go on with

TEST(DeadAttempts, AreClosedWithoutAChange) {
  World world = AfterFirstBatch(Kind::kIngest);
  const int64_t ready = NumberOf(AfterFirstBatch(Kind::kIngest), OperationKind::kPutIfAbsent, kReady);
  (void)RunWith(world, {.faults = {{.at = ready, .kind = FaultKind::kKillBefore}}});
  Runner runner(world, *world.lake);
  BatchLog& log = runner.log();
  const NodeState state = log.Load().value();
  EXPECT_EQ(state.highest_attempt, 1);
  EXPECT_TRUE(log.LastAttemptAt(state)->has_value());
  EXPECT_TRUE(log.CloseAttempts(state, state.cursor).value());
  EXPECT_EQ(log.Load()->last_done, 2);
  EXPECT_EQ(log.Load()->cursor, "2");
  EXPECT_FALSE(log.CloseAttempts(log.Load().value(), "2").value());
  RunToRest(world);
  ExpectExactlyOnce(world, "closed");
}

// The attempt was not dead: it finds the batch decided, and follows.
TEST(DeadAttempts, ASleeperFollows) {
  const int64_t ready = NumberOf(AfterFirstBatch(Kind::kIngest), OperationKind::kPutIfAbsent, kReady);
  World world = AfterFirstBatch(Kind::kIngest);
  const RunReport sleeper = RunWith(world, {.before = [&](const Operation& operation) {
                                      if (operation.number != ready) return;
                                      Runner closer(world, *world.lake);
                                      BatchLog& log = closer.log();
                                      const NodeState state = log.Load().value();
                                      EXPECT_TRUE(log.CloseAttempts(state, state.cursor).value());
                                    }});
  EXPECT_EQ(Said(sleeper.result), "batch 2.1 was another's");
  RunToRest(world);
  ExpectExactlyOnce(world, "slept");
}

}  // namespace
}  // namespace sluice::state::toy
