#pragma once
// One Parquet data file being written to a store.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/object_store.h"
#include "tables/file_shape.h"
#include "tables/spill.h"

namespace arrow {
class ChunkedArray;
class RecordBatch;
}  // namespace arrow

namespace sluice::tables {

class PickedRows;

inline constexpr int64_t kMinGroupBytes = 8LL << 20;  // raw, of rows that are worth a row group while more may come

struct FileBuffering {
  int64_t row_group_bytes = 64LL << 20;  // raw: with so many waiting, a row group ends
  bool behind = false;                   // row groups are encoded on a thread of their own while the next one gathers
};

// Columns of the file (`a.b` of a struct) that are not written as all others are.
struct ColumnEncodings {
  std::vector<std::string> without_dictionary, uncompressed;
};

class ParquetFile {
 public:
  struct Finished {
    int64_t size = 0, rows = 0;
    std::string stats;
  };
  // `shape` outlives the file. Its object is opened when its first row group is written. `known`: encodings of columns by their names;
  // all others are made out from their values.
  using OpenObject = std::function<Result<std::unique_ptr<store::ObjectWriter>>()>;
  static std::unique_ptr<ParquetFile> Open(const FileShape& shape, OpenObject open, FileBuffering buffering = {},
                                           ColumnEncodings known = {});
  virtual ~ParquetFile() = default;  // without Close: the object is discarded
  // The batch may be kept until its row group is full.
  virtual Status Write(const arrow::RecordBatch& batch) = 0;
  virtual Status Write(const PickedRows& rows) = 0;
  // A whole row group: the values of each column in turn, of its type or as dictionaries of it. Not to be mixed with Write.
  using ColumnValues = std::function<Result<std::shared_ptr<arrow::ChunkedArray>>(int column)>;
  virtual Status WriteRowGroup(int64_t rows, const ColumnValues& values) = 0;
  // So that less memory is taken: rows worth a row group are written, if its object is open or may be; other rows are encoded, or go
  // into the scratch file, which outlives this one.
  using Scratch = std::function<Result<SpillFile*>()>;
  virtual Status Relieve(const Scratch& scratch, bool may_open) = 0;
  virtual Status EndRowGroup() = 0;  // its bytes go out; call it only where rows will follow
  virtual int64_t rows_in_group() const = 0;
  virtual int64_t buffered_bytes() const = 0;  // estimate of what is held in memory
  virtual int64_t size() const = 0;            // estimate of the file's bytes so far
  virtual Result<Finished> Close() = 0;
};

}  // namespace sluice::tables
