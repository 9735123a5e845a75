#include "run/session.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/time.h"

namespace sluice::run {
namespace {

constexpr const char* kCacheSalt = "sql-facts-1";

// The memory this process may use: the cgroup's limit where there is one, else the machine's.
int64_t AvailableMemory() {
  int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  std::ifstream limit("/sys/fs/cgroup/memory.max");
  int64_t max = 0;
  if (limit >> max && max > 0) bytes = std::min(bytes, max);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Open(project::Project project, SessionOptions options, World world) {
  if (options.memory_bytes <= 0) options.memory_bytes = AvailableMemory() / 4 * 3;
  if (options.threads <= 0) options.threads = std::max(1u, std::thread::hardware_concurrency());
  std::unique_ptr<Session> session(new Session(std::move(project), options, std::move(world)));
  Session& self = *session;
  SLUICE_TRY(self.lake_, self.world_.open_lake ? self.world_.open_lake(self.project_.lake) : store::OpenStore(self.project_.lake));
  const std::string cache = options.cache ? self.project_.root + "/.sluice/cache/sql.json" : "";
  self.book_ = std::make_unique<plan::SqlBook>(
      self.project_,
      [&self]() -> Result<engines::SqlFrontend*> {
        SLUICE_TRY(engines::DuckDb * db, self.db());
        SLUICE_TRY(self.frontend_, engines::SqlFrontend::Open(*db));
        return self.frontend_.get();
      },
      cache, kCacheSalt);
  if (self.world_.cancelled != nullptr) self.watch_ = std::jthread([&self](std::stop_token stop) { self.WatchForCancel(stop); });
  return session;
}

void Session::WatchForCancel(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  bool said = false;
  while (!stop.stop_requested()) {
    changed.wait_for(lock, stop, std::chrono::milliseconds(50), [] { return false; });
    if (!cancelled() || stop.stop_requested()) continue;
    if (!said) Emit({obs::Level::kWarn, obs::Kind::kMessage, "", "interrupted: ending what runs; once more ends it at once", 0, 0, {}});
    said = true;
    std::lock_guard engine(engine_mutex_);
    if (db_) db_->InterruptAll();  // again and again: a statement may have begun just after the last time
  }
}

Session::~Session() {
  if (book_) book_->Save();
}

Result<engines::DuckDb*> Session::db() {
  std::lock_guard lock(engine_mutex_);
  if (!db_) {
    std::error_code error;
    std::filesystem::create_directories(scratch_dir(), error);
    if (error) return Fail(RetryableError("no-scratch-folder", "can't make " + scratch_dir() + ": " + error.message()));
    engines::DuckDbOptions options;
    options.memory_bytes = options_.memory_bytes / 10 * 7;  // the rest is for ingest, replay and Parquet writers
    options.threads = options_.threads;
    options.temp_dir = scratch_dir();
    SLUICE_TRY(db_, engines::DuckDb::Open(options));
  }
  return db_.get();
}

Result<const plan::Graph*> Session::graph() {
  std::lock_guard lock(graph_mutex_);
  if (!graph_) {
    SLUICE_TRY(graph_,
               plan::BuildGraph(project_, [this](const std::string& sql, const std::string& file) { return book_->Facts(sql, file); }));
  }
  return &*graph_;
}

std::string Session::RootOf(const std::string& table) {
  std::string root = table;
  if (const size_t dot = root.find('.'); dot != std::string::npos) root[dot] = '/';
  return root;
}

Result<std::shared_ptr<const delta::Snapshot>> Session::Pin(const std::string& table) {
  {
    std::lock_guard lock(pin_mutex_);
    if (const auto at = pins_.find(table); at != pins_.end()) return at->second;
  }
  return Repin(table);
}

Result<std::shared_ptr<const delta::Snapshot>> Session::Repin(const std::string& table) {
  SLUICE_TRY(auto loaded, delta::LoadSnapshotIfExists(*lake_, RootOf(table)));
  auto snapshot = loaded ? std::make_shared<const delta::Snapshot>(std::move(*loaded)) : nullptr;
  std::lock_guard lock(pin_mutex_);
  pins_[table] = snapshot;
  return snapshot;
}

std::vector<engines::Parameter> Session::Parameters(Instant run_started_at) const {
  const int64_t day = 86400000000LL;
  const int64_t days = run_started_at.micros >= 0 ? run_started_at.micros / day : -((-run_started_at.micros + day - 1) / day);
  std::vector<engines::Parameter> params = {{"run_started_at", "timestamp", FormatInstant(run_started_at)},
                                            {"run_date", "date", FormatDate(static_cast<int32_t>(days))}};
  for (const auto& [name, text] : project_.vars) params.push_back({name, project_.var_types.at(name), text});
  return params;
}

}  // namespace sluice::run
