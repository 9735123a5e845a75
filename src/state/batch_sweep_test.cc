// Every store operation of a run, struck in every way: killed, failed, cut off from its answer, paused while another run goes
// through whole, overtaken by foreign writers. After each, a lone run brings everything to rest, with every record exactly once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "state/toy_lake.h"

namespace sluice::state::toy {
namespace {

using store::Fault;
using store::FaultKind;
using store::Operation;

// Where a sweep begins: nothing there yet (tables are created), or one batch done and new records waiting.
enum class Start { kEmpty, kSecondBatch };

struct Scene {
  Kind kind;
  Start start;
  std::string name;
};

World Prepare(const Scene& scene) {
  World world(scene.kind, 2);
  if (scene.start == Start::kSecondBatch) {
    RunToRest(world);
    world.end = 4;
  }
  return world;
}

int64_t OperationsOfARun(const Scene& scene) {
  World world = Prepare(scene);
  return static_cast<int64_t>(RunWith(world).operations.size());
}

std::string Said(const Result<std::string>& result) { return result ? *result : result.error().ToString(); }

// Pairs of points are many: by default some 100 of each sweep are tried, evenly spread; with SLUICE_EXHAUSTIVE=1 all of them.
std::vector<std::pair<int64_t, int64_t>> Pairs(int64_t first, int64_t second, int64_t most = 100) {
  const bool all = std::getenv("SLUICE_EXHAUSTIVE") != nullptr;
  const int64_t step = all ? 1 : std::max<int64_t>(1, first * second / most) | 1;
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < first * second; i += step) pairs.emplace_back(i / second + 1, i % second + 1);
  return pairs;
}

class Sweep : public testing::TestWithParam<Scene> {
 protected:
  const int64_t operations = OperationsOfARun(GetParam());
  World Fresh() { return Prepare(GetParam()); }

  // Something that happens once, just before operation `at` of a run.
  static store::FaultyOptions At(int64_t at, std::function<void()> what) {
    return {.before = [at, what = std::move(what)](const Operation& operation) {
      if (operation.number == at) what();
    }};
  }
};

TEST_P(Sweep, KilledAnywhere) {
  ASSERT_GT(operations, 20);
  for (int64_t at = 1; at <= operations; ++at) {
    for (const FaultKind kind : {FaultKind::kKillBefore, FaultKind::kKillAfter}) {
      World world = Fresh();
      const RunReport report = RunWith(world, {.faults = {{.at = at, .kind = kind}}});
      const std::string what = fmt::format("killed {} {}", kind == FaultKind::kKillBefore ? "before" : "after",
                                           report.operations.at(static_cast<size_t>(at - 1)).ToString());
      RunToRest(world);
      ExpectExactlyOnce(world, what);
    }
  }
}

TEST_P(Sweep, KilledTwice) {
  for (const auto& [first, second] : Pairs(operations, operations)) {
    World world = Fresh();
    (void)RunWith(world, {.faults = {{.at = first, .kind = FaultKind::kKillAfter}}});
    world.end += 1;  // the source has gone on meanwhile
    (void)RunWith(world, {.faults = {{.at = second, .kind = FaultKind::kKillBefore}}});
    RunToRest(world);
    ExpectExactlyOnce(world, fmt::format("killed after {}, then before {}", first, second));
  }
}

TEST_P(Sweep, AnyOperationFails) {
  for (int64_t at = 1; at <= operations; ++at) {
    World world = Fresh();
    (void)RunWith(world, {.faults = {{.at = at, .kind = FaultKind::kFail}}});
    RunToRest(world);
    ExpectExactlyOnce(world, fmt::format("failed at {}", at));
  }
}

TEST_P(Sweep, AnyAnswerIsLost) {
  for (int64_t at = 1; at <= operations; ++at) {
    for (const FaultKind kind : {FaultKind::kLoseAnswer, FaultKind::kLoseRequest}) {
      World world = Fresh();
      const RunReport report = RunWith(world, {.faults = {{.at = at, .kind = kind}}});
      const std::string what = fmt::format("{} lost at {}", kind == FaultKind::kLoseAnswer ? "answer" : "request",
                                           report.operations.at(static_cast<size_t>(at - 1)).ToString());
      if (report.operations.at(static_cast<size_t>(at - 1)).kind == store::OperationKind::kPutIfAbsent) {
        EXPECT_TRUE(report.result) << what << ": " << Said(report.result);  // every put of the protocol settles its own answer
      }
      if (report.result) ExpectExactlyOnce(world, what);
      RunToRest(world);
      ExpectExactlyOnce(world, what);
    }
  }
}

// A put that arrives long after its caller gave up on it, perhaps when another run has finished everything.
TEST_P(Sweep, AnyPutLandsLate) {
  for (int64_t at = 1; at <= operations; ++at) {
    for (const int64_t late_by : {1, 2, 4, 9, 1000}) {
      World world = Fresh();
      store::FaultyStore store(*world.lake, {.faults = {{.at = at, .kind = FaultKind::kLate, .late_by = late_by}}});
      (void)Runner(world, store).RunOnce();
      world.end += 1;
      RunToRest(world);
      store.LandLate();
      const std::string what = fmt::format("operation {} late by {}", at, late_by);
      ExpectExactlyOnce(world, what);
      world.end += 1;
      RunToRest(world);
      ExpectExactlyOnce(world, what + ", and another batch");
    }
  }
}

TEST_P(Sweep, ThePutOfADeadRunLandsLate) {
  for (int64_t at = 1; at <= operations; ++at) {
    World world = Fresh();
    store::FaultyStore store(
        *world.lake, {.faults = {{.at = at, .kind = FaultKind::kLate, .late_by = 1000}, {.at = at + 1, .kind = FaultKind::kKillBefore}}});
    (void)Runner(world, store).RunOnce();
    for (int64_t middle : {3, 12, 1000}) {  // it lands while the next run is at work, or after it
      World again = Fresh();
      store::FaultyStore dead(
          *again.lake, {.faults = {{.at = at, .kind = FaultKind::kLate, .late_by = 1000}, {.at = at + 1, .kind = FaultKind::kKillBefore}}});
      (void)Runner(again, dead).RunOnce();
      (void)RunWith(again, At(middle, [&] { dead.LandLate(); }));
      dead.LandLate();
      RunToRest(again);
      ExpectExactlyOnce(again, fmt::format("operation {} of a dead run landed at {} of the next", at, middle));
    }
  }
}

// No lease is held here: one run sleeps at any operation, another does all its work and goes on to the next batch.
TEST_P(Sweep, AnotherRunGoesThroughWhileThisOneSleeps) {
  for (int64_t at = 1; at <= operations; ++at) {
    World world = Fresh();
    const RunReport sleeper = RunWith(world, At(at, [&] {
                                        RunToRest(world);
                                        world.end += 1;
                                        world.flavour = 1 - world.flavour;  // and the source gives other contents when read again
                                        RunToRest(world);
                                      }));
    const std::string what = fmt::format("slept before {}", sleeper.operations.at(static_cast<size_t>(at - 1)).ToString());
    EXPECT_TRUE(sleeper.result) << what << ": " << Said(sleeper.result);
    ExpectExactlyOnce(world, what);
    RunToRest(world);
    ExpectExactlyOnce(world, what);
  }
}

TEST_P(Sweep, AnotherRunDiesWhileThisOneSleeps) {
  for (const auto& [at, death] : Pairs(operations, operations)) {
    World world = Fresh();
    const RunReport sleeper = RunWith(world, At(at, [&, death = death] {
                                        world.flavour = 1 - world.flavour;
                                        (void)RunWith(world, {.faults = {{.at = death, .kind = FaultKind::kKillAfter}}});
                                        world.end += 1;
                                      }));
    const std::string what = fmt::format("slept before {}, the other died after {}", at, death);
    EXPECT_TRUE(sleeper.result) << what << ": " << Said(sleeper.result);
    RunToRest(world);
    ExpectExactlyOnce(world, what);
  }
}

// Three at once: A sleeps while B works, B sleeps while C works; then B wakes, then A.
TEST_P(Sweep, ThreeRunsOneWithinTheOther) {
  for (const auto& [a, b] : Pairs(operations, operations)) {
    World world = Fresh();
    Result<std::string> said_by_b = "";
    const RunReport a_report = RunWith(world, At(a, [&, b = b] {
                                         said_by_b = RunWith(world, At(b,
                                                                       [&] {
                                                                         world.flavour = 1 - world.flavour;
                                                                         (void)RunWith(world);
                                                                       }))
                                                         .result;
                                       }));
    const std::string what = fmt::format("turns at {} and {}", a, b);
    EXPECT_TRUE(said_by_b) << what << ": " << Said(said_by_b);
    EXPECT_TRUE(a_report.result) << what << ": " << Said(a_report.result);
    RunToRest(world);
    ExpectExactlyOnce(world, what);
  }
}

struct ForeignAct {
  std::string name;
  std::function<void(World&)> act;
};

std::vector<ForeignAct> ForeignActs() {
  std::vector<ForeignAct> acts;
  for (const int table : {0, 1}) {
    acts.push_back({fmt::format("append to T{}", table), [table](World& world) { ForeignAppend(world, table); }});
    acts.push_back({fmt::format("conflict on T{}", table), [table](World& world) { ForeignConflict(world, table); }});
    acts.push_back({fmt::format("append to and conflict on T{}", table), [table](World& world) {
                      ForeignAppend(world, table);
                      ForeignConflict(world, table);
                    }});
    acts.push_back({fmt::format("T{} forgets its txns", table), [table](World& world) { ForgetTransactions(world, table); }});
  }
  acts.push_back({"conflicts on both", [](World& world) {
                    ForeignConflict(world, 0);
                    ForeignConflict(world, 1);
                  }});
  return acts;
}

// A group's tables are rewritten whole: a foreign append to them is gone after the next batch, and that is right.
TEST_P(Sweep, ForeignWritersComeBetween) {
  for (const ForeignAct& foreign : ForeignActs()) {
    for (int64_t at = 1; at <= operations; ++at) {
      World world = Fresh();
      const RunReport report = RunWith(world, At(at, [&] { foreign.act(world); }));
      const std::string what = fmt::format("{} before {}", foreign.name, at);
      EXPECT_TRUE(report.result) << what << ": " << Said(report.result);
      RunToRest(world);
      ExpectExactlyOnce(world, what, false);
    }
  }
}

TEST_P(Sweep, ForeignWritersComeBetweenAndTheRunDies) {
  for (const ForeignAct& foreign : ForeignActs()) {
    for (const auto& [at, later] : Pairs(operations, operations, 25)) {
      World world = Fresh();
      store::FaultyOptions options = At(at, [&] { foreign.act(world); });
      options.faults = {{.at = at + later, .kind = FaultKind::kKillAfter}};
      (void)RunWith(world, std::move(options));
      RunToRest(world);
      ExpectExactlyOnce(world, fmt::format("{} before {}, killed {} later", foreign.name, at, later), false);
    }
  }
}

TEST_P(Sweep, ForeignWritersComeBetweenTwoRuns) {
  for (const ForeignAct& foreign : ForeignActs()) {
    for (int64_t at = 1; at <= operations; ++at) {
      World world = Fresh();
      const RunReport sleeper = RunWith(world, At(at, [&] {
                                          foreign.act(world);
                                          RunToRest(world);
                                          foreign.act(world);
                                        }));
      const std::string what = fmt::format("{} while asleep before {}", foreign.name, at);
      EXPECT_TRUE(sleeper.result) << what << ": " << Said(sleeper.result);
      RunToRest(world);
      ExpectExactlyOnce(world, what, false);
    }
  }
}

// Strangers clean the log away, and may make it forget the txns too: then the node may stop and ask for a person, but never writes
// anything twice, and never says done to what is not there.
TEST_P(Sweep, ForeignWritersCleanTheLog) {
  for (const int table : {0, 1}) {
    for (const bool forget : {false, true}) {
      for (int64_t at = 1; at <= operations; ++at) {
        World world = Fresh();
        const RunReport report = RunWith(world, At(at, [&] {
                                           ForeignAppend(world, table);
                                           if (forget) ForgetTransactions(world, table);
                                           ForeignConflict(world, table);
                                           if (!forget) CleanLog(world, table);
                                           if (forget) (void)world.lake->Delete(kRoots[table] + "/_delta_log/" + delta::CommitFileName(0));
                                         }));
        const std::string what = fmt::format("T{} cleaned before {}{}", table, at, forget ? ", txns forgotten" : "");
        // (A log file may also vanish while it is read, when planning: that run fails, the next does not.)
        const bool try_again = report.result || report.result.error().code == "no-such-object";
        const Status rest = try_again ? TryRunToRest(world) : Fail(report.result.error());
        if (rest) {
          ExpectExactlyOnce(world, what, false);
        } else {
          EXPECT_EQ(rest.error().code, "log-gone") << what << ": " << rest.error().ToString();
          ExpectNothingTwice(world, what);
        }
      }
    }
  }
}

// A table is dropped and made again while the run is at its records (between a look at a table and its put nobody can tell: Rx24).
TEST_P(Sweep, ATableIsDroppedAtAnyRecord) {
  const std::vector<Operation> log = [this] {
    World world = Fresh();
    return RunWith(world).operations;
  }();
  for (const int table : {0, 1}) {
    for (const Operation& operation : log) {
      if (!operation.key.starts_with("_sluice/")) continue;
      World world = Fresh();
      const RunReport report = RunWith(world, At(operation.number, [&] { DropAndMakeAgain(world, table); }));
      const std::string what = fmt::format("T{} dropped before {}", table, operation.ToString());
      const Status rest = report.result ? TryRunToRest(world) : Fail(report.result.error());
      if (!rest) {
        // (Staged files of a table that was not made yet go with the folder too.)
        EXPECT_TRUE(rest.error().code == "table-replaced" || rest.error().code == "staged-file-missing")
            << what << ": " << rest.error().ToString();
      }
      ExpectNothingTwice(world, what);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Batch, Sweep,
                         testing::Values(Scene{Kind::kIngest, Start::kEmpty, "IngestFromNothing"},
                                         Scene{Kind::kIngest, Start::kSecondBatch, "IngestSecondBatch"},
                                         Scene{Kind::kGroup, Start::kEmpty, "GroupFromNothing"},
                                         Scene{Kind::kGroup, Start::kSecondBatch, "GroupSecondBatch"}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sluice::state::toy
