#pragma once
#include <memory>
#include <mutex>

#include "engines/duckdb.h"
#include "engines/duckdb/arrow_scan.h"
#include "engines/duckdb/handles.h"
#include "engines/duckdb/remote_secret.h"

namespace sluice::engines {

// One open database, shared by its connections and by results that are still being read.
class Database {
 public:
  // `remote` may be empty: then URLs cannot be read.
  static Result<std::shared_ptr<Database>> Open(const DuckDbOptions& options, const RemoteSecretSource& remote);
  duckdb_database raw() const { return database_.get(); }
  ArrowTables& arrow_tables() { return arrow_tables_; }
  // Registers sluice_arrow once. Thread-safe.
  Status EnsureArrowScan();
  // Brings the credentials for what it reads elsewhere up to date. Thread-safe.
  Status RefreshRemote() { return remote_ ? remote_->Refresh(database_.get()) : Ok(); }

 private:
  std::unique_ptr<RemoteSecretKeeper> remote_;  // null: it reads nothing elsewhere
  ArrowTables arrow_tables_;                    // before the database: outlives its queries
  DatabaseHandle database_;
  std::mutex mutex_;
  ConnectionHandle arrow_connection_;  // whose settings the conversion from Arrow takes
};

// A connection with what it must not outlive.
class Session {
 public:
  static Result<std::shared_ptr<Session>> Open(std::shared_ptr<Database> database);
  duckdb_connection connection() const { return connection_.get(); }
  ArrowTables& arrow_tables() { return database_->arrow_tables(); }
  Status EnsureArrowScan() { return database_->EnsureArrowScan(); }
  Status RefreshRemote() { return database_->RefreshRemote(); }

 private:
  std::shared_ptr<Database> database_;
  ConnectionHandle connection_;
};

std::unique_ptr<Connection> NewConnection(std::shared_ptr<Session> session);

}  // namespace sluice::engines
