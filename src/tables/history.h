#pragma once
// What `table history` and `table show` print, from the log alone.
#include <optional>
#include <string>
#include <vector>

#include "delta/snapshot.h"

namespace sluice::tables {

struct HistoryEntry {
  int64_t version = 0;
  int64_t timestamp = 0;  // milliseconds; the time that time travel goes by (delta::VersionAt), not commitInfo's
  std::string operation;  // "" where the commit says none
  std::string engine;
  std::string run_id, batch, node;  // of our own commits
  int64_t files_added = 0, files_removed = 0;
  int64_t rows_added = -1;  // -1: a file has no statistics
  bool schema_changed = false, protocol_changed = false;
};
// Newest first, at most `limit`; the commits whose files are still there.
Result<std::vector<HistoryEntry>> History(store::ObjectStore& store, std::string_view table_root,
                                          std::optional<int64_t> limit = std::nullopt);

struct TableSummary {
  std::string id, description;
  int64_t version = 0, timestamp = 0;
  int64_t files = 0, bytes = 0, rows = -1;
  int min_reader_version = 0, min_writer_version = 0;
  std::vector<std::string> features;
  std::vector<std::string> partition_columns;
  int64_t partitions = 0;
  std::map<std::string, std::string> properties;
  contract::Schema schema;
};
TableSummary Summarise(const delta::Snapshot& snapshot);

}  // namespace sluice::tables
