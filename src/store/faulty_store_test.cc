#include "store/faulty_store.h"

#include <gtest/gtest.h>

#include <thread>

namespace sluice::store {
namespace {

class FaultyStoreTest : public testing::Test {
 protected:
  FaultyStore With(FaultKind kind, int64_t at, int64_t late_by = 1) {
    return FaultyStore(*inner, {.faults = {{.at = at, .kind = kind, .late_by = late_by}}});
  }
  bool Exists(std::string_view key) { return inner->Head(key).has_value(); }

  std::unique_ptr<ObjectStore> inner = NewMemoryStore(SystemClock());
};

TEST_F(FaultyStoreTest, CountsReadsAndWritesInOrder) {
  FaultyStore store(*inner);
  (void)store.Put("a", "1");
  (void)store.List("a", "");
  (void)store.Get("a");
  auto writer = store.OpenWriter("w").value();
  (void)writer->Write("x");
  (void)writer->Close();
  (void)store.Delete("a");
  std::vector<std::string> seen;
  for (const auto& operation : store.operations()) seen.push_back(operation.ToString());
  EXPECT_EQ(seen, (std::vector<std::string>{"1 put a", "2 list a", "3 get a", "4 open-writer w", "5 close w", "6 delete a"}));
}

TEST_F(FaultyStoreTest, CountsThePiecesOfAStreamWhereAsked) {
  FaultyStore store(*inner, {.count_pieces = true});
  auto writer = store.OpenWriter("w").value();
  (void)writer->Write("x");
  (void)writer->Write("y");
  (void)writer->Close();
  EXPECT_EQ(store.operation_count(), 4);
}

TEST_F(FaultyStoreTest, FailsOnceWithARetryableError) {
  auto store = With(FaultKind::kFail, 2);
  EXPECT_TRUE(store.Put("a", "1"));
  const Error error = store.Put("b", "1").error();
  EXPECT_EQ(error.kind, ErrorKind::kRetryable);
  EXPECT_EQ(error.code, "injected-fault");
  EXPECT_FALSE(Exists("b"));
  EXPECT_TRUE(store.Put("b", "1"));
}

TEST_F(FaultyStoreTest, LosesTheAnswer) {
  auto store = With(FaultKind::kLoseAnswer, 1);
  EXPECT_EQ(store.PutIfAbsent("a", "1").value(), PutOutcome::kUnknown);
  EXPECT_TRUE(Exists("a"));
  EXPECT_EQ(store.PutIfAbsent("a", "1").value(), PutOutcome::kExists);
  auto puts = With(FaultKind::kLoseAnswer, 1);
  EXPECT_EQ(puts.Put("b", "1").error().code, "lost-answer");
  EXPECT_TRUE(Exists("b"));
}

TEST_F(FaultyStoreTest, LosesTheRequest) {
  auto store = With(FaultKind::kLoseRequest, 1);
  EXPECT_EQ(store.PutIfAbsent("a", "1").value(), PutOutcome::kUnknown);
  EXPECT_FALSE(Exists("a"));
  EXPECT_EQ(store.PutIfAbsent("a", "1").value(), PutOutcome::kWritten);
}

TEST_F(FaultyStoreTest, LandsLate) {
  auto store = With(FaultKind::kLate, 1, 2);
  EXPECT_EQ(store.PutIfAbsent("a", "late").value(), PutOutcome::kUnknown);
  EXPECT_FALSE(store.Get("a"));               // operation 2
  EXPECT_EQ(store.Get("a").value(), "late");  // operation 3: it landed just before
}

TEST_F(FaultyStoreTest, ALatePutIfAbsentLosesToWhoWasThereFirst) {
  auto store = With(FaultKind::kLate, 1, 5);
  EXPECT_EQ(store.PutIfAbsent("a", "late").value(), PutOutcome::kUnknown);
  EXPECT_EQ(inner->PutIfAbsent("a", "first").value(), PutOutcome::kWritten);
  store.LandLate();
  EXPECT_EQ(inner->Get("a").value(), "first");
}

TEST_F(FaultyStoreTest, ALatePutLandsAfterItsProcessDied) {
  auto store = With(FaultKind::kLate, 1, 100);
  (void)store.PutIfAbsent("a", "late");
  store.Kill();
  store.LandLate();
  EXPECT_EQ(inner->Get("a").value(), "late");
}

TEST_F(FaultyStoreTest, HappensTwiceAndAnswersForTheSecondTime) {
  auto store = With(FaultKind::kDuplicate, 1);
  EXPECT_EQ(store.PutIfAbsent("a", "1").value(), PutOutcome::kExists);
  EXPECT_EQ(inner->Get("a").value(), "1");
  auto deletes = With(FaultKind::kDuplicate, 1);
  EXPECT_TRUE(deletes.Delete("a"));
  auto closes = With(FaultKind::kDuplicate, 2);
  auto writer = closes.OpenWriter("w").value();
  ASSERT_TRUE(writer->Write("x"));
  EXPECT_FALSE(writer->Close());  // there is nothing left to close
  EXPECT_EQ(inner->Get("w").value(), "x");
}

TEST_F(FaultyStoreTest, BreaksOffWithin) {
  auto puts = With(FaultKind::kTruncate, 1);
  EXPECT_EQ(puts.Put("a", "1234567").error().code, "lost-answer");
  EXPECT_EQ(inner->Get("a").value(), "123");
  auto closes = With(FaultKind::kTruncate, 2);
  auto writer = closes.OpenWriter("w").value();
  ASSERT_TRUE(writer->Write("12"));
  ASSERT_TRUE(writer->Write("345678"));
  EXPECT_EQ(writer->Close().error().code, "lost-answer");
  EXPECT_EQ(inner->Get("w").value(), "1234");
  auto conditional = With(FaultKind::kTruncate, 1);
  EXPECT_EQ(conditional.PutIfAbsent("b", "1234").value(), PutOutcome::kUnknown);
  EXPECT_FALSE(Exists("b"));
  auto reads = With(FaultKind::kTruncate, 1);
  EXPECT_EQ(reads.Get("a").error().code, "lost-answer");
  EXPECT_EQ(reads.Get("a").value(), "123");
}

TEST_F(FaultyStoreTest, KillBeforeAndEveryOperationAfterwardsFails) {
  auto store = With(FaultKind::kKillBefore, 2);
  EXPECT_TRUE(store.Put("a", "1"));
  EXPECT_EQ(store.Put("b", "1").error().code, "killed");
  EXPECT_TRUE(store.killed());
  EXPECT_EQ(store.Put("c", "1").error().code, "killed");
  EXPECT_EQ(store.PutIfAbsent("c", "1").error().code, "killed");
  EXPECT_EQ(store.PutIfMatch("a", "2", inner->Head("a")->etag).error().code, "killed");
  EXPECT_EQ(store.Get("a").error().code, "killed");
  EXPECT_EQ(store.List("", "").error().code, "killed");
  EXPECT_EQ(store.Delete("a").error().code, "killed");
  EXPECT_EQ(store.OpenWriter("c").error().code, "killed");
  EXPECT_EQ(inner->List("")->size(), 1u);
  EXPECT_EQ(inner->Get("a").value(), "1");
}

TEST_F(FaultyStoreTest, KillAfterLetsTheOperationHappen) {
  auto store = With(FaultKind::kKillAfter, 1);
  EXPECT_EQ(store.PutIfAbsent("a", "1").error().code, "killed");
  EXPECT_TRUE(Exists("a"));
}

TEST_F(FaultyStoreTest, AKilledWriterLeavesNothingVisible) {
  auto store = With(FaultKind::kKillBefore, 2);
  auto writer = store.OpenWriter("w").value();
  EXPECT_TRUE(writer->Write("x"));
  EXPECT_EQ(store.Get("a").error().code, "killed");
  EXPECT_EQ(writer->Write("y").error().code, "killed");
  EXPECT_EQ(writer->Close().error().code, "killed");
  writer.reset();
  EXPECT_TRUE(inner->List("")->empty());
}

TEST_F(FaultyStoreTest, ALateCloseLandsEvenAfterItsWriterIsGone) {
  auto store = With(FaultKind::kLate, 2, 1);
  auto writer = store.OpenWriter("w").value();
  EXPECT_TRUE(writer->Write("x"));
  EXPECT_EQ(writer->Close().error().code, "lost-answer");
  writer.reset();
  EXPECT_FALSE(Exists("w"));
  store.LandLate();
  EXPECT_EQ(inner->Get("w").value(), "x");
}

TEST_F(FaultyStoreTest, TheHookRunsBetweenOperations) {
  FaultyStore* b = nullptr;
  FaultyStore other(*inner);
  b = &other;
  FaultyStore store(*inner, {.before = [&](const Operation& operation) {
    if (operation.number == 2) {
      EXPECT_EQ(b->PutIfAbsent("k", "B").value(), PutOutcome::kWritten);
    }
  }});
  EXPECT_FALSE(store.Get("k"));
  EXPECT_EQ(store.PutIfAbsent("k", "A").value(), PutOutcome::kExists);
}

TEST_F(FaultyStoreTest, NothingReachesTheInnerStoreOnceKilledFromAnotherThread) {
  FaultyStore store(*inner, {.faults = {{.at = 50, .kind = FaultKind::kKillBefore}}});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) (void)store.Put(std::to_string(t) + "/" + std::to_string(i), "x");
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store.operation_count(), 400);
  const size_t reached = inner->List("")->size();
  EXPECT_GE(reached, 46u);  // 49 began before it, of which the three other threads may each hold one
  EXPECT_LT(reached, 400u);
}

}  // namespace
}  // namespace sluice::store
