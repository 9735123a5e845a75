#pragma once
// DuckDB's own parser and printer of SELECT statements.
#include <memory>
#include <mutex>
#include <string>

#include "engines/duckdb.h"
#include "engines/sql/source_text.h"
#include "engines/sql/tree_json.h"

namespace sluice::engines {

// Thread-safe: one connection behind a lock.
class SqlParser {
 public:
  explicit SqlParser(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

  // The one statement of `source`: {"node": …, "named_param_map": …}. Errors at their places: "sql-syntax", "not-a-select",
  // "sql-unsupported".
  Result<Json> Parse(const SourceText& source);
  // SQL whose tree is `statement` again: checked, since DuckDB's printer loses some things. Error "sql-unsupported" where it does not.
  // `positions` (optional) gains positions in the printed text → positions in `statement`.
  Result<std::string> Print(const Json& statement, std::map<uint64_t, uint64_t>* positions = nullptr);

  // Runs `use` with the connection, alone.
  template <typename F>
  auto WithConnection(F&& use) {
    std::lock_guard lock(mutex_);
    return use(*connection_);
  }

 private:
  Result<Json> Serialize(const std::string& sql);

  std::mutex mutex_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace sluice::engines
