// Kill a run of the retail example at every operation of its store, run again, and find the same tables as after an undisturbed run.
// A seeded sample within a time limit by default; SLUICE_CRASH_ALL=1 plays them all.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>

#include "cli/cli.h"
#include "cli/retail/retail.h"
#include "core/text.h"
#include "run/relations.h"
#include "run/session.h"
#include "store/faulty_store.h"
#include "tables/scan.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;
using store::Fault;
using store::FaultKind;

constexpr int64_t kSampleSeconds = 150;
constexpr const char* kKindNames[] = {"fail", "lost answer", "lost request", "late", "kill before", "kill after"};

// Table → row count and hash of its rows, run-identity columns left out.
using Contents = std::map<std::string, std::string>;

class Example {
 public:
  Example() : folder_(fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path()) {
    folder_ /= fmt::format("sluice-crash-{}", getpid());
    fs::create_directories(folder_);
    for (const char* part : {"sluice.yml", "sources", "models", "seeds", "macros"})
      if (fs::exists(fs::path(SLUICE_SOURCE_DIR) / "examples/retail" / part))
        fs::copy(fs::path(SLUICE_SOURCE_DIR) / "examples/retail" / part, folder_ / part, fs::copy_options::recursive);
    cli::retail::RetailOptions options;
    options.out_dir = (folder_ / "landing").string();
    options.orders = 40;
    options.events = 40;
    options.crm = 30;
    options.days = 5;
    const Status made = cli::retail::GenerateRetail(options);
    EXPECT_TRUE(made) << (made ? "" : made.error().ToString());
  }
  ~Example() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  // Back to the first morning, with an empty lake.
  void Clear() {
    fs::remove_all(folder_ / "lake");
    clock_.Set(kMorning);
  }

  // One run over a lake that fails as told. `store` sees the store before it goes.
  int Run(std::vector<Fault> faults, const std::function<void(store::FaultyStore&)>& look = {}) {
    clock_.SleepMillis(120000);  // past the lease of a run that died: its process, this one, still lives
    cli::Hooks hooks;
    hooks.clock = &clock_;
    hooks.open_lake = [&](const std::string& lake) -> Result<std::unique_ptr<store::ObjectStore>> {
      SLUICE_TRY(auto inner, store::OpenLocalStore(lake, false));
      store::FaultyOptions options;
      options.faults = faults;
      auto faulty = std::make_unique<store::FaultyStore>(std::move(inner), std::move(options));
      return std::make_unique<Looked>(std::move(faulty), look);
    };
    std::ostringstream out;
    err_.str("");
    return cli::Main({"run", "-C", folder_.string(), "--parallel", "1", "--threads", "2", "--memory", "1GiB", "-q"}, out, err_, hooks);
  }

  std::string last_error() const { return err_.str(); }

  Result<Contents> Read() {
    project::LoadOptions load;
    load.dir = folder_.string();
    SLUICE_TRY(project::Project project, project::LoadProject(load));
    SLUICE_TRY(const auto session, run::Session::Open(std::move(project), {.memory_bytes = 1LL << 30, .threads = 2}, {}));
    SLUICE_TRY(const plan::Graph* graph, session->graph());
    SLUICE_TRY(engines::DuckDb * db, session->db());
    SLUICE_TRY(const auto connection, db->Connect());
    Contents contents;
    for (const std::string& table : graph->Tables()) {
      if (graph->Find(table)->is_view()) continue;
      SLUICE_TRY(const auto snapshot, session->Pin(table));
      if (!snapshot) {
        contents[table] = "none";
        continue;
      }
      SLUICE_TRY(const tables::Scan scan, tables::ScanFor(session->lake(), run::Session::RootOf(table), *snapshot));
      SLUICE_TRY(const auto row, connection->Rows(fmt::format("SELECT count(*), coalesce(sum(CAST(hash({}) AS HUGEINT)), 0) FROM {}",
                                                              HashedColumns(scan.schema), scan.sql)));
      contents[table] = row[0][0].value_or("?") + " rows, hash " + row[0][1].value_or("?");
    }
    return contents;
  }

 private:
  // Hands the faulty store to `look` when the run lets go of it.
  class Looked : public store::ObjectStore {
   public:
    Looked(std::unique_ptr<store::FaultyStore> store, std::function<void(store::FaultyStore&)> look)
        : store_(std::move(store)), look_(std::move(look)) {}
    ~Looked() override {
      store_->LandLate();
      if (look_) look_(*store_);
    }
    Result<std::vector<store::ObjectMeta>> List(std::string_view prefix, std::string_view after) override {
      return store_->List(prefix, after);
    }
    Result<store::ObjectMeta> Head(std::string_view key) override { return store_->Head(key); }
    Result<std::string> Get(std::string_view key) override { return store_->Get(key); }
    Result<std::string> GetRange(std::string_view key, int64_t offset, int64_t length) override {
      return store_->GetRange(key, offset, length);
    }
    Status Put(std::string_view key, std::string_view bytes) override { return store_->Put(key, bytes); }
    Result<store::PutOutcome> PutIfAbsent(std::string_view key, std::string_view bytes) override { return store_->PutIfAbsent(key, bytes); }
    Result<store::PutOutcome> PutIfMatch(std::string_view key, std::string_view bytes, std::string_view etag) override {
      return store_->PutIfMatch(key, bytes, etag);
    }
    Result<std::unique_ptr<store::ObjectWriter>> OpenWriter(std::string_view key) override { return store_->OpenWriter(key); }
    Status Delete(std::string_view key) override { return store_->Delete(key); }
    std::string Uri(std::string_view key) const override { return store_->Uri(key); }

   private:
    std::unique_ptr<store::FaultyStore> store_;
    std::function<void(store::FaultyStore&)> look_;
  };

  static std::string HashedColumns(const contract::Schema& schema) {
    std::vector<std::string> columns;
    for (const auto& field : schema.fields) {
      if (contract::IsMetadataColumn(field.name) && field.name != "_file" && field.name != "_row" && field.name != "_source") continue;
      const std::string name = QuoteIdentifier(field.name);
      const bool floating = field.type.kind == contract::TypeKind::kDouble || field.type.kind == contract::TypeKind::kFloat;
      columns.push_back(floating ? "round(" + name + ", 6)" : name);
    }
    return Join(columns, ", ");
  }

  static constexpr Instant kMorning{1767225600000000 + 86400000000LL * 200};
  fs::path folder_;
  FixedClock clock_{kMorning};
  std::ostringstream err_;
};

// A few runs bring any lake to rest: the first after a fault may find a lease of the dead run, or late answers.
testing::AssertionResult ComesToRest(Example& example, const Contents& expected) {
  int exit = 1;
  for (int again = 0; again < 3 && exit != 0; ++again) exit = example.Run({});
  if (exit != 0) return testing::AssertionFailure() << "the run after it ends with " << exit << ": " << example.last_error();
  const auto contents = example.Read();
  if (!contents) return testing::AssertionFailure() << contents.error().ToString();
  for (const auto& [table, rows] : expected)
    if (contents->at(table) != rows) return testing::AssertionFailure() << table << " holds " << contents->at(table) << ", not " << rows;
  return testing::AssertionSuccess();
}

TEST(Crash, EveryStoreOperationOfTheExample) {
  Example example;
  int64_t operations = 0;
  std::vector<store::Operation> log;
  ASSERT_EQ(example.Run({},
                        [&](store::FaultyStore& store) {
                          operations = store.operation_count();
                          log = store.operations();
                        }),
            0)
      << example.last_error();
  const auto expected = example.Read();
  ASSERT_TRUE(expected) << expected.error().ToString();
  ASSERT_GT(operations, 100);

  struct Point {
    int64_t at;
    FaultKind kind;
  };
  std::vector<Point> points;
  for (int64_t n = 1; n <= operations; ++n)
    for (const FaultKind kind : {FaultKind::kKillBefore, FaultKind::kKillAfter, FaultKind::kLoseAnswer, FaultKind::kLoseRequest,
                                 FaultKind::kLate, FaultKind::kFail})
      if (kind != FaultKind::kKillAfter || !store::IsRead(log[static_cast<size_t>(n - 1)].kind)) points.push_back({n, kind});
  const bool all = getenv("SLUICE_CRASH_ALL") != nullptr;
  const char* seed = getenv("SLUICE_CRASH_SEED");
  SeededRandom random(seed ? strtoull(seed, nullptr, 10) : 20240131);
  if (!all)
    for (size_t i = points.size() - 1; i > 0; --i) std::swap(points[i], points[random.Next() % (i + 1)]);

  const auto start = std::chrono::steady_clock::now();
  size_t played = 0;
  for (const Point& point : points) {
    if (!all && std::chrono::steady_clock::now() - start > std::chrono::seconds(kSampleSeconds)) break;
    example.Clear();
    example.Run({Fault{.at = point.at, .kind = point.kind, .late_by = 3}});
    ASSERT_TRUE(ComesToRest(example, *expected))
        << kKindNames[static_cast<int>(point.kind)] << " at operation " << log[static_cast<size_t>(point.at - 1)].ToString();
    ++played;
  }
  std::cout << fmt::format("crash points: {} played of {} ({} store operations in a run of the example)\n", played, points.size(),
                           operations);
}

TEST(Crash, ARunWithNothingToDoWritesNothing) {
  Example example;
  ASSERT_EQ(example.Run({}), 0) << example.last_error();
  std::vector<std::string> writes;
  ASSERT_EQ(example.Run({},
                        [&](store::FaultyStore& store) {
                          for (const auto& operation : store.operations())
                            if (!store::IsRead(operation.kind)) writes.push_back(operation.ToString());
                        }),
            0);
  EXPECT_TRUE(writes.empty()) << Join(writes, "\n");
}

}  // namespace
}  // namespace sluice
