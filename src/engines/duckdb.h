#pragma once
// The embedded engine: one DuckDB instance of a run, its connections, Arrow in and out. Wraps the C API of duckdb.h, which no
// other room includes.
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/result.h"

namespace arrow {
class RecordBatch;
class RecordBatchReader;
class Schema;
class Status;
}  // namespace arrow

namespace sluice::engines {

struct DuckDbOptions {
  int64_t memory_bytes = 0;              // 0: DuckDB's default
  int threads = 0;                       // 0: all cores
  std::string temp_dir;                  // where it may spill
  bool preserve_insertion_order = true;  // false: less memory for large unordered results
  std::string extensions_dir;            // "" = beside the binary (../lib/extensions), else the build's
};

// A value bound to $name in SQL, with its type: "string", "bigint", "double", "boolean", "date" (2024-01-31), "timestamp" (RFC 3339 with a
// zone) or "timestamp_ntz" (2024-01-31 10:00:00). Statements that do not use it ignore it.
struct Parameter {
  std::string name, type, text;
};

class Connection;

class DuckDb {
 public:
  // Cheap: the database opens with the first connection. Connections and open readers keep it alive.
  static Result<std::unique_ptr<DuckDb>> Open(const DuckDbOptions& options);
  virtual ~DuckDb() = default;
  // Each connection is used by one thread at a time. Session zone is UTC.
  virtual Result<std::unique_ptr<Connection>> Connect() = 0;
  // LOADs an extension by absolute path from extensions_dir, once ("delta"). Error "missing-extension".
  virtual Status LoadExtension(const std::string& name) = 0;
  // Thread-safe: makes what runs on any of its connections fail with "sql-interrupted".
  virtual void InterruptAll() = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;
  // Errors carry DuckDB's own message, code "sql" (user), "sql-interrupted" (cancelled), "sql-out-of-memory", "sql-io" and
  // "engine-invalidated" (retryable: after a fatal error the instance must be thrown away).
  virtual Status Execute(const std::string& sql) = 0;
  // Streams the result as Arrow: batches of at most 2,048 rows, column types as DuckDB has them (VARCHAR utf8, TIMESTAMPTZ
  // timestamp[us, UTC], HUGEINT decimal128(38,0)); casts of CastTo (engines/sql.h) make them the contract's. One reader of a connection at
  // a time: the next statement ends it. Its errors come out whole by ReaderError.
  virtual Result<std::shared_ptr<arrow::RecordBatchReader>> Query(const std::string& sql, const std::vector<Parameter>& params = {}) = 0;
  // The result's columns without running it (prepare only), as DuckDB type names ("DECIMAL(18,2)").
  struct Column {
    std::string name, duckdb_type;
  };
  virtual Result<std::vector<Column>> Describe(const std::string& sql, const std::vector<Parameter>& params = {}) = 0;
  // First column of the first row as text / bigint; nullopt where there is no row or it is NULL.
  virtual Result<std::optional<std::string>> Scalar(const std::string& sql, const std::vector<Parameter>& params = {}) = 0;
  // The same for a statement that gives text and is run again and again: it stays prepared with the connection.
  virtual Result<std::optional<std::string>> PreparedScalar(const std::string& sql, const std::vector<Parameter>& params) = 0;
  // All rows as text (NULL = nullopt); for small results.
  virtual Result<std::vector<std::vector<std::optional<std::string>>>> Rows(const std::string& sql,
                                                                            const std::vector<Parameter>& params = {}) = 0;
  // Makes `batches` readable as a relation: `SELECT * FROM NAME`. Kept until the connection ends or Unregister.
  virtual Status Register(const std::string& name, std::shared_ptr<arrow::Schema> schema,
                          std::vector<std::shared_ptr<arrow::RecordBatch>> batches) = 0;
  virtual Status Unregister(const std::string& name) = 0;
  // Thread-safe: makes the running statement fail with "sql-interrupted".
  virtual void Interrupt() = 0;
};

// The error behind a failed read of a Connection::Query reader (or of one over it).
Error ReaderError(const arrow::Status& status);

}  // namespace sluice::engines
