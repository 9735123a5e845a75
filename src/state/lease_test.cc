#include "state/lease.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

#include "store/faulty_store.h"

namespace sluice::state {
namespace {

class FakeProcesses : public ProcessTable {
 public:
  FakeProcesses(std::string host, int64_t pid) : host_(std::move(host)), pid_(pid) { running[pid] = "start-" + std::to_string(pid); }
  std::string Host() override { return host_; }
  int64_t OwnPid() override { return pid_; }
  std::optional<std::string> StartOf(int64_t pid) override {
    const auto at = running.find(pid);
    return at == running.end() ? std::nullopt : std::optional(at->second);
  }
  std::map<int64_t, std::string> running;

 private:
  std::string host_;
  int64_t pid_;
};

class LeaseTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Lease>> Acquire(ProcessTable& processes, const std::string& run, bool wait = false) {
    return AcquireLease(*lake, "run", clock, processes, {.run_id = run, .wait = wait});
  }
  void Pass(int64_t seconds) { clock.SleepMillis(seconds * 1000); }

  FixedClock clock{Instant{1'700'000'000'000'000}};
  std::unique_ptr<store::ObjectStore> lake = store::NewMemoryStore(clock);
  FakeProcesses a{"box", 100}, b{"box", 200}, elsewhere{"other", 100};
};

TEST_F(LeaseTest, ASecondRunIsToldWhoHoldsIt) {
  b.running = a.running = {{100, "start-100"}, {200, "start-200"}};
  const auto held = Acquire(a, "run-a");
  ASSERT_TRUE(held);
  Pass(30);
  const Error error = Acquire(b, "run-b").error();
  EXPECT_EQ(error.code, "lake-busy");
  EXPECT_EQ(error.kind, ErrorKind::kConflict);
  for (const char* part : {"box", "100", "run-a", "2023-11-14T22:13:20Z"}) EXPECT_NE(error.message.find(part), std::string::npos) << part;
  EXPECT_NE(error.hint.find("--wait"), std::string::npos);
  EXPECT_EQ(HolderOf(*lake, "run", clock, b).value()->run_id, "run-a");
}

TEST_F(LeaseTest, OtherNamesAreFree) {
  const auto held = Acquire(a, "run-a");
  EXPECT_TRUE(AcquireLease(*lake, "node/bronze.orders", clock, a, {.run_id = "run-a"}));
}

TEST_F(LeaseTest, ReleasedOrDestroyedItIsFree) {
  b.running = a.running = {{100, "start-100"}, {200, "start-200"}};
  auto held = Acquire(a, "run-a").value();
  EXPECT_TRUE(held->Release());
  EXPECT_EQ(HolderOf(*lake, "run", clock, b).value(), std::nullopt);
  {
    const auto next = Acquire(b, "run-b").value();
  }
  EXPECT_TRUE(Acquire(a, "run-c"));
}

TEST_F(LeaseTest, ADeadProcessOfThisHostHoldsNothing) {
  const auto held = Acquire(a, "run-a");  // b's machine is the same, and has no process 100
  EXPECT_TRUE(Acquire(b, "run-b"));
}

TEST_F(LeaseTest, AnotherProcessWithTheSameNumberIsNotTheHolder) {
  const auto held = Acquire(a, "run-a");
  b.running[100] = "started later";
  EXPECT_TRUE(Acquire(b, "run-b"));
}

TEST_F(LeaseTest, OnAnotherHostItIsFreeAMinuteAfterTheLastHeartbeat) {
  auto held = Acquire(a, "run-a").value();
  Pass(50);
  EXPECT_TRUE(held->Beat());
  Pass(60);
  EXPECT_EQ(Acquire(elsewhere, "run-b").error().code, "lake-busy");
  Pass(1);
  EXPECT_TRUE(Acquire(elsewhere, "run-b"));
}

TEST_F(LeaseTest, WhoLostItIsToldAtTheNextBeat) {
  auto held = Acquire(a, "run-a").value();
  Pass(61);
  auto taken = Acquire(elsewhere, "run-b").value();
  EXPECT_EQ(held->Beat().error().code, "lease-lost");
  held.reset();  // and its end does not free the other's
  EXPECT_EQ(HolderOf(*lake, "run", clock, elsewhere).value()->run_id, "run-b");
  EXPECT_TRUE(taken->Beat());
}

TEST_F(LeaseTest, WaitingEndsWhenTheHolderFallsSilent) {
  const auto held = Acquire(a, "run-a");
  std::vector<std::string> waited_for;
  const auto lease =
      AcquireLease(*lake, "run", clock, elsewhere,
                   {.run_id = "run-b", .wait = true, .waiting = [&](const LeaseHolder& holder) { waited_for.push_back(holder.run_id); }});
  EXPECT_TRUE(lease);
  EXPECT_EQ(waited_for, std::vector<std::string>{"run-a"});  // said once
  EXPECT_GE(clock.Now().micros, 1'700'000'060'000'000);
}

TEST_F(LeaseTest, WaitingCanBeCancelled) {
  const auto held = Acquire(a, "run-a");
  int polls = 0;
  const auto lease =
      AcquireLease(*lake, "run", clock, elsewhere, {.run_id = "run-b", .wait = true, .cancelled = [&] { return ++polls > 3; }});
  EXPECT_EQ(lease.error().kind, ErrorKind::kCancelled);
}

TEST_F(LeaseTest, LostAnswersAreSettledByReadingBack) {
  for (const auto kind : {store::FaultKind::kLoseAnswer, store::FaultKind::kLoseRequest}) {
    for (const int64_t at : {2, 5}) {  // the taking (after a look); the first beat (after another)
      lake = store::NewMemoryStore(clock);
      store::FaultyStore faulty(*lake, {.faults = {{.at = at, .kind = kind}}});
      auto lease = AcquireLease(faulty, "run", clock, a, {.run_id = "run-a"});
      ASSERT_TRUE(lease) << lease.error().ToString();
      EXPECT_TRUE((*lease)->Beat());
      EXPECT_TRUE((*lease)->Beat());
      EXPECT_FALSE(IsRead(faulty.operations().at(static_cast<size_t>(at - 1)).kind));
      EXPECT_EQ(HolderOf(*lake, "run", clock, a).value()->run_id, "run-a");
    }
  }
}

TEST_F(LeaseTest, DamagedContentsCanBeTaken) {
  ASSERT_TRUE(lake->Put("_sluice/leases/run.json", "not json"));
  EXPECT_TRUE(Acquire(a, "run-a"));
}

TEST(Lease, OneOfManyThreadsGetsIt) {
  auto lake = store::NewMemoryStore(SystemClock());
  std::atomic<int> got{0}, busy{0};
  std::vector<std::unique_ptr<Lease>> kept(8);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      auto lease = AcquireLease(*lake, "run", SystemClock(), SystemProcesses(), {.run_id = "run-" + std::to_string(i)});
      if (lease) {
        ++got;
        kept[static_cast<size_t>(i)] = *std::move(lease);
      } else if (lease.error().code == "lake-busy") {
        ++busy;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(got, 1);
  EXPECT_EQ(busy, 7);
}

TEST(Lease, AHeartbeatKeepsItAlive) {
  auto lake = store::NewMemoryStore(SystemClock());
  auto lease = AcquireLease(*lake, "run", SystemClock(), SystemProcesses(), {.run_id = "r"}).value();
  const std::string before = lake->Get("_sluice/leases/run.json").value();
  {
    Heartbeat heart(*lease, 1);
    for (int i = 0; i < 5000 && lake->Get("_sluice/leases/run.json").value() == before; ++i) SystemClock().SleepMillis(1);
    EXPECT_FALSE(heart.failure());
  }
  EXPECT_NE(lake->Get("_sluice/leases/run.json").value(), before);
}

TEST(SystemProcesses, KnowsItselfAndNotTheDead) {
  ProcessTable& processes = SystemProcesses();
  const auto own = processes.StartOf(processes.OwnPid());
  ASSERT_TRUE(own);
  EXPECT_EQ(processes.StartOf(processes.OwnPid()), own);
  EXPECT_FALSE(processes.Host().empty());
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(processes.StartOf(child), std::nullopt);
}

}  // namespace
}  // namespace sluice::state
