#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "engines/duckdb/comparison_probe.h"
#include "engines/duckdb/connection.h"
#include "engines/duckdb/row_set.h"

namespace sluice::engines {
namespace {

namespace fs = std::filesystem;

// lib/extensions of the installed prefix, where it exists; else the folder that the build knows.
std::string FindExtensionsDir() {
  std::error_code error;
  const fs::path binary = fs::read_symlink("/proc/self/exe", error);
  const fs::path installed = binary.parent_path().parent_path() / "lib" / "extensions";
  if (!error && fs::is_directory(installed, error)) return installed.string();
  return SLUICE_BUILD_EXTENSIONS_DIR;
}

// Error "missing-extension".
Result<std::string> ExtensionPath(const DuckDbOptions& options, const std::string& name) {
  const fs::path dir = options.extensions_dir.empty() ? FindExtensionsDir() : options.extensions_dir;
  const std::string path = (dir / (name + ".duckdb_extension")).string();
  std::error_code error;
  if (fs::exists(path, error)) return path;
  return Fail(NotFoundError("missing-extension", fmt::format("DuckDB's extension \"{}\" is not at {}", name, path))
                  .Hint("reinstall Sluice: its prefix holds lib/extensions"));
}

struct Setting {
  const char* name;
  std::string value;
};

std::vector<Setting> SettingsOf(const DuckDbOptions& options) {
  std::vector<Setting> settings = {
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_unsigned_extensions", "true"},  // their hashes are checked at install; the signature costs 0.18 s a time
      {"preserve_insertion_order", options.preserve_insertion_order ? "true" : "false"},
  };
  if (options.memory_bytes > 0) settings.push_back({"memory_limit", fmt::format("{}B", options.memory_bytes)});
  if (options.threads > 0) settings.push_back({"threads", std::to_string(options.threads)});
  if (!options.temp_dir.empty()) settings.push_back({"temp_directory", options.temp_dir});
  return settings;
}

Status Run(duckdb_connection connection, const std::string& sql) {
  ResultHandle result;
  if (duckdb_query(connection, sql.c_str(), result.get()) != DuckDBSuccess) return Fail(SqlError(duckdb_result_error(result.get())));
  return Ok();
}

// Opens on the first connection: what never asks for SQL does not pay for it.
class LazyDuckDb : public DuckDb {
 public:
  LazyDuckDb(DuckDbOptions options, RemoteSecretSource remote) : options_(std::move(options)), remote_(std::move(remote)) {}

  Result<std::unique_ptr<Connection>> Connect() override {
    SLUICE_TRY(auto database, Opened());
    SLUICE_TRY(auto session, Session::Open(std::move(database)));
    {
      std::lock_guard lock(sessions_mutex_);
      std::erase_if(sessions_, [](const auto& other) { return other.expired(); });
      sessions_.push_back(session);
    }
    return NewConnection(std::move(session));
  }

  void InterruptAll() override {
    std::vector<std::shared_ptr<Session>> alive;  // let go after the lock: the last owner closes the connection
    std::lock_guard lock(sessions_mutex_);
    for (const auto& session : sessions_)
      if (auto held = session.lock()) alive.push_back(std::move(held));
    for (const auto& session : alive) duckdb_interrupt(session->connection());
  }

  Status LoadExtension(const std::string& name) override {
    std::lock_guard lock(extensions_mutex_);
    if (loaded_.contains(name)) return Ok();
    SLUICE_TRY(const std::string path, ExtensionPath(options_, name));
    SLUICE_TRY(const auto connection, Connect());
    SLUICE_CHECK(connection->Execute("LOAD " + QuoteLiteral(path)));
    loaded_.insert(name);
    return Ok();
  }

 private:
  Result<std::shared_ptr<Database>> Opened() {
    std::lock_guard lock(mutex_);
    if (!database_) {
      SLUICE_TRY(database_, Database::Open(options_, remote_));
    }
    return database_;
  }

  const DuckDbOptions options_;
  const RemoteSecretSource remote_;
  std::mutex mutex_, extensions_mutex_, sessions_mutex_;
  std::vector<std::weak_ptr<Session>> sessions_;  // of connections and readers
  std::shared_ptr<Database> database_;
  std::set<std::string> loaded_;
};

}  // namespace

Result<std::shared_ptr<Database>> Database::Open(const DuckDbOptions& options, const RemoteSecretSource& remote) {
  ConfigHandle config;
  if (duckdb_create_config(config.out()) != DuckDBSuccess) return Fail(BugError("cannot make a DuckDB configuration"));
  for (const Setting& setting : SettingsOf(options)) {
    if (duckdb_set_config(config.get(), setting.name, setting.value.c_str()) != DuckDBSuccess)
      return Fail(BugError(fmt::format("DuckDB refuses the setting {} = {}", setting.name, setting.value)));
  }
  auto database = std::make_shared<Database>();
  char* message = nullptr;
  if (duckdb_open_ext(nullptr, database->database_.out(), config.get(), &message) != DuckDBSuccess) {
    const std::string text = message ? message : "unknown error";
    duckdb_free(message);
    return Fail(SqlError(text));
  }
  ConnectionHandle connection;
  if (duckdb_connect(database->database_.get(), connection.out()) != DuckDBSuccess)
    return Fail(BugError("cannot connect to the embedded database"));
  // For all connections to come. ICU, which knows zones, is there only once the database is open.
  SLUICE_CHECK(Run(connection.get(), "SET GLOBAL TimeZone = 'UTC'"));
  SLUICE_CHECK(RegisterComparisonProbe(connection.get()));
  SLUICE_CHECK(RegisterRowSet(connection.get()));
  if (remote) {
    SLUICE_TRY(const std::string httpfs, ExtensionPath(options, "httpfs"));
    SLUICE_CHECK(Run(connection.get(), "LOAD " + QuoteLiteral(httpfs)));
    database->remote_ = std::make_unique<RemoteSecretKeeper>(remote);
  }
  return database;
}

Status Database::EnsureArrowScan() {
  std::lock_guard lock(mutex_);
  if (arrow_connection_) return Ok();
  ConnectionHandle connection;
  if (duckdb_connect(database_.get(), connection.out()) != DuckDBSuccess) return Fail(BugError("cannot connect to the embedded database"));
  SLUICE_CHECK(RegisterArrowScan(connection.get(), &arrow_tables_));
  arrow_connection_ = std::move(connection);
  return Ok();
}

Result<std::shared_ptr<Session>> Session::Open(std::shared_ptr<Database> database) {
  auto session = std::make_shared<Session>();
  session->database_ = std::move(database);
  if (duckdb_connect(session->database_->raw(), session->connection_.out()) != DuckDBSuccess)
    return Fail(RetryableError("engine-invalidated", "cannot connect to the embedded database"));
  return session;
}

Result<std::unique_ptr<DuckDb>> DuckDb::Open(const DuckDbOptions& options) {
  return std::make_unique<LazyDuckDb>(options, RemoteSecretSource());
}
Result<std::unique_ptr<DuckDb>> OpenRemoteDuckDb(const DuckDbOptions& options, RemoteSecretSource secret) {
  return std::make_unique<LazyDuckDb>(options, std::move(secret));
}

}  // namespace sluice::engines
