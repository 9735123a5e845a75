#include "state/ledger.h"

#include <gtest/gtest.h>

#include "state/check_records.h"
#include "state/record_store.h"
#include "store/faulty_store.h"

namespace sluice::state {
namespace {

constexpr const char* kNode = "bronze.orders";

class LedgerTest : public testing::Test {
 protected:
  // A batch without tables: only its inputs and cursor.
  DoneRecord Batch(const std::vector<LedgerEntry>& files, bool replaces = false) {
    BatchLog log(*lake, clock, random, {.project = "p", .node = kNode, .run_id = "r"});
    const Reprepare none = [](const ReadyRecord&, const std::vector<size_t>&) -> Result<Repreparation> { return Repreparation{}; };
    const NodeState state = log.Recover(none).value();
    const OpenRecord open = log.Open(state, {}).value();
    ReadyRecord ready{.n = open.n, .attempt = open.attempt, .inputs = InputsOfFiles(files, replaces), .cursor = std::to_string(open.n)};
    EXPECT_TRUE(log.Decide(state, std::move(ready))->mine);
    return log.Finish(open.n, none).value();
  }
  NodeState State() { return BatchLog(*lake, clock, random, {.project = "p", .node = kNode, .run_id = "r"}).Load().value(); }
  FileLedger Ledger() { return LoadLedger(*lake, kNode, State()).value(); }
  static LedgerEntry File(int i) { return {"orders/" + std::to_string(i) + ".csv", 100 + i, "etag-" + std::to_string(i), 0}; }
  void DropIndexes() {
    const auto objects = lake->List("_sluice/index/").value();
    for (const auto& object : objects) ASSERT_TRUE(lake->Delete(object.key));
  }

  FixedClock clock{Instant{1'700'000'000'000'000}};
  SeededRandom random{1};
  std::unique_ptr<store::ObjectStore> lake = store::NewMemoryStore(clock);
};

TEST_F(LedgerTest, NamesEachFileWithTheLatestBatchThatTookIt) {
  EXPECT_TRUE(Ledger().files.empty());
  Batch({File(1), File(2)});
  LedgerEntry changed = File(2);
  changed.etag = "new";
  Batch({changed, File(3)});
  const FileLedger ledger = Ledger();
  EXPECT_EQ(ledger.through, 2);
  EXPECT_EQ(ledger.files.size(), 3u);
  EXPECT_EQ(ledger.files.at("orders/1.csv").batch, 1);
  EXPECT_EQ(ledger.files.at("orders/2.csv"), (LedgerEntry{"orders/2.csv", 102, "new", 2}));
}

TEST_F(LedgerTest, KeepsPathsWithAnyCharacter) {
  const LedgerEntry odd{"a\tb\n%20 ü/\"x\".csv", 1, "e\tt", 0};
  Batch({odd});
  EXPECT_EQ(Ledger().files.at(odd.path).etag, odd.etag);
  DropIndexes();
  EXPECT_EQ(Ledger().files.at(odd.path).etag, odd.etag);
}

TEST_F(LedgerTest, KeepsWhatIsKnownOfTheContents) {
  const LedgerEntry read{"a.csv", 1, "e", 1, "xxh3:1", ""}, renamed{"b.csv", 1, "e", 1, "xxh3:1", "a\t.csv"}, unknown{"c.csv", 1, "e", 1};
  Batch({read, renamed, unknown});
  const auto with = Ledger().files;
  DropIndexes();
  for (const auto& files : {with, Ledger().files}) {
    EXPECT_EQ(files.at("a.csv"), read);
    EXPECT_EQ(files.at("b.csv"), renamed);
    EXPECT_EQ(files.at("c.csv"), unknown);
  }
}

TEST_F(LedgerTest, IsTheSameWithAndWithoutItsIndexes) {
  for (int i = 0; i < 70; ++i) Batch({File(i), File(i / 2)});
  const FileLedger with = Ledger();
  EXPECT_EQ(with.files.size(), 70u);
  EXPECT_LT(lake->List("_sluice/index/")->size(), 40u);  // joined now and then
  DropIndexes();
  const FileLedger without = Ledger();
  EXPECT_EQ(with.files, without.files);
  EXPECT_EQ(RebuildIndexes(*lake).value(), std::vector<std::string>{kNode});
  EXPECT_EQ(Ledger().files, with.files);
  EXPECT_EQ(State().last_done, 70);
}

TEST_F(LedgerTest, ADamagedIndexIsPassedOver) {
  for (int i = 0; i < 40; ++i) Batch({File(i)});
  const auto before = Ledger().files;
  const auto objects = lake->List("_sluice/index/").value();
  for (const auto& object : objects) ASSERT_TRUE(lake->Put(object.key, "garbage"));
  EXPECT_EQ(Ledger().files, before);
  EXPECT_EQ(State().cursor, "40");
}

TEST_F(LedgerTest, ABatchMayReplaceTheLedger) {
  Batch({File(1), File(2)});
  Batch({File(2)}, true);
  EXPECT_EQ(Ledger().files.size(), 1u);
  DropIndexes();
  EXPECT_EQ(Ledger().files.size(), 1u);
}

TEST_F(LedgerTest, AnIndexOfRecordsThatAreNotThereIsNotBelieved) {
  Batch({File(1)});
  WriteHead(*lake, kNode, MakeHead(DoneRecord{.n = 9}, ReadyRecord{.cursor = "99"}));
  EXPECT_EQ(State().last_done, 1);
  EXPECT_EQ(State().cursor, "1");
}

TEST_F(LedgerTest, LoadingStaysAFewReadsAfterThousandsOfBatches) {
  for (int i = 0; i < 300; ++i) Batch({File(i)});
  store::FaultyStore counted(*lake);
  const NodeState state = BatchLog(counted, clock, random, {.project = "p", .node = kNode, .run_id = "r"}).Load().value();
  EXPECT_EQ(state.last_done, 300);
  EXPECT_EQ(counted.operation_count(), 2);
  EXPECT_EQ(LoadLedger(counted, kNode, state)->files.size(), 300u);
  EXPECT_LT(counted.operation_count(), 2 + 2 + 32);
}

TEST_F(LedgerTest, ALostOrDamagedDoneRecordForgetsNoFile) {
  for (int i = 1; i <= 4; ++i) Batch({File(i)});
  const auto before = Ledger();
  const std::string second = lake->Get(DoneKey(kNode, 2)).value();
  ASSERT_TRUE(lake->Delete(DoneKey(kNode, 2)));
  ASSERT_TRUE(lake->Put(DoneKey(kNode, 4), "{"));
  ASSERT_TRUE(RebuildIndexes(*lake));
  EXPECT_EQ(Ledger().files, before.files);
  EXPECT_EQ(lake->Get(DoneKey(kNode, 2)).value(), second);
  EXPECT_EQ(State().last_done, 4);
}

TEST_F(LedgerTest, ADamagedDecisionIsFoundBehindTheIndex) {
  for (int i = 1; i <= 3; ++i) Batch({File(i)});
  EXPECT_TRUE(CheckRecords(*lake)->faults.empty());
  EXPECT_EQ(CheckRecords(*lake)->batches, 3);
  ASSERT_TRUE(lake->Put(ReadyKey(kNode, 3, 1), "{"));
  ASSERT_TRUE(lake->Delete(ReadyKey(kNode, 2, 1)));
  ASSERT_TRUE(lake->Put(DoneKey(kNode, 1), "{"));
  EXPECT_EQ(State().last_done, 3);  // by the index
  const auto check = CheckRecords(*lake);
  ASSERT_TRUE(check);
  ASSERT_EQ(check->faults.size(), 3u);
  EXPECT_EQ(check->faults[0].code, "bad-record");
  EXPECT_NE(check->faults[0].hint.find("sluice state rebuild"), std::string::npos);
  EXPECT_EQ(check->faults[1].code, "record-missing");
  EXPECT_EQ(check->faults[2].code, "bad-record");
  EXPECT_NE(check->faults[2].hint.find("keep _sluice/index"), std::string::npos) << check->faults[2].hint;
}

TEST_F(LedgerTest, ARebuildThatFailsLeavesTheIndexThatThereIs) {
  for (int i = 1; i <= 3; ++i) Batch({File(i)});
  ASSERT_TRUE(lake->Put(ReadyKey(kNode, 3, 1), "{"));
  EXPECT_EQ(RebuildIndexes(*lake).error().code, "bad-record");
  EXPECT_EQ(State().last_done, 3);
  EXPECT_EQ(Ledger().files.size(), 3u);
}

TEST_F(LedgerTest, ARecordOfANewerSluiceIsNotMended) {
  Batch({File(1)});
  const std::string newer = R"({"format":2,"n":1})";
  ASSERT_TRUE(lake->Put(DoneKey(kNode, 1), newer));
  const auto rebuilt = RebuildIndexes(*lake);
  ASSERT_FALSE(rebuilt);
  EXPECT_EQ(rebuilt.error().code, "newer-record");
  EXPECT_EQ(lake->Get(DoneKey(kNode, 1)).value(), newer);
}

TEST_F(LedgerTest, HistoryIsNewestFirst) {
  for (int i = 0; i < 3; ++i) Batch({File(i)});
  const auto history = History(*lake, kNode, 2).value();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].n, 3);
  EXPECT_EQ(history[0].attempts, 1);
  EXPECT_EQ(history[0].ready->cursor, "3");
  EXPECT_TRUE(history[1].done);
  EXPECT_EQ(NodesWithRecords(*lake).value(), std::vector<std::string>{kNode});
}

}  // namespace
}  // namespace sluice::state
