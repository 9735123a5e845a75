#pragma once
#include <memory>
#include <mutex>

#include "engines/duckdb.h"
#include "engines/duckdb/arrow_scan.h"
#include "engines/duckdb/handles.h"

namespace sluice::engines {

// One open database, shared by its connections and by results that are still being read.
class Database {
 public:
  static Result<std::shared_ptr<Database>> Open(const DuckDbOptions& options);
  duckdb_database raw() const { return database_.get(); }
  ArrowTables& arrow_tables() { return arrow_tables_; }
  // Registers sluice_arrow once. Thread-safe.
  Status EnsureArrowScan();

 private:
  ArrowTables arrow_tables_;  // before the database: outlives its queries
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

 private:
  std::shared_ptr<Database> database_;
  ConnectionHandle connection_;
};

std::unique_ptr<Connection> NewConnection(std::shared_ptr<Session> session);

}  // namespace sluice::engines
