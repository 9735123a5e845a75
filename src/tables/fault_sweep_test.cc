// Every operation on a table, struck at every store operation in every way: failed, cut off from its answer, late, sent twice, broken
// off, killed. Whatever happens, a reader sees the table as it was before or as it is after; what is tried again leads to after; and
// files that nobody needs are taken away by VACUUM alone.
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "delta/deletion_vector.h"
#include "delta/path.h"
#include "store/faulty_store.h"
#include "tables/check.h"
#include "tables/fault_scenes.h"
#include "tables/tombstones.h"

namespace sluice::tables {
namespace {

using scenes::kRoot;
using store::FaultKind;
using store::OperationKind;
namespace fs = std::filesystem;

// ---- The scenes

const char* const kSchema = "id: bigint, v: bigint, p: string";

scenes::Rows Numbers(int from, int to, const std::string& v = "range % 3") {
  return {kSchema, fmt::format("SELECT range AS id, ({})::BIGINT AS v, ['a', NULL][1 + range % 2] AS p FROM range({}, {})", v, from, to)};
}
scenes::Rows InPartitions(scenes::Rows rows) {
  rows.partition_by = {"p"};
  return rows;
}
scenes::Rows With(scenes::Rows rows, std::map<std::string, std::string> properties) {
  rows.properties = std::move(properties);
  return rows;
}

std::vector<scenes::Scene> RowScenes(bool vectors) {
  const std::string how = vectors ? "ByVectors" : "Rewriting";
  const std::vector<scenes::Job> two = {scenes::Append(InPartitions(Numbers(0, 9))), scenes::Append(InPartitions(Numbers(9, 18)))};
  const scenes::Rows days = {"day: date, n: bigint", "SELECT DATE '2024-01-01' + range::INTEGER AS day, 1::BIGINT AS n FROM range(10)"};
  const scenes::Rows window = {"day: date, n: bigint", "SELECT DATE '2024-01-02' AS day, 2::BIGINT AS n"};
  const IntervalSpec all{"day", {{"2024-01-01", "2024-01-11"}}}, some{"day", {{"2024-01-02", "2024-01-05"}}};
  const auto people = [](const std::string& values) {
    return scenes::Rows{"id: bigint, city: string, at: date",
                        "SELECT id::BIGINT AS id, city, \"at\"::DATE AS \"at\" FROM (VALUES " + values + ") v(id, city, \"at\")"};
  };
  Scd2Spec history;
  history.key = {"id"};
  history.sequence_by = {"at"};
  MergeSpec merge;
  merge.key = {"id"};
  merge.sequence_by = {"v"};
  merge.delete_when = "p = 'a'";
  using Clause = MergeClause;
  MergeStatement statement;
  statement.match = {"id"};
  statement.clauses = {{Clause::When::kMatched, "source.id % 2 = 0", Clause::Then::kDelete, {}},
                       {Clause::When::kMatched, "", Clause::Then::kUpdate, {{"v", "source.v + 10"}}},
                       {Clause::When::kNotMatched, "", Clause::Then::kInsert, {}},
                       {Clause::When::kNotMatchedBySource, "target.id = 0", Clause::Then::kDelete, {}}};
  return {
      {"Delete" + how, two, scenes::Delete("id % 4 = 1"), vectors},
      {"Update" + how, two, scenes::Update({{"v", "v + 100"}, {"p", "'c'"}}, "id < 5"), vectors},
      {"MergeStatement" + how, two, scenes::MergeInto(Numbers(5, 22).sql, statement), vectors},
      {"Merge" + how, {scenes::Merge(Numbers(0, 9), merge)}, scenes::Merge(Numbers(3, 15, "range + 5"), merge), vectors},
      {"Scd2" + how,
       {scenes::Scd2(people("(1, 'Rome', '2024-01-01'), (2, 'Oslo', '2024-01-01')"), history)},
       scenes::Scd2(people("(1, 'Bonn', '2024-03-01'), (3, 'Kiel', '2024-03-01')"), history),
       vectors},
      {"Interval" + how, {scenes::Interval(days, all)}, scenes::Interval(window, some), vectors},
      {"ChangesKept" + how,
       {scenes::Append(With(Numbers(0, 9), {{"delta.enableChangeDataFeed", "true"}, {"delta.enableInCommitTimestamps", "true"}}))},
       scenes::Update({{"v", "v + 100"}}, "id < 5"),
       vectors},
  };
}

std::vector<scenes::Scene> FileScenes() {
  const std::vector<scenes::Job> two = {scenes::Append(InPartitions(Numbers(0, 9))), scenes::Append(InPartitions(Numbers(9, 18)))};
  std::vector<scenes::Job> marked = two, checked = two;
  marked.push_back(scenes::Delete("id % 4 = 1"));
  for (const auto& job : {scenes::Checkpoint(), scenes::Delete("id < 3"), scenes::Checkpoint(), scenes::Delete("id < 5")})
    checked.push_back(job);

  const scenes::Rows longer = {
      std::string(kSchema) + ", more: string", "SELECT 90::BIGINT AS id, 1::BIGINT AS v, 'a' AS p, 'x' AS more", {"p"}};
  const scenes::Rows small = {"id: integer", "SELECT range::INTEGER AS id FROM range(5)"};
  const scenes::Rows other = {"name: string", "SELECT 'x' AS name"};
  MergeSpec snapshot;
  snapshot.key = {"id"};
  snapshot.delete_missing = true;
  AlterSpec alter;
  alter.drop = {"v"};
  alter.rename = {{"id", "number"}};
  alter.add = {{"v", contract::DataType::Of(contract::TypeKind::kString)}};
  alter.not_null = {"number"};
  const scenes::Rows one_partition = {kSchema, "SELECT 77::BIGINT AS id, 7::BIGINT AS v, 'a' AS p", {"p"}};
  return {
      {"Create", {}, scenes::Append(InPartitions(Numbers(0, 9)))},
      {"AppendInPartitions", two, scenes::Append(InPartitions(Numbers(18, 27)))},
      {"AppendWithANewColumn", two, scenes::Append(longer)},
      {"AppendWithAWiderColumn", {scenes::Append(small)}, scenes::Append({"id: bigint", "SELECT 5000000000::BIGINT AS id"})},
      {"Overwrite", two, scenes::Overwrite(InPartitions(Numbers(50, 55)), "", false)},
      {"OverwriteWhere", two, scenes::Overwrite(one_partition, "p = 'a'", false)},
      {"OverwriteWithAnotherSchema", two, scenes::Overwrite(other, "", true)},
      {"MergeOfASnapshot", {scenes::Merge(Numbers(0, 9), snapshot)}, scenes::Merge(Numbers(3, 15), snapshot)},
      {"Optimize", marked, scenes::Optimize({})},
      {"ZOrder", marked, scenes::Optimize({.z_order_by = {"v", "id"}})},
      {"Alter", marked, scenes::Alter(alter)},
      {"Restore", marked, scenes::Restore(0)},
      {"Vacuum", checked, scenes::VacuumAll(), true, true},
      {"Checkpoint", marked, scenes::Checkpoint()},
      {"CleanLog", checked, scenes::CleanLog(), true, true},
  };
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the std::functions own what they hold

std::vector<scenes::Scene> AllScenes() {
  std::vector<scenes::Scene> all = FileScenes();
  for (const bool vectors : {true, false})
    for (auto& scene : RowScenes(vectors)) all.push_back(std::move(scene));
  return all;
}

// ---- What a reader sees

using Keys = std::set<std::string>;

class FaultSweep : public ::testing::TestWithParam<scenes::Scene> {
 protected:
  void SetUp() override {
    int n = 0;
    for (const auto& job : GetParam().before) Must(Do(job, lake_.store(), fmt::format("before-{}", n++)));
    before_ = Seen(lake_.store());
    if (const auto snapshot = Must(delta::LoadSnapshotIfExists(lake_.store(), kRoot))) version_ = snapshot->version;
  }
  // One engine for all scenes. A writer may be in the middle of a query while the reader looks on.
  static engines::DuckDb& Engine() {
    static const auto db = Must(engines::DuckDb::Open({}));
    return *db;
  }
  static engines::Connection& Writer() {
    static const auto connection = Must(Engine().Connect());
    return *connection;
  }
  static engines::Connection& Reader() {
    static const auto connection = Must(Engine().Connect());
    return *connection;
  }
  Status Do(const scenes::Job& job, store::ObjectStore& store, const std::string& application) {
    scenes::Workshop shop{store, Writer(), lake_.scratch(), GetParam().vectors};
    return job(shop, application);
  }
  // The lake as the scene found it, in a folder of its own.
  std::unique_ptr<store::ObjectStore> Fresh() {
    const std::string folder = fmt::format("{}/copy-{}", lake_.dir(), ++copies_);
    fs::create_directories(folder);
    fs::copy(lake_.dir() + "/lake", folder, fs::copy_options::recursive);
    return Must(store::OpenLocalStore(folder, false));
  }
  // Columns and rows, or what went wrong.
  std::string Seen(store::ObjectStore& store, std::optional<int64_t> version = std::nullopt) {
    const auto snapshot = delta::LoadSnapshot(store, kRoot, version);
    if (!snapshot) return snapshot.error().code == "no-such-table" ? "no table" : snapshot.error().ToString();
    const auto scan = ScanFor(store, kRoot, *snapshot);
    if (!scan) return scan.error().ToString();
    const auto rows = Reader().Rows("SELECT * FROM " + scan->sql + " ORDER BY ALL");
    if (!rows) return rows.error().ToString();
    std::string text = Join(scan->schema.Names(), "|");
    for (const auto& row : *rows) {
      text += '\n';
      for (const auto& cell : row) text += cell.value_or("-") + "|";
    }
    return text;
  }
  static Keys KeysOf(store::ObjectStore& store) {
    Keys keys;
    for (const auto& object : Must(store.List(""))) keys.insert(object.key);
    return keys;
  }
  void ExpectSound(store::ObjectStore& store, const std::string& what) {
    if (Seen(store) == "no table") return;
    for (const auto& finding : Must(CheckTable(store, kRoot, Reader())).findings)
      ADD_FAILURE() << what << ": " << finding.code << " " << finding.where << ": " << finding.message;
  }
  void ExpectKept(const Keys& keys, store::ObjectStore& store, const std::string& what) {
    const Keys now = KeysOf(store);
    for (const std::string& key : keys) EXPECT_TRUE(now.contains(key)) << what << ": " << key << " is gone";
  }
  // VACUUM leaves the files of the newest version and the log.
  void ExpectOnlyTheNeeded(store::ObjectStore& store, const std::string& what) {
    Must(Do(scenes::VacuumAll(), store, "vacuum"));
    const auto snapshot = Must(delta::LoadSnapshot(store, kRoot));
    Keys needed;
    for (const delta::Add& add : snapshot.files) {
      needed.insert(fmt::format("{}/{}", kRoot, delta::PathKey(add.path)));
      if (!add.deletion_vector) continue;
      if (const auto file = delta::DeletionVectorFile(store, kRoot, *add.deletion_vector))
        needed.insert(fmt::format("{}/{}", kRoot, *file));
    }
    if (const auto domain = snapshot.domains.find(kTombstoneDomain); domain != snapshot.domains.end())
      for (const std::string& path : Must(TombstoneFiles(domain->second))) needed.insert(fmt::format("{}/{}", kRoot, path));
    for (const std::string& key : KeysOf(store)) {
      if (key.starts_with(fmt::format("{}/_delta_log/", kRoot))) continue;
      EXPECT_TRUE(needed.erase(key)) << what << ": VACUUM left " << key;
    }
    EXPECT_TRUE(needed.empty()) << what << ": " << (needed.empty() ? "" : *needed.begin()) << " is missing";
  }

  // The operation without a fault: a reader looks on before each of its steps.
  std::vector<store::Operation> Undisturbed() {
    const auto lake = Fresh();
    std::set<std::string> seen;
    store::FaultyStore store(*lake, {.before = [&](const store::Operation&) { seen.insert(Seen(*lake)); }});
    Must(Do(GetParam().operation, store, "operation"));
    after_ = Seen(*lake);
    seen.insert(after_);
    EXPECT_LE(seen.size(), 2u) << "a reader saw something between before and after";
    EXPECT_TRUE(seen.contains(before_));
    ExpectSound(*lake, "undisturbed");
    return store.operations();
  }

  void Strike(const store::Operation& at, FaultKind kind, int64_t late_by, const std::string& what) {
    const auto lake = Fresh();
    const Keys keys = KeysOf(*lake);
    store::FaultyStore faulty(*lake, {.faults = {{.at = at.number, .kind = kind, .late_by = late_by}}});
    const Status said = Do(GetParam().operation, faulty, "operation");
    const std::string seen = Seen(*lake);
    EXPECT_TRUE(seen == after_ || (seen == before_ && !said))
        << what << ", it said " << (said ? "ok" : said.error().ToString()) << "; a reader sees\n"
        << seen;
    if (at.kind == OperationKind::kPutIfAbsent && kind != FaultKind::kFail && !faulty.killed()) {
      EXPECT_TRUE(said) << what << ": " << said.error().ToString();  // a commit settles its own answer
    }
    const bool torn_checkpoint = kind == FaultKind::kTruncate && at.key.find("_delta_log/") != std::string::npos;
    if (!torn_checkpoint) ExpectSound(*lake, what);
    if (!GetParam().deletes) ExpectKept(keys, *lake, what);

    const Status again = Do(GetParam().operation, *lake, "operation");
    EXPECT_TRUE(again) << what << ", again: " << again.error().ToString();
    EXPECT_EQ(Seen(*lake), after_) << what << ", again";
    if (version_ && !GetParam().deletes) {
      EXPECT_EQ(Seen(*lake, version_), before_) << what << ", the version of before";
    }
    ExpectOnlyTheNeeded(*lake, what);
    faulty.LandLate();
    EXPECT_EQ(Seen(*lake), after_) << what << ", when everything has landed";
    if (torn_checkpoint) ExpectSound(*lake, what + ", at the end");
  }

  TestLake lake_;
  int copies_ = 0;
  std::string before_, after_;
  std::optional<int64_t> version_;
};

struct Way {
  FaultKind kind;
  const char* name;
  int64_t late_by = 1;
};
// Of a read there is no more to lose than its answer.
const Way kReadWays[] = {{FaultKind::kFail, "failed"}, {FaultKind::kKillBefore, "killed before"}};
const Way kWriteWays[] = {
    {FaultKind::kFail, "failed"},         {FaultKind::kLoseAnswer, "answer lost"},   {FaultKind::kLoseRequest, "request lost"},
    {FaultKind::kLate, "late"},           {FaultKind::kLate, "very late", 1000},     {FaultKind::kDuplicate, "sent twice"},
    {FaultKind::kTruncate, "broken off"}, {FaultKind::kKillBefore, "killed before"}, {FaultKind::kKillAfter, "killed after"}};

TEST_P(FaultSweep, BeforeOrAfter) {
  const auto operations = Undisturbed();
  ASSERT_GE(operations.size(), 3u);
  for (const store::Operation& at : operations) {
    const std::span<const Way> ways = IsRead(at.kind) ? std::span<const Way>(kReadWays) : std::span<const Way>(kWriteWays);
    for (const Way& way : ways) Strike(at, way.kind, way.late_by, fmt::format("{} {}", at.ToString(), way.name));
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, FaultSweep, ::testing::ValuesIn(AllScenes()), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sluice::tables
