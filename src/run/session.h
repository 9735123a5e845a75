#pragma once
// What one command works with: the project, its graph, the lake, and an engine that starts only when something must be computed.
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "delta/snapshot.h"
#include "engines/duckdb.h"
#include "engines/sql.h"
#include "obs/event.h"
#include "plan/graph.h"
#include "plan/sql_book.h"
#include "project/project.h"
#include "store/object_store.h"

namespace sluice::run {

struct SessionOptions {
  int64_t memory_bytes = 0;                  // 0: three quarters of the machine's (or cgroup's)
  int threads = 0;                           // 0: all cores
  bool cache = true;                         // .sluice/cache
  bool looking = false;                      // the graph may have errors: see graph_errors()
  store::ObjectStore* also_reads = nullptr;  // beside the lake, what the engine must be able to read; outlives the session
};

// Everything a command's outside world is; the defaults are the real one. Tests put a faulty store and a fixed clock here.
struct World {
  Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
  obs::Sink* sink = nullptr;                                                                      // null: nobody listens
  std::function<Result<std::unique_ptr<store::ObjectStore>>(const std::string& lake)> open_lake;  // null: store::OpenStore
  std::atomic<bool>* cancelled = nullptr;
};

// Thread-safe where a run needs it: snapshots, engine start, SQL.
class Session {
 public:
  static Result<std::unique_ptr<Session>> Open(project::Project project, SessionOptions options, World world);
  ~Session();

  const project::Project& project() const { return project_; }
  const SessionOptions& options() const { return options_; }
  Clock& clock() { return *world_.clock; }
  Random& random() { return *world_.random; }
  bool cancelled() const { return world_.cancelled != nullptr && world_.cancelled->load(std::memory_order_relaxed); }
  const std::atomic<bool>* cancel_flag() const { return world_.cancelled; }
  void Emit(const obs::Event& event) {
    if (world_.sink) world_.sink->Emit(event);
  }

  Result<const plan::Graph*> graph();
  // Where `looking`: the errors that graph() left out. Valid once it was called.
  const std::vector<Error>& graph_errors() const { return graph_errors_; }
  plan::SqlBook& sql() { return *book_; }
  store::ObjectStore& lake() { return *lake_; }
  Result<engines::DuckDb*> db();
  std::string scratch_dir() const { return project_.root + "/.sluice/tmp"; }

  // Where a table lies under the lake: "bronze.orders" → "bronze/orders".
  static std::string RootOf(const std::string& table);

  // The version of a table that this run reads: the newest when first asked for, the run's own commit after that. Null: no such table yet.
  Result<std::shared_ptr<const delta::Snapshot>> Pin(const std::string& table);
  // Loads the newest version now, and pins it. An external table stays at the version that was pinned first.
  Result<std::shared_ptr<const delta::Snapshot>> Repin(const std::string& table);

  // Of an external Parquet table that is pinned at a version not written down: what will be committed as that version, where one commit
  // does.
  std::shared_ptr<const delta::LogCommit> Unwritten(const std::string& table);
  // From now on versions of external Parquet tables are written down when they are pinned; those pinned before are pinned anew.
  void RecordListings();

  // Parameters that SQL may use: the run's clock and the project's vars.
  std::vector<engines::Parameter> Parameters(Instant run_started_at) const;

 private:
  // The sources that patterns of tables stand for. Once, before the graph is made.
  Status ExpandPatterns();
  // Of a publish group no reader sees half a batch: an older version in the place of the newest, or none.
  Status HideUnfinished(const std::string& table, std::optional<delta::Snapshot>& loaded) const;
  Result<std::shared_ptr<const delta::Snapshot>> PinExternal(const std::string& table, const project::Source& source);
  // Once the command is cancelled: says so, and interrupts what the engine computes.
  void WatchForCancel(std::stop_token stop);

  Session(project::Project project, SessionOptions options, World world)
      : project_(std::move(project)), options_(options), world_(std::move(world)) {}

  project::Project project_;
  SessionOptions options_;
  World world_;
  std::unique_ptr<store::ObjectStore> lake_;
  std::mutex engine_mutex_, graph_mutex_, pin_mutex_;
  std::mutex external_mutex_;  // before pin_mutex_
  bool records_listings_ = false;
  std::map<std::string, std::shared_ptr<const delta::LogCommit>> unwritten_;
  std::unique_ptr<engines::DuckDb> db_;
  std::unique_ptr<engines::SqlFrontend> frontend_;
  std::unique_ptr<plan::SqlBook> book_;
  std::optional<plan::Graph> graph_;
  std::vector<Error> graph_errors_;
  std::map<std::string, std::shared_ptr<const delta::Snapshot>> pins_;
  std::jthread watch_;  // last: ends before what it looks at
};

}  // namespace sluice::run
