// OPTIMIZE, VACUUM, RESTORE and the difference of two versions.
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "tables/dml.h"
#include "tables/file_stats.h"
#include "tables/optimize.h"
#include "tables/plain_commit.h"
#include "tables/restore.h"
#include "tables/table_fixture.h"
#include "tables/tombstones.h"
#include "tables/vacuum.h"

namespace sluice::tables {
namespace {

class MaintenanceTest : public TableTest {
 protected:
  MaintenanceTest() { deletion_vectors_ = true; }
  void Fill(int64_t from, int64_t to) {
    Commit(Append(Target("id: bigint, v: bigint"), fmt::format("SELECT range AS id, range % 7 AS v FROM range({}, {})", from, to)));
  }
  void Delete(const std::string& where) { Commit(Must(StageDelete(Target(""), lake_.connection(), where, Options()))); }
  StagedChange Optimized(const OptimizeSpec& spec = {}) {
    const auto target = Target("");
    StagedChange change = Must(StageOptimize(target, lake_.connection(), spec, Options()));
    if (!change.empty) CommitAsScanned(target, change);
    return change;
  }
  delta::Snapshot Now() { return Must(delta::LoadSnapshot(lake_.store(), kRoot)); }
  std::vector<VacuumedFile> Vacuumed(VacuumSpec spec = {}) {
    spec.clock = &later_;
    return Must(Vacuum(lake_.store(), kRoot, spec));
  }
  FixedClock later_{Instant{SystemClock().Now().micros + 30LL * 86'400 * 1'000'000}};
};

TEST_F(MaintenanceTest, OptimizePacksSmallFilesAndChangesNoRow) {
  for (int i = 0; i < 5; ++i) Fill(int64_t{i} * 10, int64_t{i} * 10 + 10);
  const auto before = Table();
  const auto change = Optimized();
  EXPECT_EQ(Now().files.size(), 1u);
  EXPECT_EQ(Table(), before);
  for (const delta::Action& action : change.commit.actions) {
    if (const auto* add = std::get_if<delta::Add>(&action)) {
      EXPECT_FALSE(add->data_change);
    }
    if (const auto* remove = std::get_if<delta::Remove>(&action)) {
      EXPECT_FALSE(remove->data_change);
    }
  }
  EXPECT_TRUE(Optimized().empty);
}

TEST_F(MaintenanceTest, TheLogIsCleanedBehindACheckpointUpToWhatSomebodyNeeds) {
  for (int i = 0; i < 10; ++i) Fill(int64_t{i} * 10, int64_t{i} * 10 + 10);
  FixedClock much_later(Instant{SystemClock().Now().micros + 60LL * 86'400 * 1'000'000});
  const auto oldest = [&] { return Must(lake_.store().List(std::string(kRoot) + "/_delta_log/0")).front().key; };
  PlainWriter writer{.operation_id = "op", .clock = &much_later};
  auto target = Target("");
  ASSERT_EQ(Must(CommitPlainly(target, Must(StageOptimize(target, lake_.connection(), {}, Options())), writer)), 10);
  EXPECT_TRUE(oldest().ends_with("00.json")) << oldest();  // nobody knows who reads it
  for (int i = 11; i < 20; ++i) Fill(int64_t{i} * 10, int64_t{i} * 10 + 10);
  writer.log_floor = []() -> Result<int64_t> { return 12; };
  target = Target("");
  ASSERT_EQ(Must(CommitPlainly(target, Must(StageOptimize(target, lake_.connection(), {}, Options())), writer)), 20);
  EXPECT_TRUE(oldest().ends_with("10.checkpoint.parquet")) << oldest();
  EXPECT_EQ(Must(delta::LoadSnapshot(lake_.store(), kRoot, 12)).version, 12);
}

TEST_F(MaintenanceTest, OptimizeLeavesPartitionsWithFewSmallFilesAlone) {
  const auto append = [&](int64_t from, const std::string& p) {
    Commit(
        Append(Target("id: bigint, p: string", {"p"}), fmt::format("SELECT range AS id, '{}' AS p FROM range({}, {})", p, from, from + 5)));
  };
  for (const int64_t i : {0, 5, 10}) append(i, "a");
  append(15, "b");
  append(20, "b");
  constexpr int64_t kTarget = 128LL << 20;
  EXPECT_TRUE(HasSmallFiles(Now().files, kTarget, 3));
  EXPECT_FALSE(HasSmallFiles(Now().files, kTarget, 4));  // five in the table, but not in one partition
  EXPECT_FALSE(HasSmallFiles(Now().files, 100, 1));      // measured so, all are full
  Optimized({.min_small_files = 3});
  EXPECT_EQ(Now().files.size(), 3u);
  EXPECT_FALSE(HasSmallFiles(Now().files, kTarget, 3));
  EXPECT_TRUE(Must(StageOptimize(Target(""), lake_.connection(), {.z_order_by = {"id"}, .min_small_files = 3}, Options())).empty);
}

TEST_F(MaintenanceTest, OptimizeDoesNotConflictWithAppends) {
  Fill(0, 10);
  Fill(10, 20);
  const auto change = Must(StageOptimize(Target(""), lake_.connection(), {}, Options()));
  Fill(20, 30);
  Commit(change);
  EXPECT_EQ(Table("count(*), sum(id)"), (Lines{"30|435"}));
  EXPECT_EQ(Now().files.size(), 2u);
}

TEST_F(MaintenanceTest, OptimizePurgesDeletionVectors) {
  Fill(0, 100);
  Delete("id % 3 = 0");
  ASSERT_TRUE(Now().files.begin()->deletion_vector);
  Optimized();
  const auto now = Now();
  ASSERT_EQ(now.files.size(), 1u);
  EXPECT_FALSE(now.files.begin()->deletion_vector);
  EXPECT_EQ(RecordsOf(*now.files.begin()), 66);
  Delete("id = 1");  // one row of 66 is not worth it
  EXPECT_TRUE(Optimized().empty);
}

TEST_F(MaintenanceTest, OptimizeKeepsToItsPartitions) {
  for (int i = 0; i < 3; ++i)
    Commit(Append(Target("id: bigint, p: string", {"p"}),
                  fmt::format("SELECT range AS id, ['a', 'b', NULL][1 + range % 3] AS p FROM range({}, {})", i * 9, i * 9 + 9)));
  EXPECT_EQ(Now().files.size(), 9u);
  const auto before = Table();
  OptimizeSpec one;
  one.where = "p = 'a'";
  Optimized(one);
  EXPECT_EQ(Now().files.size(), 7u);
  Optimized();
  EXPECT_EQ(Now().files.size(), 3u);
  EXPECT_EQ(Table(), before);
}

TEST_F(MaintenanceTest, ZOrderBringsCloseRowsTogether) {
  Commit(Append(Target("x: bigint, y: bigint, pad: string"),
                "SELECT hash(range) % 1000 AS x, hash(range + 7) % 1000 AS y, repeat(md5(range::VARCHAR), 8) AS pad FROM range(20000)"));
  const auto before = Table();
  StageOptions small = Options();
  small.target_file_bytes = 150'000;
  const auto target = Target("");
  OptimizeSpec spec;
  spec.z_order_by = {"X", "y"};
  CommitAsScanned(target, Must(StageOptimize(target, lake_.connection(), spec, small)));
  EXPECT_EQ(Table(), before);
  const auto now = Now();
  ASSERT_GE(now.files.size(), 8u);
  size_t narrow = 0;  // files whose bounds leave out at least a third of each column
  for (const delta::Add& add : now.files) {
    const auto x = *BoundsOf(add, "x"), y = *BoundsOf(add, "y");
    narrow += x.second - x.first < 667 && y.second - y.first < 667;
  }
  EXPECT_GT(narrow * 2, now.files.size());
  spec.z_order_by = {"nope"};
  EXPECT_EQ(StageOptimize(Target(""), lake_.connection(), spec, small).error().code, "unknown-column");
}

TEST_F(MaintenanceTest, VacuumRemovesOnlyWhatNoVersionWithinTheRetentionNeeds) {
  Fill(0, 1000);
  Fill(1000, 2000);
  Delete("hash(id) % 2 = 0");
  Delete("hash(id) % 5 = 0");
  const auto before = Table();
  Optimized();
  Must(lake_.store().Put("silver/t/silver.t-9.1-dead.parquet", "x"));
  Must(lake_.store().Put("silver/t/silver.t-10.1-open.parquet", "x"));
  Must(lake_.store().Put("silver/t/silver.t-10.1/deletion_vector_x.bin", "x"));
  Must(lake_.store().Put("silver/t/_mine/x.parquet", "x"));
  VacuumSpec today;
  EXPECT_TRUE(Must(Vacuum(lake_.store(), kRoot, today)).empty());  // all of it is young
  VacuumSpec spec;
  spec.open_batches = {"silver.t-10."};
  spec.dry_run = true;
  const auto listed = Vacuumed(spec);
  EXPECT_EQ(listed.size(), 2u + 2u + 1u);  // data files, the vectors of two commits, an orphan
  spec.dry_run = false;
  EXPECT_EQ(Vacuumed(spec).size(), listed.size());
  EXPECT_TRUE(Vacuumed(spec).empty());
  EXPECT_EQ(Table(), before);
  EXPECT_TRUE(lake_.store().Head("silver/t/silver.t-10.1-open.parquet"));
  EXPECT_TRUE(lake_.store().Head("silver/t/silver.t-10.1/deletion_vector_x.bin"));
  EXPECT_TRUE(lake_.store().Head("silver/t/_mine/x.parquet"));
}

TEST_F(MaintenanceTest, VacuumKeepsDeletedKeysThatAVersionWithinTheRetentionNames) {
  Fill(0, 10);
  for (const char* name : {"a", "b", "orphan"}) Must(lake_.store().Put(fmt::format("silver/t/_sluice_tombstones/{}.parquet", name), "x"));
  for (const char* name : {"a", "b"}) {
    StagedChange change;
    change.empty = false;
    change.commit.table_id = Now().metadata.id;
    change.commit.read_version = Now().version;
    change.commit.actions = {delta::DomainMetadata{
        kTombstoneDomain,
        fmt::format(R"({{"key":["id"],"sequence_by":[],"files":[{{"path":"_sluice_tombstones/{}.parquet","until":0}}]}})", name), false}};
    Commit(change);
  }
  const auto there = [&](const char* name) {
    return lake_.store().Head(fmt::format("silver/t/_sluice_tombstones/{}.parquet", name)).has_value();
  };
  VacuumSpec long_ago, named;
  long_ago.retention_millis = 90LL * 86'400'000;
  EXPECT_TRUE(Vacuumed(long_ago).empty());
  named.kept_versions = {1};
  EXPECT_EQ(Vacuumed(named).size(), 1u);
  EXPECT_TRUE(there("a") && there("b") && !there("orphan"));
  EXPECT_EQ(Vacuumed().size(), 1u);
  EXPECT_TRUE(!there("a") && there("b"));
}

TEST_F(MaintenanceTest, VacuumKeepsVersionsThatAreNamed) {
  Fill(0, 10);
  Delete("id < 3");
  Delete("");
  VacuumSpec spec;
  spec.kept_versions = {1};
  EXPECT_TRUE(Vacuumed(spec).empty());
  EXPECT_EQ(Vacuumed().size(), 2u);  // and its vector
}

TEST_F(MaintenanceTest, VacuumAsksBeforeAShortRetention) {
  Fill(0, 10);
  VacuumSpec spec;
  spec.retention_millis = 0;
  const auto refused = Vacuum(lake_.store(), kRoot, spec);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "short-retention");
  spec.allow_short = true;
  EXPECT_TRUE(Vacuum(lake_.store(), kRoot, spec).has_value());
}

TEST_F(MaintenanceTest, RestoreBringsBackRowsAndColumns) {
  Fill(0, 10);
  const auto rows = Table();
  Delete("id < 5");
  Commit(Append(Target("id: bigint, v: bigint, w: string"), "SELECT 50::BIGINT AS id, 1::BIGINT AS v, 'x' AS w"));
  auto target = Target("");
  CommitAsScanned(target, Must(StageRestore(target, 0, Options())));
  EXPECT_EQ(Table(), rows);
  EXPECT_EQ(Now().schema.Names(), (Lines{"id", "v"}));
  EXPECT_EQ(Now().protocol.min_reader_version, 3);  // never lowered
  EXPECT_TRUE(Must(StageRestore(Target(""), 0, Options())).empty);
  CommitAsScanned(Target(""), Must(StageRestore(Target(""), 1, Options())));
  EXPECT_EQ(Table("count(*)"), (Lines{"5"}));
}

TEST_F(MaintenanceTest, RestoreNamesWhatIsGone) {
  Fill(0, 10);
  Delete("");
  Vacuumed();
  const auto refused = StageRestore(Target(""), 0, Options());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "restore-impossible");
  EXPECT_NE(refused.error().message.find(".parquet"), std::string::npos);
}

TEST_F(MaintenanceTest, DiffNamesRowsAndColumns) {
  Fill(0, 6);
  const auto before = Now();
  Must(lake_.connection().Execute("SELECT 1"));
  Commit(Must(StageUpdate(Target(""), lake_.connection(), {{"v", "v + 100"}}, "id = 2", Options())));
  Delete("id = 4");
  Fill(90, 91);
  const auto sql = Must(DiffSql(lake_.store(), kRoot, before, Now(), {"id"}));
  EXPECT_EQ(lake_.Rows(sql), (Lines{"added|90|[]|[]|[]", "changed|2|[v]|[2]|[102]", "removed|4|[]|[]|[]"}));
  EXPECT_TRUE(lake_.Rows(Must(DiffSql(lake_.store(), kRoot, before, before, {"id"}))).empty());
  EXPECT_EQ(DiffSql(lake_.store(), kRoot, before, before, {"nope"}).error().code, "unknown-column");
}

}  // namespace
}  // namespace sluice::tables
