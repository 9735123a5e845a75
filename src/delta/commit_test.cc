#include "delta/commit.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "delta/log_files.h"
#include "store/faulty_store.h"

namespace sluice::delta {
namespace {

constexpr const char* kRoot = "silver/t";

PreparedCommit Creation() {
  PreparedCommit commit;
  commit.table_id = "id";
  commit.actions = {Protocol{}, Metadata{.id = "id", .schema_string = R"({"type":"struct","fields":[]})"}};
  commit.operation = "CREATE TABLE";
  return commit;
}

PreparedCommit Append(int64_t read_version, const std::string& path) {
  PreparedCommit commit;
  commit.table_id = "id";
  commit.read_version = read_version;
  commit.actions = {Add{.path = path, .size = 1}};
  commit.operation = "WRITE";
  commit.operation_parameters = {{"mode", "\"Append\""}, {"partitionBy", "\"[]\""}};
  commit.operation_metrics = {{"numFiles", "1"}};
  return commit;
}

CommitStamp Stamp(std::string id) {
  return {.commit_id = std::move(id), .now = Instant{1'700'000'000'000'000}, .engine_info = "sluice/test"};
}

class CommitTest : public testing::Test {
 protected:
  int64_t Put(const PreparedCommit& commit, const std::string& id) {
    auto outcome = Commit(*store_, kRoot, commit, Stamp(id), clock_);
    EXPECT_TRUE(outcome) << outcome.error().ToString();
    return std::get<Committed>(*outcome).version;
  }
  std::string Text(int64_t version) { return *store_->Get(LogKey(kRoot, CommitFileName(version))); }

  FixedClock clock_{Instant{1'700'000'000'000'000}};
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
};

TEST_F(CommitTest, CommitInfoComesFirstThenTheTransaction) {
  CommitStamp stamp = Stamp("c-1");
  stamp.txn = Txn{"project/node", 12, std::nullopt};
  stamp.in_commit_timestamp = 5;
  stamp.extra = {{"sluice", R"({"run":"r"})"}, {"broken", "no json"}};
  EXPECT_EQ(
      RenderCommit(Append(3, "p"), stamp),
      R"({"commitInfo":{"timestamp":1700000000000,"inCommitTimestamp":5,"operation":"WRITE","operationParameters":{"mode":"Append","partitionBy":"[]"},)"
      R"("readVersion":3,"isolationLevel":"Serializable","isBlindAppend":true,"operationMetrics":{"numFiles":"1"},"engineInfo":"sluice/test","txnId":"c-1",)"
      R"("broken":"no json","sluice":{"run":"r"}}})"
      "\n"
      R"({"txn":{"appId":"project/node","version":12}})"
      "\n"
      R"({"add":{"path":"p","partitionValues":{},"size":1,"modificationTime":0,"dataChange":true}})"
      "\n");
}

TEST_F(CommitTest, RebasesPastAppendsAndNumbersContiguously) {
  EXPECT_EQ(Put(Creation(), "a"), 0);
  EXPECT_EQ(Put(Append(0, "x"), "b"), 1);
  EXPECT_EQ(Put(Append(0, "y"), "c"), 2);
  const auto snapshot = LoadSnapshot(*store_, kRoot);
  ASSERT_TRUE(snapshot) << snapshot.error().ToString();
  EXPECT_EQ(snapshot->version, 2);
  EXPECT_EQ(snapshot->files.size(), 2U);
}

TEST_F(CommitTest, SecondCreationConflicts) {
  Put(Creation(), "a");
  const auto outcome = Commit(*store_, kRoot, Creation(), Stamp("b"), clock_);
  EXPECT_EQ(std::get<Conflicted>(*outcome).with.version, 0);
}

TEST_F(CommitTest, TheSameCommitTwiceIsOne) {
  Put(Creation(), "a");
  EXPECT_EQ(Put(Append(0, "x"), "same"), 1);
  Put(Append(1, "y"), "other");
  EXPECT_EQ(Put(Append(0, "x"), "same"), 1);
  EXPECT_EQ(LoadSnapshot(*store_, kRoot)->version, 2);
}

TEST_F(CommitTest, ForeignTransactionOfOurApplicationConflicts) {
  Put(Creation(), "a");
  CommitStamp stamp = Stamp("b");
  stamp.txn = Txn{"app", 1, std::nullopt};
  ASSERT_TRUE(Commit(*store_, kRoot, Append(0, "x"), stamp, clock_));
  stamp.commit_id = "c";
  const auto outcome = Commit(*store_, kRoot, Append(0, "y"), stamp, clock_);
  EXPECT_NE(std::get<Conflicted>(*outcome).with.what.find("transaction 1 of app"), std::string::npos);
}

TEST_F(CommitTest, NeverFillsAHoleThatCleanUpLeft) {
  Put(Creation(), "a");
  for (int64_t v = 0; v < 4; ++v) Put(Append(v, "f" + std::to_string(v)), "c" + std::to_string(v));
  ASSERT_TRUE(WriteCheckpoint(*store_, kRoot, *LoadSnapshot(*store_, kRoot), clock_));
  for (int64_t v = 0; v < 3; ++v) ASSERT_TRUE(store_->Delete(LogKey(kRoot, CommitFileName(v))));
  const auto outcome = Commit(*store_, kRoot, Append(0, "late"), Stamp("late"), clock_);
  ASSERT_TRUE(std::holds_alternative<Conflicted>(*outcome));
  EXPECT_FALSE(store_->Head(LogKey(kRoot, CommitFileName(1))));
}

TEST_F(CommitTest, InCommitTimestampPassesThoseOfTheCommitsBefore) {
  Put(Creation(), "a");
  CommitStamp stamp = Stamp("b");
  stamp.in_commit_timestamp = 9'000;
  ASSERT_TRUE(Commit(*store_, kRoot, Append(0, "x"), stamp, clock_));
  stamp.commit_id = "c";
  stamp.in_commit_timestamp = 5;
  ASSERT_TRUE(Commit(*store_, kRoot, Append(0, "y"), stamp, clock_));
  EXPECT_EQ(InCommitTimestamp(*ParseCommit(Text(2))), 9'001);
}

TEST_F(CommitTest, NextInCommitTimestampIsLaterThanTheSnapshots) {
  Snapshot snapshot;
  snapshot.timestamp = 50;
  EXPECT_EQ(NextInCommitTimestamp(&snapshot, {}, Instant{40'000}), std::nullopt);
  snapshot.metadata.configuration["delta.enableInCommitTimestamps"] = "true";
  EXPECT_EQ(NextInCommitTimestamp(&snapshot, {}, Instant{40'000}), 51);
  EXPECT_EQ(NextInCommitTimestamp(&snapshot, {}, Instant{70'000}), 70);
}

// Whatever the store does at whichever operation of a commit, the commit is there once, or is not, and the outcome tells which.
TEST_F(CommitTest, AnyLostOrLateAnswerIsSettled) {
  using store::FaultKind;
  for (const FaultKind kind : {FaultKind::kFail, FaultKind::kLoseAnswer, FaultKind::kLoseRequest, FaultKind::kLate}) {
    for (int64_t at = 1; at <= 4; ++at) {
      const auto store = store::NewMemoryStore(clock_);
      ASSERT_TRUE(Commit(*store, kRoot, Creation(), Stamp("a"), clock_));
      store::FaultyStore faulty(*store, {.faults = {{.at = at, .kind = kind, .late_by = 2}}});
      const auto outcome = PutCommit(faulty, kRoot, 1, Append(0, "x"), Stamp("mine"), clock_);
      faulty.LandLate();
      ASSERT_TRUE(outcome) << static_cast<int>(kind) << " at " << at << ": " << outcome.error().ToString();
      EXPECT_TRUE(std::holds_alternative<Committed>(*outcome));
      const auto snapshot = LoadSnapshot(*store, kRoot);
      EXPECT_EQ(snapshot->version, 1);
      EXPECT_EQ(snapshot->files.size(), 1U);
    }
  }
}

TEST_F(CommitTest, LostAnswerToALostRaceIsALostRace) {
  Put(Creation(), "a");
  Put(Append(0, "theirs"), "theirs");
  store::FaultyStore faulty(*store_, {.faults = {{.at = 1, .kind = store::FaultKind::kLoseAnswer}}});
  const auto outcome = PutCommit(faulty, kRoot, 1, Append(0, "x"), Stamp("mine"), clock_);
  EXPECT_EQ(std::get<LostRace>(*outcome).version, 1);
}

TEST_F(CommitTest, AStoreThatNeverAnswersIsAnErrorAndNoOtherVersion) {
  Put(Creation(), "a");
  std::vector<store::Fault> faults;
  for (int64_t at = 1; at <= 100; ++at) faults.push_back({.at = at, .kind = store::FaultKind::kLoseRequest});
  store::FaultyStore faulty(*store_, {.faults = faults});
  const auto outcome = PutCommit(faulty, kRoot, 1, Append(0, "x"), Stamp("mine"), clock_);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, "commit-unknown");
  EXPECT_EQ(outcome.error().kind, ErrorKind::kRetryable);
  EXPECT_EQ(LoadSnapshot(*store_, kRoot)->version, 0);
}

class FullDisk : public store::FaultyStore {
 public:
  using FaultyStore::FaultyStore;
  Result<store::PutOutcome> PutIfAbsent(std::string_view, std::string_view) override {
    return Fail(RetryableError("disk-full", "no space left"));
  }
};

TEST_F(CommitTest, AFullDiskIsToldAtOnce) {
  Put(Creation(), "a");
  FullDisk full(*store_);
  const Instant before = clock_.Now();
  const auto outcome = PutCommit(full, kRoot, 1, Append(0, "x"), Stamp("mine"), clock_);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, "disk-full");
  EXPECT_EQ(clock_.Now(), before) << "it waited for a disk to empty itself";
}

TEST_F(CommitTest, PreparedCommitsComeBackFromTheirRecord) {
  PreparedCommit commit = Append(7, "c=%2520/x");
  commit.actions.push_back(
      Remove{.path = "old", .deletion_timestamp = 3, .extended_file_metadata = true, .partition_values = {{"c", std::nullopt}}});
  commit.actions.push_back(DomainMetadata{"d", "{}", false});
  commit.reads = ReadScope::kPartitions;
  commit.read_where = {{{{"c", contract::TypeKind::kString, PartitionComparison::Op::kEqual, "1"}}},
                       {{{"d", contract::TypeKind::kDate, PartitionComparison::Op::kGreaterOrEqual, "2024-01-31"},
                         {"d", contract::TypeKind::kDate, PartitionComparison::Op::kLess, "2023-01-31"}},
                        {{"n", contract::TypeKind::kBigint, PartitionComparison::Op::kGreater, "5"}}}};
  const auto text = ToJson(commit).dump();
  const auto back = PreparedCommitFromJson(nlohmann::json::parse(text));
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(*back, commit);
  EXPECT_EQ(*PreparedCommitFromJson(ToJson(Creation())), Creation());
}

TEST_F(CommitTest, BrokenRecordsAreErrors) {
  auto json = ToJson(Append(7, "x"));
  json["reads"] = "everything";
  EXPECT_FALSE(PreparedCommitFromJson(json));
  json["reads"] = "partitions";
  json["read_where"] = nlohmann::json::parse(R"([[[{"column":"c","type":"string","op":"~","value":"1"}]]])");
  EXPECT_FALSE(PreparedCommitFromJson(json));
  json = ToJson(Append(7, "x"));
  json["actions"][0] = R"({"future":{}})";
  EXPECT_FALSE(PreparedCommitFromJson(json));
  json.erase("table_id");
  EXPECT_FALSE(PreparedCommitFromJson(json));
  EXPECT_FALSE(PreparedCommitFromJson(nlohmann::json::array()));
}

}  // namespace
}  // namespace sluice::delta
