#pragma once
// `table check`: is a table whole? Its log (delta::CheckLog), and every live file against what the log says of it.
#include <string_view>
#include <vector>

#include "delta/check_log.h"
#include "engines/duckdb.h"
#include "store/object_store.h"

namespace sluice::tables {

struct TableCheck {
  int64_t version = -1;  // -1: the log does not lead to its newest version
  int64_t commits = 0, checkpoints = 0, checksums = 0, files = 0, deletion_vectors = 0;
  std::vector<delta::Finding> findings;
};

// Reads every row of the table. Findings beside delta::CheckLog's: "file-missing", "file-size", "file-unreadable", "wrong-statistics",
// "bad-deletion-vector", "bad-partition-value",
// "broken-constraint". Errors as delta::CheckLog.
Result<TableCheck> CheckTable(store::ObjectStore& store, std::string_view table_root, engines::Connection& connection);

// The findings of one live file: its size in the store, its partition values, deletion vector and statistics.
struct FileCheck {
  store::ObjectStore& store;
  std::string_view root;
  const delta::Snapshot& snapshot;
  engines::Connection& connection;
};
Result<std::vector<delta::Finding>> CheckFile(const FileCheck& check, const delta::Add& add, std::optional<int64_t> size);

}  // namespace sluice::tables
