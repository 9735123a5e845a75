#pragma once
// The one writer of data files, whoever made the rows: Arrow batches in, Parquet files with Delta statistics out, scattered by
// partition. Files are written through the ObjectStore under staged names (design section 6, "Staged files").
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/clock.h"
#include "store/object_store.h"
#include "tables/partitioning.h"
#include "tables/scan.h"

namespace arrow {
class RecordBatch;
}

namespace sluice::tables {

struct WriterOptions {
  contract::Schema schema;  // all columns, generated partition columns included
  std::vector<std::string> partition_columns;
  std::string file_prefix;  // "bronze.orders-12.1": node, n, a; the writer adds a random part and a sequence number
  int64_t target_file_bytes = 256LL << 20;
  int64_t row_group_rows = 1 << 20;
  int max_open_partitions = 64;        // beyond: row groups spill to one scratch file and are joined at the end
  int64_t memory_bytes = 256LL << 20;  // of rows waiting or encoded; a batch given to Write comes on top
  std::string scratch_dir;             // local folder for spilling; must exist
  int indexed_columns = 32;            // leaf columns with statistics (delta.dataSkippingNumIndexedCols)
  Clock* clock = nullptr;              // of modification times; default: SystemClock
};

// Not thread-safe: one writer per thread, or one behind a lock.
class DataFileWriter {
 public:
  static Result<std::unique_ptr<DataFileWriter>> Open(store::ObjectStore& store, std::string table_root, WriterOptions options,
                                                      Random& random);
  virtual ~DataFileWriter() = default;  // without Finish: discards what is unfinished (staged files already closed stay)
  // The batch has the schema's columns in order; generated partition columns may be missing from it: the writer computes them
  // from the column's metadata (delta.generationExpression date_format(c, 'yyyy-MM') and its kin).
  virtual Status Write(const arrow::RecordBatch& batch) = 0;
  virtual Result<std::vector<StagedFile>> Finish() = 0;
  virtual int64_t rows_written() const = 0;
};

}  // namespace sluice::tables
