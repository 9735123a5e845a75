// The small world itself, and that it goes well when nothing disturbs it.
#include "state/toy_lake.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "delta/commit.h"
#include "state/record_store.h"

namespace sluice::state::toy {
namespace {

constexpr std::string_view kSchema = R"({"type":"struct","fields":[{"name":"record","type":"long","nullable":true,"metadata":{}}]})";

delta::Add FileOf(const std::string& name, std::string_view rows) {
  return {.path = name, .size = static_cast<int64_t>(rows.size()), .modification_time = 1'700'000'000'000, .stats = ""};
}

std::vector<delta::Action> CreationActions(const std::string& id) {
  return {delta::Protocol{},
          delta::Metadata{.id = id, .schema_string = std::string(kSchema), .partition_columns = {}, .configuration = {}}};
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines = Split(text, '\n');
  std::erase(lines, "");
  return lines;
}

std::string Numbers(int64_t from, int64_t to, const std::function<bool(int64_t)>& wanted = [](int64_t) { return true; }) {
  std::string text;
  for (int64_t r = from; r < to; ++r) {
    if (wanted(r)) text += std::to_string(r) + "\n";
  }
  return text;
}

delta::Snapshot MustLoad(World& world, int table) {
  auto snapshot = delta::LoadSnapshot(*world.lake, kRoots[table]);
  EXPECT_TRUE(snapshot) << snapshot.error().ToString();
  return *snapshot;
}

// A commit by somebody who knows nothing of batches.
void CommitForeign(World& world, int table, delta::PreparedCommit commit) {
  const delta::CommitStamp stamp{.commit_id = NewUuid(world.clock, world.random), .now = world.clock.Now(), .engine_info = "foreign"};
  const auto outcome = delta::Commit(*world.lake, kRoots[table], commit, stamp, world.clock);
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  ASSERT_TRUE(std::holds_alternative<delta::Committed>(*outcome));
}

delta::Add PutForeignFile(World& world, int table, const std::string& rows) {
  const std::string name = fmt::format("foreign-{}.parquet", ++world.foreign);
  EXPECT_TRUE(world.lake->Put(kRoots[table] + "/" + name, rows));
  return FileOf(name, rows);
}

}  // namespace

// ---- the run

Runner::Runner(World& world, store::ObjectStore& lake)
    : world_(world),
      lake_(lake),
      log_(lake, world.clock, world.random, {.project = kProject, .node = kNode, .run_id = fmt::format("run-{}", ++world.run_count)}) {}

Reprepare Runner::reprepare() {
  return [this](const ReadyRecord& base, const std::vector<size_t>& redo) { return PrepareAgain(base, redo); };
}

Result<std::string> Runner::RunOnce() {
  SLUICE_TRY(const NodeState state, log_.Recover(reprepare()));
  for (const std::string& root : kRoots) {
    SLUICE_TRY(const auto snapshot, delta::LoadSnapshotIfExists(lake_, root));
    SLUICE_CHECK(CheckSameTable(state, root, snapshot ? &*snapshot : nullptr));
  }
  const int64_t cursor = state.cursor == "null" ? 0 : std::stoll(state.cursor);
  if (world_.end <= cursor) return "nothing to do";
  SLUICE_TRY(const OpenRecord open, log_.Open(state, {.inputs = fmt::format("{{\"from\":{}}}", cursor)}));
  SLUICE_TRY(ReadyRecord ready, Stage(open, cursor));
  SLUICE_TRY(const Decision decision, log_.Decide(state, std::move(ready)));
  SLUICE_CHECK(log_.Finish(decision.ready.n, reprepare()));
  return fmt::format("batch {}.{} {}", open.n, open.attempt, decision.mine ? "is mine" : "was another's");
}

std::string Runner::NewFile(int64_t n, int attempt) {
  return fmt::format("{}-{:x}.parquet", StagedFilePrefix(kNode, n, attempt), world_.random.Next());
}

Result<ReadyRecord> Runner::Stage(const OpenRecord& open, int64_t from) {
  const int64_t to = world_.end, flavour = world_.flavour;
  ReadyRecord ready{
      .n = open.n, .attempt = open.attempt, .inputs = fmt::format("[{},{},{}]", from, to, flavour), .cursor = std::to_string(to)};
  if (world_.kind == Kind::kIngest) {
    for (int table : {0, 1}) {
      const std::string rows = Numbers(from, to, [&](int64_t r) { return (r + flavour) % 2 == table; });
      if (rows.empty()) continue;
      SLUICE_TRY(TableChange change, Append(table, NewFile(open.n, open.attempt), rows));
      ready.changes.push_back(std::move(change));
    }
    return ready;
  }
  const std::string first = NewFile(open.n, open.attempt), second = NewFile(open.n, open.attempt);
  SLUICE_TRY(TableChange base, Overwrite(0, first, Numbers(0, to)));
  SLUICE_TRY(TableChange derived, Overwrite(1, second, "from " + first + "\n" + Numbers(0, to)));
  derived.depends_on = {0};
  ready.changes = {std::move(base), std::move(derived)};
  return ready;
}

Result<TableChange> Runner::Append(int table, const std::string& file, const std::string& rows) {
  SLUICE_CHECK(lake_.Put(kRoots[table] + "/" + file, rows));
  return Prepared(table, {FileOf(file, rows)}, false);
}

Result<TableChange> Runner::Overwrite(int table, const std::string& file, const std::string& rows) {
  SLUICE_CHECK(lake_.Put(kRoots[table] + "/" + file, rows));
  return Prepared(table, {FileOf(file, rows)}, true);
}

Result<TableChange> Runner::Prepared(int table, std::vector<delta::Add> adds, bool overwrite) {
  SLUICE_TRY(const auto snapshot, delta::LoadSnapshotIfExists(lake_, kRoots[table]));
  delta::PreparedCommit commit{.table_id = snapshot ? snapshot->metadata.id : NewUuid(world_.clock, world_.random),
                               .read_version = snapshot ? snapshot->version : -1,
                               .reads = overwrite ? delta::ReadScope::kWholeTable : delta::ReadScope::kNothing,
                               .operation = "WRITE"};
  if (!snapshot) commit.actions = CreationActions(commit.table_id);
  if (snapshot && overwrite) {
    for (const delta::Add& file : snapshot->files)
      commit.actions.emplace_back(delta::Remove{.path = file.path, .deletion_timestamp = 1'700'000'000'000, .size = file.size});
  }
  for (delta::Add& add : adds) commit.actions.emplace_back(std::move(add));
  return MakeChange(log_.identity(), kRoots[table], kRoots[table], std::move(commit), snapshot ? &*snapshot : nullptr);
}

Result<Repreparation> Runner::PrepareAgain(const ReadyRecord& base, const std::vector<size_t>& redo) {
  if (world_.bad_checks) return Repreparation{.changes = {}, .abandon = "the checks fail"};
  Repreparation again;
  std::string staged_first;  // of a group's T0, if it is prepared again too
  for (const size_t i : redo) {
    const int table = base.changes[i].root == kRoots[0] ? 0 : 1;
    std::vector<delta::Add> staged;
    for (const delta::Action& action : base.changes[i].commit.actions) {
      if (const auto* add = std::get_if<delta::Add>(&action)) staged.push_back(*add);
    }
    if (world_.kind == Kind::kIngest) {  // the rows already staged, never the source
      SLUICE_TRY(TableChange change, Prepared(table, std::move(staged), false));
      again.changes.push_back(std::move(change));
      continue;
    }
    const std::string file = NewFile(base.n, base.attempt);
    std::string rows = Numbers(0, std::stoll(base.cursor));
    if (table == 0) staged_first = file;
    if (table == 1) {
      std::string from = staged_first;
      if (from.empty()) from = std::get<delta::Add>(base.changes[0].commit.actions.back()).path;
      rows = "from " + from + "\n" + rows;
    }
    SLUICE_TRY(TableChange change, Overwrite(table, file, rows));
    again.changes.push_back(std::move(change));
  }
  return again;
}

RunReport RunWith(World& world, store::FaultyOptions options) {
  store::FaultyStore store(*world.lake, std::move(options));
  Runner runner(world, store);
  auto result = runner.RunOnce();
  store.LandLate();
  return {std::move(result), store.operations()};
}

Status TryRunToRest(World& world) {
  for (int i = 0; i < 20; ++i) {
    SLUICE_TRY(const std::string what, Runner(world, *world.lake).RunOnce());
    if (what == "nothing to do") return Ok();
  }
  return Fail(BugError("never at rest"));
}

void RunToRest(World& world) {
  const Status status = TryRunToRest(world);
  ASSERT_TRUE(status) << status.error().ToString();
}

// ---- foreign writers

void ForeignAppend(World& world, int table) {
  const auto snapshot = delta::LoadSnapshotIfExists(*world.lake, kRoots[table]).value();
  const delta::Add file = PutForeignFile(world, table, fmt::format("f{}\n", world.foreign));
  delta::PreparedCommit commit{.table_id = snapshot ? snapshot->metadata.id : fmt::format("foreign-id-{}", world.foreign),
                               .read_version = snapshot ? snapshot->version : -1,
                               .operation = "WRITE"};
  if (!snapshot) commit.actions = CreationActions(commit.table_id);
  commit.actions.emplace_back(file);
  CommitForeign(world, table, std::move(commit));
}

void ForeignConflict(World& world, int table) {
  const auto snapshot = delta::LoadSnapshotIfExists(*world.lake, kRoots[table]).value();
  if (!snapshot) return;
  delta::PreparedCommit commit{.table_id = snapshot->metadata.id, .read_version = snapshot->version, .operation = "OPTIMIZE"};
  if (world.kind == Kind::kIngest) {
    delta::Metadata metadata = snapshot->metadata;
    metadata.configuration["foreign.property"] = std::to_string(++world.foreign);
    commit.actions.emplace_back(std::move(metadata));
  } else {
    for (const delta::Add& file : snapshot->files) {
      delta::Add again = PutForeignFile(world, table, world.lake->Get(kRoots[table] + "/" + file.path).value());
      again.data_change = false;
      commit.actions.emplace_back(delta::Remove{.path = file.path, .deletion_timestamp = 1'700'000'000'000, .data_change = false});
      commit.actions.emplace_back(std::move(again));
    }
  }
  CommitForeign(world, table, std::move(commit));
}

void ForgetTransactions(World& world, int table) {
  if (!delta::LoadSnapshotIfExists(*world.lake, kRoots[table]).value()) return;
  ForeignAppend(world, table);
  delta::Snapshot snapshot = MustLoad(world, table);
  snapshot.txns.clear();
  ASSERT_TRUE(delta::WriteCheckpoint(*world.lake, kRoots[table], snapshot, world.clock));
}

void CleanLog(World& world, int table) {
  const auto snapshot = delta::LoadSnapshotIfExists(*world.lake, kRoots[table]).value();
  if (!snapshot || snapshot->version == 0) return;
  world.log_was_cleaned = true;
  ASSERT_TRUE(delta::WriteCheckpoint(*world.lake, kRoots[table], *snapshot, world.clock));
  for (int64_t version = 0; version < snapshot->version; ++version)
    ASSERT_TRUE(world.lake->Delete(kRoots[table] + "/_delta_log/" + delta::CommitFileName(version)));
}

void DropAndMakeAgain(World& world, int table) {
  const auto objects = world.lake->List(kRoots[table] + "/").value();
  for (const auto& object : objects) ASSERT_TRUE(world.lake->Delete(object.key));
  ForeignAppend(world, table);
}

// ---- what must hold

std::vector<std::string> Rows(World& world, int table) {
  std::vector<std::string> rows;
  const auto snapshot = delta::LoadSnapshotIfExists(*world.lake, kRoots[table]).value();
  if (!snapshot) return rows;
  for (const delta::Add& file : snapshot->files) {
    const auto text = world.lake->Get(kRoots[table] + "/" + file.path);
    EXPECT_TRUE(text) << "the head of " << kRoots[table] << " names " << file.path << ", which is not there";
    if (!text) continue;
    for (const std::string& line : Lines(*text)) {
      if (!line.starts_with("from ")) rows.push_back(line);
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<delta::LogCommit> Commits(World& world, int table) {
  return delta::ReadCommits(*world.lake, kRoots[table], -1).value().commits;
}

std::optional<ReadyRecord> HighestReady(World& world, int64_t n) {
  const BatchRecords records = ListBatch(*world.lake, kNode, n).value();
  if (records.highest_k == 0) return std::nullopt;
  return ReadReady(*world.lake, kNode, n, records.highest_k).value();
}

namespace {

std::vector<std::string> WithoutForeign(std::vector<std::string> rows) {
  std::erase_if(rows, [](const std::string& row) { return row.starts_with("f"); });
  return rows;
}

// Batch → the file that its commit added to a table. Fails the test if a batch is in the log twice.
std::map<int64_t, std::string> FilesOfBatches(World& world, int table, const std::string& what) {
  std::map<int64_t, std::string> files;
  std::set<int64_t> seen;
  for (const delta::LogCommit& commit : Commits(world, table)) {
    int64_t batch = 0;
    std::string file;
    for (const delta::Action& action : commit.actions) {
      if (const auto* txn = std::get_if<delta::Txn>(&action); txn && txn->app_id == kProject + "/" + kNode) batch = txn->version;
      if (const auto* add = std::get_if<delta::Add>(&action)) file = add->path;
    }
    if (batch == 0) continue;
    EXPECT_TRUE(seen.insert(batch).second || world.log_was_cleaned)
        << what << ": batch " << batch << " is twice in the log of " << kRoots[table];
    files[batch] = file;
  }
  return files;
}

// Each batch's T1 was computed from the T0 that was committed.
void ExpectLineage(World& world, const std::string& what) {
  const auto bases = FilesOfBatches(world, 0, what), derived = FilesOfBatches(world, 1, what);
  if (world.log_was_cleaned) return;
  for (const auto& [batch, file] : derived) {
    if (file.empty() || !bases.contains(batch) || bases.at(batch).empty()) continue;
    const auto text = world.lake->Get(kRoots[1] + "/" + file);
    if (!text) continue;  // of a batch long replaced
    EXPECT_EQ(Lines(*text).at(0), "from " + bases.at(batch)) << what << ": batch " << batch;
  }
}

void ExpectDoneRecordsHold(World& world, const std::string& what) {
  const auto batches = ListBatches(*world.lake, kNode, 0).value();
  for (const BatchRecords& batch : batches) {
    if (!batch.done) continue;
    const DoneRecord done = ReadDone(*world.lake, kNode, batch.n).value();
    for (const TableVersion& table : done.tables) {
      const auto at = delta::LoadSnapshot(*world.lake, table.root, table.version);
      ASSERT_TRUE(at) << what << ": done " << batch.n << " names " << table.root << " version " << table.version << ", unreadable";
      EXPECT_EQ(at->TxnVersion(kProject + "/" + kNode), table.batch) << what << ": done " << batch.n << " of " << table.root;
    }
  }
}

}  // namespace

void ExpectExactlyOnce(World& world, const std::string& what, bool logs_are_whole) {
  std::vector<std::string> expected;
  for (int64_t r = 0; r < world.end; ++r) expected.push_back(std::to_string(r));
  std::sort(expected.begin(), expected.end());
  const auto t0 = WithoutForeign(Rows(world, 0)), t1 = WithoutForeign(Rows(world, 1));
  if (world.kind == Kind::kGroup) {
    EXPECT_EQ(t0, expected) << what;
    EXPECT_EQ(t1, expected) << what;
    ExpectLineage(world, what);
  } else {
    std::vector<std::string> all = t0;
    all.insert(all.end(), t1.begin(), t1.end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, expected) << what;
    FilesOfBatches(world, 0, what);
    FilesOfBatches(world, 1, what);
  }
  if (logs_are_whole) ExpectDoneRecordsHold(world, what);
}

void ExpectNothingTwice(World& world, const std::string& what) {
  std::vector<std::string> t0 = WithoutForeign(Rows(world, 0)), t1 = WithoutForeign(Rows(world, 1));
  if (world.kind == Kind::kIngest) t0.insert(t0.end(), t1.begin(), t1.end());
  for (std::vector<std::string>* rows : {&t0, &t1}) {
    std::sort(rows->begin(), rows->end());
    EXPECT_EQ(std::adjacent_find(rows->begin(), rows->end()), rows->end()) << what;
  }
}

namespace {

std::string Said(const RunReport& report) { return report.result ? *report.result : report.result.error().ToString(); }

TEST(ToyLake, AnUndisturbedRunTakesEverythingOnce) {
  for (const Kind kind : {Kind::kIngest, Kind::kGroup}) {
    World world(kind, 3);
    EXPECT_EQ(Said(RunWith(world)), "batch 1.1 is mine");
    EXPECT_EQ(Said(RunWith(world)), "nothing to do");
    world.end = 5;
    EXPECT_EQ(Said(RunWith(world)), "batch 2.1 is mine");
    ExpectExactlyOnce(world, "undisturbed");
  }
}

TEST(ToyLake, ARunWithNothingToDoWritesNothing) {
  World world(Kind::kIngest);
  RunToRest(world);
  const auto before = world.lake->List("").value();
  for (const auto& operation : RunWith(world).operations) EXPECT_TRUE(IsRead(operation.kind)) << operation.ToString();
  EXPECT_EQ(world.lake->List("").value(), before);
}

TEST(ToyLake, TheChecksNoticeARecordThatIsTwice) {
  World world(Kind::kIngest);
  RunToRest(world);
  delta::PreparedCommit twice{.table_id = MustLoad(world, 0).metadata.id, .read_version = 0, .operation = "WRITE"};
  twice.actions.emplace_back(PutForeignFile(world, 0, "0\n"));
  CommitForeign(world, 0, twice);
  EXPECT_NE(WithoutForeign(Rows(world, 0)), std::vector<std::string>{"0"});
}

}  // namespace
}  // namespace sluice::state::toy
