#pragma once
// One Parquet data file being written to a store.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"
#include "store/object_store.h"

namespace arrow {
class RecordBatch;
class Schema;
}  // namespace arrow

namespace sluice::tables {

// What all files of one writer share.
struct FileShape {
  std::vector<contract::Field> fields;          // the data columns: all but the partition columns
  std::shared_ptr<arrow::Schema> arrow_schema;  // of the batches that Write takes
  int indexed_columns = 32;
};
FileShape MakeFileShape(std::vector<contract::Field> fields, int indexed_columns);

class ParquetFile {
 public:
  struct Finished {
    int64_t size = 0, rows = 0;
    std::string stats;
  };
  // `shape` outlives the file.
  static Result<std::unique_ptr<ParquetFile>> Open(const FileShape& shape, std::unique_ptr<store::ObjectWriter> object);
  virtual ~ParquetFile() = default;  // without Close: the object is discarded
  virtual Status Write(const arrow::RecordBatch& batch) = 0;
  virtual Status EndRowGroup() = 0;  // its bytes go out; call it only where rows will follow
  virtual int64_t rows_in_group() const = 0;
  virtual int64_t buffered_bytes() const = 0;  // estimate of what the open row group holds in memory
  virtual int64_t size() const = 0;            // estimate of the file's bytes so far
  virtual Result<Finished> Close() = 0;
};

}  // namespace sluice::tables
