#pragma once
// The data files that one writer has open, one for each partition at a time.
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tables/data_file_writer.h"
#include "tables/gather.h"
#include "tables/parquet_file.h"
#include "tables/spill.h"

namespace sluice::tables {

class PartitionFiles {
 public:
  // The partition columns' values of a partition, under the names that the schema has; called by any thread.
  using ValuesOf = std::function<delta::PartitionValues(uint32_t partition)>;
  // All referenced values outlive it.
  PartitionFiles(store::ObjectStore& store, std::string table_root, const WriterOptions& options, const FileShape& shape, Random& random,
                 ValuesOf values);

  // Thread-safe. `rows` have shape's columns; a whole batch may be kept for a while.
  Status Write(uint32_t partition, const PickedRows& rows);
  Status Write(uint32_t partition, const arrow::RecordBatch& rows);
  // Closes all files; in the order of their partitions.
  Result<std::vector<StagedFile>> Finish();

 private:
  struct Partition {
    std::mutex mutex;
    std::unique_ptr<ParquetFile> file;
    std::string key;                        // of the open file, relative to the root
    std::vector<SpillFile::Chunk> spilled;  // not both: a partition that spills gets its file at the end
    std::atomic<int64_t> buffered = 0;      // bytes in memory
  };
  struct Staged {
    uint32_t partition;
    StagedFile file;
  };

  Partition& At(uint32_t p);
  Result<bool> TakesRows(uint32_t p, Partition* partition);
  Status WriteBatch(uint32_t p, Partition* partition, const arrow::RecordBatch& rows);
  template <typename Rows>
  Status WriteAtOnce(uint32_t p, Partition* partition, const Rows& rows);
  template <typename Change>
  Status Counted(Partition* partition, Change change);
  Status Relieve();
  bool ReserveFile();
  Status OpenFile(uint32_t p, Partition* partition);
  Status CloseFile(uint32_t p, Partition* partition);
  Result<SpillFile*> Scratch();
  Status Spill(Partition* partition, const arrow::RecordBatch& rows);
  Status Unspill(uint32_t p, Partition* partition);
  FileBuffering Buffering() const;

  store::ObjectStore& store_;
  const std::string root_;
  const WriterOptions& options_;
  const FileShape& shape_;
  Random& random_;
  const ValuesOf values_;

  // Taken alone or after a partition's own mutex, never before one.
  std::mutex mutex_;
  std::unique_ptr<SpillFile> spill_;  // before the files, which have pages in it
  std::deque<Partition> partitions_;
  std::vector<Staged> staged_;
  int64_t next_file_ = 0;

  int max_open_files_;
  std::atomic<int> open_files_ = 0, open_objects_ = 0;
  std::atomic<int64_t> buffered_bytes_ = 0;  // over all open files
};

}  // namespace sluice::tables
