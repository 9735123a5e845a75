#pragma once
// Arrow batches as a relation of DuckDB, without copying: the table function sluice_arrow(handle).
#include <arrow/record_batch.h>

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engines/duckdb/handles.h"

namespace sluice::engines {

// Batches that SQL may read. DuckDB's vectors point into them, so every scan holds the value until it ends.
struct ArrowTable {
  std::shared_ptr<arrow::Schema> schema;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  int64_t rows = 0;
};

// The tables of one database by handle. Thread-safe.
class ArrowTables {
 public:
  int64_t Add(std::shared_ptr<const ArrowTable> table);
  void Remove(int64_t handle);
  std::shared_ptr<const ArrowTable> Find(int64_t handle) const;

 private:
  mutable std::mutex mutex_;
  int64_t next_ = 1;
  std::map<int64_t, std::shared_ptr<const ArrowTable>> tables_;
};

// Makes sluice_arrow known to the database of `connection`, which is also asked for conversion settings: it and `tables` must outlive
// the database's queries.
Status RegisterArrowScan(duckdb_connection connection, ArrowTables* tables);

}  // namespace sluice::engines
