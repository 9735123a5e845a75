#pragma once
// The one writer of data files, whoever made the rows: Arrow batches in, Parquet files with Delta statistics out, scattered by
// partition. Files are written through the ObjectStore under staged names (design section 6, "Staged files").
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/clock.h"
#include "delta/column_mapping.h"
#include "delta/features.h"
#include "store/object_store.h"
#include "tables/partitioning.h"
#include "tables/scan.h"
#include "tables/scatter.h"

namespace arrow {
class RecordBatch;
}

namespace sluice::tables {

// What a table asks of its files.
struct FileRules {
  delta::ColumnMapping mapping = delta::ColumnMapping::kNone;  // where set, every column has its id and physical name
  std::vector<delta::Constraint> constraints;                  // a row that breaks one is refused: kData "check-constraint"
  int indexed_columns = 32;                                    // leaf columns with statistics (delta.dataSkippingNumIndexedCols)
};
// Of a table with this protocol and metadata. Columns of `schema` that are new to the table get their ids (delta::AssignColumnIds).
// Errors: those of delta::ConstraintsOf.
Result<FileRules> RulesOf(const delta::Protocol& protocol, const delta::Metadata& metadata, contract::Schema* schema);

struct WriterOptions {
  contract::Schema schema;  // all columns, generated ones included
  std::vector<std::string> partition_columns;
  std::string folder;       // of all files, below the table's root: "_change_data/"; "" for data files
  std::string file_prefix;  // "bronze.orders-12.1": node, n, a; the writer adds a random part and a sequence number
  int64_t target_file_bytes = 256LL << 20;
  int64_t row_group_rows = 1 << 20;
  // Objects that are open at once. Rows of other partitions wait in memory, or in one scratch file, and are written at the end; where
  // columns are nested, those of all others are.
  int max_open_partitions = 64;
  uint32_t max_partitions = UINT32_MAX;  // more are kData "too-many-partitions"
  int64_t memory_bytes = 256LL << 20;    // of rows waiting or encoded; a batch given to Write comes on top
  std::string scratch_dir;               // local folder for spilling; must exist
  int threads = 1;                       // that write at once, and close files at the end
  bool encode_behind = false;            // row groups are encoded on threads of the writer's own while rows go on coming
  FileRules rules;
  Clock* clock = nullptr;  // of modification times; default: SystemClock
};

// What becomes of the generated columns that a batch brings.
enum class Brought {
  kChecked,  // another value than the computed one is refused
  kKept,     // rows of the table itself, all generated columns of which come along as they are: who wrote them may have had another zone
};

class DataFileWriter {
 public:
  static Result<std::unique_ptr<DataFileWriter>> Open(store::ObjectStore& store, std::string table_root, WriterOptions options,
                                                      Random& random);
  virtual ~DataFileWriter() = default;  // without Finish: discards what is unfinished (staged files already closed stay)
  // The batch has the schema's columns in order but for the generated ones, which are computed; those that it brings nevertheless come
  // after them, by name. Errors: "check-constraint", "not-null", "conversion", "generated-value". Thread-safe.
  virtual Status Write(const arrow::RecordBatch& batch, Brought brought = Brought::kChecked) = 0;
  // The same of the rows that are not dropped (one entry for each row), copied once where others copy them anyway.
  virtual Status WriteRest(const arrow::RecordBatch& batch, Dropped dropped) = 0;
  virtual Result<std::vector<StagedFile>> Finish() = 0;
  virtual int64_t rows_written() const = 0;
};

}  // namespace sluice::tables
