#include "run/session.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/time.h"
#include "engines/remote.h"
#include "run/external.h"
#include "run/table_patterns.h"
#include "state/batch.h"
#include "store/remote.h"

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

// Allocators that give memory back soon, before anything is allocated of Arrow's. It costs some percent of time, and under a small budget
// what the default ones keep for themselves is most of a process's size.
void PreferSmallAllocators() {
  setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 0);
  mallopt(M_ARENA_MAX, 2);
}

constexpr int64_t kSmallBudget = 512LL << 20;

// What DuckDB must know to read a store's files by their URLs. Requires that it is not on a local disk.
Result<engines::RemoteSecret> SecretFor(store::ObjectStore& store) {
  SLUICE_TRY(const auto access, store::AccessOf(store));
  engines::RemoteSecret secret{access->host, access->region, access->tls, access->path_style, access->ca_file};
  secret.access_key_id = access->credentials.access_key_id;
  secret.secret_access_key = access->credentials.secret_access_key;
  secret.session_token = access->credentials.session_token;
  return secret;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Open(project::Project project, SessionOptions options, World world) {
  if (options.memory_bytes <= 0) options.memory_bytes = AvailableMemory() / 4 * 3;
  if (options.memory_bytes < kSmallBudget) PreferSmallAllocators();
  if (options.threads <= 0) options.threads = std::max(1u, std::thread::hardware_concurrency());
  std::unique_ptr<Session> session(new Session(std::move(project), options, std::move(world)));
  Session& self = *session;
  SLUICE_TRY(self.lake_, self.world_.open_lake ? self.world_.open_lake(self.project_.lake) : store::OpenStore(self.project_.lake));
  if (auto mounts = MountsOf(self.project_); !mounts.empty()) self.lake_ = store::NewMountedStore(std::move(self.lake_), std::move(mounts));
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
    store::ObjectStore* remote = lake_.get();
    SLUICE_TRY(auto access, store::AccessOf(*remote));
    if (!access && options_.also_reads != nullptr) {
      remote = options_.also_reads;
      SLUICE_TRY(access, store::AccessOf(*remote));
    }
    const auto secret = [remote] { return SecretFor(*remote); };
    SLUICE_TRY(db_, access ? engines::OpenRemoteDuckDb(options, secret) : engines::DuckDb::Open(options));
  }
  return db_.get();
}

Status Session::ExpandPatterns() {
  SLUICE_TRY(Expanded expanded, ExpandTablePatterns(*lake_, project_, world_.cancelled));
  project_.table_patterns.clear();
  std::move(expanded.sources.begin(), expanded.sources.end(), std::back_inserter(project_.sources));
  std::move(expanded.warnings.begin(), expanded.warnings.end(), std::back_inserter(project_.warnings));
  std::sort(project_.sources.begin(), project_.sources.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return Ok();
}

Result<const plan::Graph*> Session::graph() {
  std::lock_guard lock(graph_mutex_);
  if (!graph_) {
    if (!project_.table_patterns.empty())
      if (Status expanded = ExpandPatterns(); !expanded) {
        if (!options_.looking) return Fail(std::move(expanded).error());
        graph_errors_.push_back(std::move(expanded).error());
      }
    const auto facts_of = [this](const std::string& sql, const std::string& file) { return book_->Facts(sql, file); };
    if (options_.looking) {
      std::vector<Error> errors;
      graph_ = plan::ReadableGraph(project_, facts_of, &errors);
      graph_errors_.insert(graph_errors_.end(), errors.begin(), errors.end());
    } else {
      SLUICE_TRY(graph_, plan::BuildGraph(project_, facts_of));
    }
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

Status Session::HideUnfinished(const std::string& table, std::optional<delta::Snapshot>& loaded) const {
  const auto model =
      std::find_if(project_.models.begin(), project_.models.end(), [&](const project::Model& one) { return one.table() == table; });
  if (model == project_.models.end() || model->publish.empty()) return Ok();
  const state::NodeIdentity owner{.project = project_.name, .node = "publish." + model->publish, .run_id = ""};
  SLUICE_TRY(const auto version, state::ShownVersion(*lake_, owner, RootOf(table), *loaded));
  if (!version) {
    loaded.reset();
  } else if (*version != loaded->version) {
    SLUICE_TRY(loaded, delta::LoadSnapshot(*lake_, RootOf(table), *version));
  }
  return Ok();
}

Result<std::shared_ptr<const delta::Snapshot>> Session::PinExternal(const std::string& table, const project::Source& source) {
  const std::lock_guard one_at_a_time(external_mutex_);
  {
    const std::lock_guard lock(pin_mutex_);
    if (const auto at = pins_.find(table); at != pins_.end()) return at->second;
  }
  SLUICE_TRY(auto loaded, LoadExternal(*this, source, records_listings_));
  auto snapshot = std::make_shared<const delta::Snapshot>(std::move(loaded.snapshot));
  const std::lock_guard lock(pin_mutex_);
  unwritten_[table] = loaded.unwritten;
  pins_[table] = snapshot;
  return snapshot;
}

std::shared_ptr<const delta::LogCommit> Session::Unwritten(const std::string& table) {
  const std::lock_guard lock(pin_mutex_);
  const auto found = unwritten_.find(table);
  return found == unwritten_.end() ? nullptr : found->second;
}

void Session::RecordListings() {
  const std::lock_guard one_at_a_time(external_mutex_);
  records_listings_ = true;
  const std::lock_guard lock(pin_mutex_);
  std::erase_if(pins_, [&](const auto& pin) { return FindExternal(project_, pin.first) != nullptr; });
}

Result<std::shared_ptr<const delta::Snapshot>> Session::Repin(const std::string& table) {
  if (const project::Source* external = FindExternal(project_, table)) return PinExternal(table, *external);
  SLUICE_TRY(auto loaded, delta::LoadSnapshotIfExists(*lake_, RootOf(table)));
  if (loaded) SLUICE_CHECK(HideUnfinished(table, loaded));
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
