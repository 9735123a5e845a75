// Whole commands over a lake of files: a VACUUM that keeps nothing for its age between any two operations of a run, of a rollback, of
// another VACUUM; rollbacks killed anywhere; logs that are cleaned while somebody has not read them.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/cli.h"
#include "core/time.h"
#include "delta/commit.h"
#include "delta/log_files.h"
#include "store/faulty_store.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using store::FaultKind;
using store::Operation;

constexpr int64_t kDayMicros = 86'400'000'000;

class Shop {
 public:
  Shop() : folder_(fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path()) {
    static int made = 0;
    folder_ /= fmt::format("sluice-rollback-{}-{}", getpid(), ++made);
    Write("sluice.yml", "project: shop\nlake: ./lake\nconnections:\n  drop: { type: files, path: ./landing }\n");
    Write("sources/orders.yml",
          "connection: drop\nread: { files: \"*.csv\", header: true, delimiter: \",\" }\ncontract:\n  columns:\n"
          "    - { name: id, type: bigint, not_null: true }\n    - { name: seq, type: bigint }\n");
    Write("models/silver/orders.sql", "select id, seq from new(bronze.orders)");
    Write("models/silver/orders.yml", "store: merge\nkey: [id]\nsequence_by: [seq]\ndelete_when: \"seq % 7 = 6\"\n");
    Write("models/silver/log.sql", "select id, seq from new(bronze.orders)");
    Write("models/silver/log.yml", "store: append\npublish: evening\n");
    Write("models/gold/entries.sql", "select id from new(silver.log)");
    Write("models/gold/entries.yml", "store: append\npublish: evening\n");
    Deliver(1);
    EXPECT_EQ(Run(), 0) << said_;
    Deliver(2);
    EXPECT_EQ(Run(), 0) << said_;
  }
  ~Shop() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void Write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  // Ten new orders, two changed ones, one deleted, one refused.
  void Deliver(int day) {
    std::string text = "id,seq\nnone,1\n";
    for (int i = 0; i < 10; ++i) text += fmt::format("{},{}\n", day * 10 + i, day * 7);
    for (int i = 0; i < 3; ++i) text += fmt::format("{},{}\n", day * 10 - 10 + i, day * 7 + (i == 2 ? 6 : 0));
    Write(fmt::format("landing/{}.csv", day), text);
  }
  // As it is now, to begin again from it.
  void Keep() { fs::copy(folder_ / "lake", folder_ / "kept", fs::copy_options::recursive); }
  void Again() {
    fs::remove_all(folder_ / "lake");
    fs::copy(folder_ / "kept", folder_ / "lake", fs::copy_options::recursive);
  }
  fs::path lake() const { return folder_ / "lake"; }

  int Command(std::vector<std::string> args, store::FaultyOptions options = {}) {
    clock_.SleepMillis(120'000);  // past the lease of a command that was killed: its process, this one, still lives
    Hooks hooks;
    hooks.clock = &clock_;
    hooks.open_lake = [&](const std::string& lake) -> Result<std::unique_ptr<store::ObjectStore>> {
      SLUICE_TRY(auto inner, store::OpenLocalStore(lake, false));
      return std::make_unique<Counting>(std::move(inner), options, &operations_);
    };
    for (const char* more : {"-C", "", "--threads", "2", "--memory", "512MiB", "-q"}) args.emplace_back(*more ? more : folder_.string());
    std::ostringstream out, err;
    const int exit = Main(args, out, err, hooks);
    out_ = out.str();
    said_ = out.str() + err.str();
    return exit;
  }
  int Run(store::FaultyOptions options = {}) { return Command({"run", "--parallel", "1"}, std::move(options)); }
  int Restore(store::FaultyOptions options = {}) {
    return Command({"table", "restore", "bronze.orders", "--to", "0", "--with-later"}, std::move(options));
  }
  int Vacuum(store::FaultyOptions options = {}) {
    return Command({"table", "vacuum", "--all", "--retention", "0s", "--force"}, std::move(options));
  }

  // By another process, while a command is under way: what that says and counts stays.
  int VacuumMeanwhile() {
    const int64_t operations = operations_;
    const int exit = Vacuum();
    operations_ = operations;
    return exit;
  }

  std::string Rows(const std::string& table, const std::string& columns = "id, seq") {
    EXPECT_EQ(Command({"query", fmt::format("select {0} from {1} order by all", columns, table), "--format", "csv"}), 0) << said_;
    return out_;
  }
  std::string Everything() {
    return Rows("bronze.orders") + Rows("silver.orders") + Rows("silver.log") + Rows("gold.entries", "id") +
           Rows("quarantine.orders", "_file, \"record\"");
  }
  void ExpectSound(const std::string& what) {
    for (const char* table : {"bronze.orders", "quarantine.orders", "silver.orders", "silver.log", "gold.entries"})
      EXPECT_EQ(Command({"table", "check", table}), 0) << what << ": " << said_;
  }

  const std::string& said() const { return said_; }
  int64_t operations() const { return operations_; }
  FixedClock& clock() { return clock_; }

 private:
  // Says how many operations a store has seen when it goes.
  class Counting : public store::FaultyStore {
   public:
    Counting(std::unique_ptr<store::ObjectStore> inner, store::FaultyOptions options, int64_t* count)
        : FaultyStore(std::move(inner), std::move(options)), count_(count) {}
    ~Counting() override { *count_ = operation_count(); }

   private:
    int64_t* count_;
  };

  fs::path folder_;
  // All that is written is by far older than any retention: only what the rules keep is kept.
  FixedClock clock_{Instant{SystemClock().Now().micros + 60 * kDayMicros}};
  int64_t operations_ = 0;
  std::string out_, said_;
};

store::FaultyOptions Before(int64_t at, std::function<void()> what) {
  return {.before = [at, what = std::move(what)](const Operation& operation) {
    if (operation.number == at) what();
  }};
}

// Of all points some, evenly; SLUICE_EXHAUSTIVE=1: all.
std::vector<int64_t> Points(int64_t operations, int64_t most = 16) {
  const int64_t step = std::getenv("SLUICE_EXHAUSTIVE") != nullptr ? 1 : std::max<int64_t>(1, operations / most) | 1;
  std::vector<int64_t> points;
  for (int64_t at = 1; at <= operations; at += step) points.push_back(at);
  return points;
}

class RollbackSweep : public testing::Test {
 protected:
  RollbackSweep() {
    shop_.Keep();
    before_ = shop_.Everything();
  }
  // What a run gives that nobody disturbs, and how many operations it takes.
  std::string Undisturbed(int64_t* operations) {
    EXPECT_EQ(shop_.Run(), 0) << shop_.said();
    *operations = shop_.operations();
    const std::string rows = shop_.Everything();
    shop_.Again();
    return rows;
  }
  Shop shop_;
  std::string before_;
};

TEST_F(RollbackSweep, AVacuumBetweenAnyTwoOperationsOfARun) {
  shop_.Deliver(3);
  int64_t operations = 0;
  const std::string expected = Undisturbed(&operations);
  ASSERT_NE(expected, before_);
  for (const int64_t at : Points(operations)) {
    shop_.Again();
    int vacuumed = -1;
    EXPECT_EQ(shop_.Run(Before(at, [&] { vacuumed = shop_.VacuumMeanwhile(); })), 0) << at << ": " << shop_.said();
    EXPECT_EQ(vacuumed, 0) << at;
    shop_.ExpectSound(fmt::format("vacuum at {}", at));
    // The VACUUM takes whoever sleeps for dead, and may have closed the batch that was begun: then the run followed, and took nothing.
    EXPECT_EQ(shop_.Run(), 0) << at << ": " << shop_.said();
    EXPECT_EQ(shop_.Everything(), expected) << at;
    shop_.ExpectSound(fmt::format("vacuum at {}", at));
  }
}

TEST_F(RollbackSweep, AVacuumAfterARunDiedAnywhere) {
  shop_.Deliver(3);
  int64_t operations = 0;
  const std::string expected = Undisturbed(&operations);
  for (const int64_t at : Points(operations)) {
    shop_.Again();
    (void)shop_.Run({.faults = {{.at = at, .kind = FaultKind::kKillAfter}}});
    EXPECT_EQ(shop_.Vacuum(), 0) << at << ": " << shop_.said();
    EXPECT_EQ(shop_.Run(), 0) << at << ": " << shop_.said();
    EXPECT_EQ(shop_.Everything(), expected) << at;
    shop_.ExpectSound(fmt::format("killed at {}, vacuum", at));
  }
}

TEST_F(RollbackSweep, ARestoreIsKilledAnywhere) {
  ASSERT_EQ(shop_.Restore(), 0) << shop_.said();
  const int64_t operations = shop_.operations();
  const std::string restored = shop_.Everything();
  ASSERT_NE(restored, before_);
  for (const int64_t at : Points(operations)) {
    shop_.Again();
    (void)shop_.Restore({.faults = {{.at = at, .kind = FaultKind::kKillAfter}}});
    EXPECT_EQ(shop_.Restore(), 0) << at << ": " << shop_.said();
    EXPECT_EQ(shop_.Everything(), restored) << at;
    EXPECT_EQ(shop_.Run(), 0) << at << ": " << shop_.said();
    EXPECT_EQ(shop_.Everything(), before_) << at;
    shop_.ExpectSound(fmt::format("killed at {}", at));
  }
}

// The versions to be restored are older than the retention: the VACUUM may be first, and then the restore is refused; or it comes while
// the restore is under way, and then it must not take what that needs.
TEST_F(RollbackSweep, AVacuumBetweenAnyTwoOperationsOfARestore) {
  ASSERT_EQ(shop_.Restore(), 0) << shop_.said();
  const int64_t operations = shop_.operations();
  const std::string restored = shop_.Everything();
  int went = 0, refused = 0;
  for (const int64_t at : Points(operations)) {
    shop_.Again();
    const int exit = shop_.Restore(Before(at, [&] { EXPECT_EQ(shop_.VacuumMeanwhile(), 0); }));
    const std::string said = shop_.said();
    if (exit == 0) {
      ++went;
      EXPECT_EQ(shop_.Everything(), restored) << at;
    } else {
      ++refused;
      const bool overtaken = said.find("restore-overtaken") != std::string::npos;  // taken for dead, its batch was closed
      EXPECT_TRUE(overtaken || said.find("restore-impossible") != std::string::npos) << at << ": " << said;
    }
    shop_.ExpectSound(fmt::format("vacuum at {}", at));
    EXPECT_EQ(shop_.Run(), 0) << at << ": " << shop_.said();
    EXPECT_EQ(shop_.Everything(), before_) << at;
  }
  EXPECT_GT(went, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(RollbackSweep, TwoVacuumsAtOnce) {
  ASSERT_EQ(shop_.Vacuum(), 0) << shop_.said();
  const int64_t operations = shop_.operations();
  for (const int64_t at : Points(operations, 8)) {
    shop_.Again();
    EXPECT_EQ(shop_.Vacuum(Before(at, [&] { EXPECT_EQ(shop_.VacuumMeanwhile(), 0); })), 0) << at << ": " << shop_.said();
    EXPECT_EQ(shop_.Everything(), before_) << at;
    shop_.ExpectSound(fmt::format("vacuum at {}", at));
  }
}

TEST(Rollback, ByTimeEveryTableOfTheNodeGoesBack) {
  Shop shop;
  const std::string before = shop.Rows("bronze.orders");
  const auto age = [&](const char* table, int version, int days) {
    const fs::path commit = shop.lake() / table / "_delta_log" / delta::CommitFileName(version);
    fs::last_write_time(commit, fs::last_write_time(commit) - std::chrono::hours(24 * days));
  };
  age("bronze/orders", 0, 5);
  age("bronze/orders", 1, 3);
  age("quarantine/orders", 0, 5);
  age("quarantine/orders", 1, 1);  // the second batch was half committed at the time that is asked for: it does not count
  const std::string time = FormatInstant(Instant{SystemClock().Now().micros - 2 * kDayMicros});
  ASSERT_EQ(shop.Command({"table", "restore", "bronze.orders", "--to", time, "--with-later"}), 0) << shop.said();
  EXPECT_NE(shop.said().find("bronze.orders  is again as after batch 1"), std::string::npos) << shop.said();
  EXPECT_NE(shop.said().find("bronze.orders  v1→v2  version 0"), std::string::npos) << shop.said();
  EXPECT_NE(shop.said().find("quarantine.orders  v1→v2  version 0"), std::string::npos) << shop.said();
  EXPECT_NE(shop.Rows("bronze.orders"), before);
  ASSERT_EQ(shop.Run(), 0) << shop.said();
  EXPECT_EQ(shop.Rows("bronze.orders"), before);
}

// ---- logs

class LogCleanup : public testing::Test {
 protected:
  // Logs of bronze are kept for a day; all that is there is ten days old.
  LogCleanup() {
    const auto store = store::OpenLocalStore(shop_.lake().string(), false).value();
    auto snapshot = delta::LoadSnapshot(*store, "bronze/orders").value();
    delta::Metadata metadata = snapshot.metadata;
    metadata.configuration["delta.logRetentionDuration"] = "interval 1 days";
    delta::PreparedCommit commit{
        .table_id = metadata.id, .read_version = snapshot.version, .actions = {metadata}, .operation = "SET TBLPROPERTIES"};
    const delta::CommitStamp stamp{.commit_id = "properties", .now = SystemClock().Now(), .engine_info = "test"};
    EXPECT_TRUE(delta::Commit(*store, "bronze/orders", commit, stamp, SystemClock()));
    shop_.clock().Set(Instant{SystemClock().Now().micros + 10 * kDayMicros});
  }
  bool HasCommit(int64_t version) { return fs::exists(shop_.lake() / "bronze/orders/_delta_log" / delta::CommitFileName(version)); }
  void DeliverAndIngest(int from, int to, const std::vector<std::string>& nodes) {
    for (int day = from; day <= to; ++day) {
      shop_.Deliver(day);
      std::vector<std::string> args{"run", "--parallel", "1"};
      args.insert(args.end(), nodes.begin(), nodes.end());
      ASSERT_EQ(shop_.Command(args), 0) << shop_.said();
    }
  }
  Shop shop_;
};

TEST_F(LogCleanup, FollowsACheckpointWhereNobodyNeedsTheLog) {
  DeliverAndIngest(3, 21, {});
  EXPECT_FALSE(HasCommit(3));
  EXPECT_TRUE(HasCommit(20));
  shop_.ExpectSound("cleaned");
}

TEST_F(LogCleanup, LeavesWhatAReaderHasNotRead) {
  DeliverAndIngest(3, 22, {"-s", "bronze.orders"});
  ASSERT_TRUE(HasCommit(20));
  EXPECT_TRUE(HasCommit(2));  // silver.orders has read version 1
  ASSERT_EQ(shop_.Run(), 0) << shop_.said();
  EXPECT_EQ(shop_.said().find("reads the whole table"), std::string::npos) << shop_.said();
  DeliverAndIngest(23, 33, {});
  EXPECT_FALSE(HasCommit(2));  // now it has read on
}

}  // namespace
}  // namespace sluice::cli
