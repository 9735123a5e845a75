// Writers of all kinds at one table at once, each with a store and an engine of its own: every change lands exactly once, whoever else
// comes between, and a reader sees whole commits only.
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "tables/check.h"
#include "tables/fault_scenes.h"
#include "tables/plain_commit.h"

namespace sluice::tables {
namespace {

using scenes::kRoot;

constexpr int kSeeds = 40, kRounds = 12, kAppenders = 2;
const char* const kSchema = "id: bigint, v: bigint, p: string";

// Rows of 'seed' are counted up, rows of 'doomed' are deleted one by one, each appender adds its own.
std::string RowsOf(const std::string& p, int from, int count) {
  return fmt::format("SELECT range AS id, 0::BIGINT AS v, '{}' AS p FROM range({}, {})", p, from, from + count);
}

class ConcurrentWriters : public ::testing::TestWithParam<bool> {
 protected:
  ConcurrentWriters() {
    Do(scenes::Append({kSchema, RowsOf("seed", 0, kSeeds), {"p"}, {{"delta.isolationLevel", "WriteSerializable"}}}), lake_.store(),
       lake_.connection(), "seed");
    Do(scenes::Append({kSchema, RowsOf("doomed", 1000, kRounds), {"p"}}), lake_.store(), lake_.connection(), "doomed");
  }
  void Do(const scenes::Job& job, store::ObjectStore& store, engines::Connection& connection, const std::string& application) {
    scenes::Workshop shop{store, connection, lake_.scratch(), GetParam()};
    Must(job(shop, application));
  }

  // One writer's life: its jobs, one after the other.
  std::thread Writer(const std::string& name, std::function<scenes::Job(int)> job) {
    return std::thread([this, name, job = std::move(job)] {
      try {
        const auto store = Must(store::OpenLocalStore(lake_.dir() + "/lake", false));
        const auto db = Must(engines::DuckDb::Open({}));
        const auto connection = Must(db->Connect());
        for (int n = 0; n < kRounds; ++n) Do(job(n), *store, *connection, fmt::format("{}-{}", name, n));
      } catch (const std::exception& error) {
        ADD_FAILURE() << name << ": " << error.what();
      }
    });
  }
  // What holds at every version: all seeds are there, and counted up together.
  void ReadUntil(const std::atomic<bool>& done) {
    int64_t last = -1;
    while (!done) {
      const auto snapshot = Must(delta::LoadSnapshot(lake_.store(), kRoot));
      EXPECT_GE(snapshot.version, last);
      last = snapshot.version;
      const auto seeds =
          lake_.Rows("SELECT count(*), min(v) = max(v) FROM " + Must(ScanFor(lake_.store(), kRoot, snapshot)).sql + " WHERE p = 'seed'");
      EXPECT_EQ(seeds, (std::vector<std::string>{fmt::format("{}|true", kSeeds)})) << "version " << snapshot.version;
    }
  }
  std::vector<std::string> Table(const std::string& what) {
    return lake_.Rows(
        fmt::format("SELECT {} FROM {}", what, Must(ScanFor(lake_.store(), kRoot, Must(delta::LoadSnapshot(lake_.store(), kRoot)))).sql));
  }

  TestLake lake_;
};

TEST_P(ConcurrentWriters, EveryChangeLandsOnce) {
  MergeStatement count;
  count.match = {"id"};
  count.clauses = {{MergeClause::When::kMatched, "target.p = 'seed'", MergeClause::Then::kUpdate, {{"v", "target.v + 1"}}}};
  std::vector<std::thread> writers;
  for (int appender = 0; appender < kAppenders; ++appender)
    writers.push_back(Writer(fmt::format("append-{}", appender), [appender](int n) {
      return scenes::Append({kSchema, RowsOf(fmt::format("of {}", appender), 10'000 * (appender + 1) + n * 5, 5), {"p"}});
    }));
  writers.push_back(Writer("merge", [&](int) { return scenes::MergeInto(RowsOf("any", 0, kSeeds), count); }));
  writers.push_back(Writer("update", [](int) { return scenes::Update({{"v", "v + 100"}}, "p = 'seed'"); }));
  writers.push_back(Writer("delete", [](int n) { return scenes::Delete(fmt::format("id = {}", 1000 + n)); }));
  writers.push_back(Writer("optimize", [](int) { return scenes::Optimize({}); }));
  std::atomic<bool> done = false;
  std::thread joiner([&] {
    for (auto& writer : writers) writer.join();
    done = true;
  });
  ReadUntil(done);
  joiner.join();
  EXPECT_EQ(Table("count(*) FILTER (p = 'seed' AND v = " + std::to_string(kRounds * 101) + "), count(*) FILTER (p = 'doomed')"),
            (std::vector<std::string>{fmt::format("{}|0", kSeeds)}));
  for (int appender = 0; appender < kAppenders; ++appender)
    EXPECT_EQ(Table(fmt::format("count(*) FILTER (p = 'of {0}'), count(DISTINCT id) FILTER (p = 'of {0}')", appender)),
              (std::vector<std::string>{fmt::format("{0}|{0}", kRounds * 5)}));
  const auto check = Must(CheckTable(lake_.store(), kRoot, lake_.connection()));
  for (const auto& finding : check.findings) ADD_FAILURE() << finding.code << " " << finding.where << ": " << finding.message;
}

TEST_P(ConcurrentWriters, AppendsNeverConflict) {
  const auto before = Must(delta::LoadSnapshot(lake_.store(), kRoot));
  std::vector<std::thread> writers;
  for (int appender = 0; appender < 4; ++appender)
    writers.emplace_back([&, appender] {
      try {
        const auto store = Must(store::OpenLocalStore(lake_.dir() + "/lake", false));
        const auto db = Must(engines::DuckDb::Open({}));
        const auto connection = Must(db->Connect());
        scenes::Workshop shop{*store, *connection, lake_.scratch(), GetParam()};
        for (int n = 0; n < kRounds; ++n) {
          // All of them prepared on the same version.
          const auto reader = Must(connection->Query(RowsOf("late", 100'000 * (appender + 1) + n, 1)));
          const auto change = Must(StageAppend(shop.Target(MakeSchema(kSchema), {"p"}, before), *reader, shop.Options()));
          delta::CommitStamp stamp;
          stamp.commit_id = NewUuid(SystemClock(), SystemRandom());
          stamp.now = SystemClock().Now();
          const auto outcome =
              Must(delta::Commit(*store, kRoot, change.commit, stamp, SystemClock(), delta::Isolation::kSerializable, 1000));
          EXPECT_TRUE(std::holds_alternative<delta::Committed>(outcome));
        }
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(Table("count(*) FILTER (p = 'late')"), (std::vector<std::string>{std::to_string(4 * kRounds)}));
  EXPECT_EQ(Must(delta::LoadSnapshot(lake_.store(), kRoot)).version, before.version + int64_t{4} * kRounds);
}

// Two operations prepared on the same version of a table with the partitions d = 1, 2, 3 and month = 2024-01, …, then committed one after
// the other.
class PartitionWriters : public ::testing::TestWithParam<bool> {
 protected:
  using Stage = std::function<Result<StagedChange>(const TableTarget&)>;
  PartitionWriters() {
    options_.file_prefix = "silver.t-1.1";
    options_.scratch_dir = lake_.scratch();
  }
  void Create(const std::string& isolation) {
    auto target = Now();
    target.properties = {{"delta.isolationLevel", isolation}};
    // Whoever is the first to use deletion vectors changes the table's properties.
    if (GetParam()) target.properties["delta.enableDeletionVectors"] = "true";
    Must(CommitPlainly(target, Must(Appended(Rows(1) + " UNION ALL " + Rows(2) + " UNION ALL " + Rows(3))(target)), {}));
  }
  static std::string Rows(int d) {
    return fmt::format("SELECT range AS id, {0}::INTEGER AS d, DATE '2024-01-15' + to_months({0} - 1) AS day FROM range({0}0, {0}5)", d);
  }
  TableTarget Now() {
    scenes::Workshop shop{lake_.store(), lake_.connection(), lake_.scratch(), GetParam()};
    auto target = shop.Target(MakeSchema("id: bigint, d: integer, day: date"), {"d", "month(day)"},
                              Must(delta::LoadSnapshotIfExists(lake_.store(), kRoot)));
    return target;
  }
  Stage Appended(const std::string& sql) {
    return [=, this](const TableTarget& target) { return StageAppend(target, *lake_.Read(sql), options_, &lake_.connection()); };
  }
  Stage Deleted(const std::string& where) {
    return [=, this](const TableTarget& target) { return StageDelete(target, lake_.connection(), where, options_); };
  }
  Stage Updated(const std::string& where) {
    return [=, this](const TableTarget& target) { return StageUpdate(target, lake_.connection(), {{"id", "id + 100"}}, where, options_); };
  }
  Stage Merged(const std::string& sql, MergeStatement statement) {
    statement.clauses = {{MergeClause::When::kMatched, "", MergeClause::Then::kUpdate, {{"id", "target.id + 100"}}}};
    return [=, this](const TableTarget& target) { return StageMergeStatement(target, lake_.connection(), {sql, {}}, statement, options_); };
  }
  Stage Keyed(const std::string& sql) {
    return [=, this](const TableTarget& target) {
      MergeSpec spec;
      spec.key = {"id", "d"};
      return StageMerge(target, lake_.connection(), {sql, {}}, spec, options_);
    };
  }
  Stage Replaced(const std::string& from, const std::string& to) {
    return [=, this](const TableTarget& target) {
      return StageInterval(target, lake_.connection(), {Rows(1) + " WHERE false", {}}, {"day", {{from, to}}}, options_);
    };
  }
  Stage Overwritten(const std::string& where) {
    return [=, this](const TableTarget& target) {
      return StageOverwrite(target, *lake_.Read(Rows(1) + " WHERE false"), {where}, options_, &lake_.connection());
    };
  }
  Stage Optimized() {
    return [=, this](const TableTarget& target) { return StageOptimize(target, lake_.connection(), {.z_order_by = {"id"}}, options_); };
  }

  // "" where both landed, else what the second was told.
  std::string Second(const Stage& first, const Stage& second) {
    const TableTarget target = Now();
    const auto one = Must(first(target)), other = Must(second(target));
    EXPECT_FALSE(one.empty);
    EXPECT_FALSE(other.empty);
    // As a batch's record keeps it.
    StagedChange kept = other;
    kept.commit = Must(delta::PreparedCommitFromJson(delta::ToJson(other.commit)));
    EXPECT_EQ(kept.commit, other.commit);
    Must(CommitPlainly(target, one, {}));
    const auto landed = CommitPlainly(target, kept, {});
    if (landed) return "";
    EXPECT_EQ(landed.error().code, "commit-conflict");
    return landed.error().message;
  }
  std::vector<std::string> Counts() {
    return lake_.Rows("SELECT d, count(*), min(id) FROM " +
                      Must(ScanFor(lake_.store(), kRoot, Must(delta::LoadSnapshot(lake_.store(), kRoot)))).sql + " GROUP BY d");
  }
  void Anew(const std::string& isolation) {
    std::filesystem::remove_all(lake_.dir() + "/lake/" + kRoot);
    Create(isolation);
  }

  TestLake lake_;
  StageOptions options_;
};

TEST_P(PartitionWriters, DeletesOfDifferentPartitionsBothLand) {
  Create("Serializable");
  EXPECT_EQ(Second(Deleted("d = 1 AND id > 11"), Deleted("d = 2")), "");
  EXPECT_EQ(Counts(), (std::vector<std::string>{"1|2|10", "3|5|30"}));
}

TEST_P(PartitionWriters, WhatTouchesOtherPartitionsIsNoConflict) {
  MergeStatement pinned, by_key;
  pinned.on = "target.d = 1 AND target.id = source.id";
  by_key.match = {"id", "d"};
  const std::string source = "SELECT 11::BIGINT AS id, 1::INTEGER AS d";
  const Stage ones[] = {Deleted("d = 1"),
                        Deleted("target.d IN (1, 7) AND id % 2 = 0"),
                        Updated("d < 2"),
                        Updated("day < '2024-02-01'"),
                        Merged(source, pinned),
                        Merged(source, by_key),
                        Keyed(source + ", DATE '2024-01-01' AS day"),
                        Replaced("2024-01-01", "2024-02-01"),
                        Overwritten("d = 1"),
                        Overwritten("day_month <= '2024-01' AND d <= 1")};
  size_t i = 0;
  for (const Stage& one : ones) {
    SCOPED_TRACE(i++);
    for (const Stage& elsewhere : {Appended(Rows(2)), Appended(Rows(4)), Deleted("d = 3"), Updated("d = 2")}) {
      Anew("Serializable");
      EXPECT_EQ(Second(elsewhere, one), "");
    }
    Anew("Serializable");
    EXPECT_NE(Second(Appended(Rows(1)), one).find("silver.t: WRITE came first: version 1 (WRITE) added rows to what this commit read"),
              std::string::npos);
    Anew("WriteSerializable");  // a blind append may come as if after it
    EXPECT_EQ(Second(Appended(Rows(1)), one), "");
    Anew("WriteSerializable");
    EXPECT_NE(Second(Updated("d = 1 AND id = 14"), one).find("UPDATE came first"), std::string::npos);
  }
}

TEST_P(PartitionWriters, APartitionThatComesToBeLaterIsReadWhereThePredicateCoversIt) {
  const Stage ranges[] = {Deleted("d >= 2"),
                          Deleted("d > 2 AND id > 0"),
                          Updated("d BETWEEN 3 AND 9"),
                          Deleted("day >= '2024-02-10'"),
                          Deleted("day_month >= '2024-02'"),
                          Replaced("2024-02-01", "2025-01-01"),
                          Overwritten("d = 3 OR d > 3")};
  size_t i = 0;
  for (const Stage& range : ranges) {
    SCOPED_TRACE(i++);
    Anew("Serializable");
    EXPECT_NE(Second(Appended(Rows(4)), range).find("WRITE came first"), std::string::npos);
    Anew("Serializable");
    EXPECT_EQ(Second(Appended(Rows(1)), range), "");
  }
}

TEST_P(PartitionWriters, WhatCannotBeToldReadsTheWholeTable) {
  MergeStatement any;
  any.match = {"id"};
  const Stage all[] = {Deleted(""),
                       Deleted("id < 12"),
                       Deleted("d = 1 OR id = 12"),
                       Deleted("d % 2 = 1"),
                       Updated("d <> 2"),
                       Deleted("abs(d) = 1"),
                       Deleted("d IS NULL OR d = 1"),
                       Merged("SELECT 11::BIGINT AS id", any),
                       Deleted("d = 1) OR (d > 0")};
  size_t i = 0;
  for (const Stage& one : all) {
    SCOPED_TRACE(i++);
    Anew("Serializable");
    EXPECT_NE(Second(Appended(Rows(4)), one), "");
  }
  // A bound that no value of the type is says what it says.
  Anew("Serializable");
  EXPECT_NE(Second(Appended(Rows(2)), Deleted("d > 1.5")), "");
}

TEST_P(PartitionWriters, PackingConflictsByItsFilesAlone) {
  Create("Serializable");
  EXPECT_EQ(Second(Appended(Rows(1)), Optimized()), "");
  EXPECT_NE(Second(Deleted("d = 1"), Optimized()).find("DELETE came first"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Tables, PartitionWriters, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("DeletionVectors") : std::string("Rewritten"); });

INSTANTIATE_TEST_SUITE_P(Tables, ConcurrentWriters, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("DeletionVectors") : std::string("Rewritten"); });

}  // namespace
}  // namespace sluice::tables
