#include "tables/partition_files.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "core/parallel.h"
#include "core/text.h"
#include "delta/path.h"
#include "tables/conform.h"
#include "tables/one_dictionary.h"

namespace sluice::tables {
namespace {

constexpr int64_t kMaxGroupBytes = 128LL << 20;  // encoded, of one row group
constexpr int64_t kColumnBytes = 512;            // of an open file's column without rows, about
constexpr int64_t kChunkRows = 1 << 15;          // rows given at once to the encoder of a spilled partition

}  // namespace

PartitionFiles::PartitionFiles(store::ObjectStore& store, std::string table_root, const WriterOptions& options, const FileShape& shape,
                               Random& random, ValuesOf values)
    : store_(store),
      root_(std::move(table_root)),
      options_(options),
      shape_(shape),
      random_(random),
      values_(std::move(values)),
      max_open_files_(options.max_open_partitions) {
  // An open file takes little while its rows are few, and no file descriptor before they are written.
  const int64_t bearable = options.memory_bytes / 4 / (kColumnBytes * std::max<int64_t>(1, static_cast<int64_t>(shape.leaves.size())));
  max_open_files_ = std::max(max_open_files_, static_cast<int>(std::min<int64_t>(bearable, INT_MAX)));
}

PartitionFiles::Partition& PartitionFiles::At(uint32_t p) {
  const std::lock_guard lock(mutex_);
  while (partitions_.size() <= p) partitions_.emplace_back();
  return partitions_[p];
}

Status PartitionFiles::Write(uint32_t p, const PickedRows& rows) {
  {
    Partition& partition = At(p);
    const std::lock_guard lock(partition.mutex);
    SLUICE_TRY(const bool takes, TakesRows(p, &partition));
    if (takes && rows.num_rows() <= options_.row_group_rows) {
      SLUICE_CHECK(WriteAtOnce(p, &partition, rows));
    } else {
      SLUICE_TRY(const auto batch, rows.AsBatch());
      SLUICE_CHECK(takes ? WriteBatch(p, &partition, *batch) : Spill(&partition, *batch));
    }
  }
  return buffered_bytes_ > options_.memory_bytes / 4 * 3 ? Relieve() : Ok();
}

Status PartitionFiles::Write(uint32_t p, const arrow::RecordBatch& rows) {
  {
    Partition& partition = At(p);
    const std::lock_guard lock(partition.mutex);
    SLUICE_TRY(const bool takes, TakesRows(p, &partition));
    SLUICE_CHECK(takes ? WriteBatch(p, &partition, rows) : Spill(&partition, rows));
  }
  return buffered_bytes_ > options_.memory_bytes / 4 * 3 ? Relieve() : Ok();
}

// Into a file, which then is open; else they spill.
Result<bool> PartitionFiles::TakesRows(uint32_t p, Partition* partition) {
  if (partition->file) return true;
  if (!partition->spilled.empty() || !ReserveFile()) return false;
  SLUICE_CHECK(OpenFile(p, partition));
  return true;
}

Status PartitionFiles::WriteBatch(uint32_t p, Partition* partition, const arrow::RecordBatch& rows) {
  for (int64_t begin = 0; begin < rows.num_rows(); begin += options_.row_group_rows)
    SLUICE_CHECK(WriteAtOnce(p, partition, *rows.Slice(begin, options_.row_group_rows)));
  return Ok();
}

// Rows that outgrow a file go on in another.
template <typename Rows>
Status PartitionFiles::WriteAtOnce(uint32_t p, Partition* partition, const Rows& rows) {
  if (!partition->file) {
    ++open_files_;
    SLUICE_CHECK(OpenFile(p, partition));
  }
  ParquetFile& file = *partition->file;
  const bool full = file.rows_in_group() > 0 && file.rows_in_group() + rows.num_rows() > options_.row_group_rows;
  if (full || file.buffered_bytes() > kMaxGroupBytes) SLUICE_CHECK(Counted(partition, [&] { return file.EndRowGroup(); }));
  SLUICE_CHECK(Counted(partition, [&] { return file.Write(rows); }));
  return file.size() >= options_.target_file_bytes ? CloseFile(p, partition) : Ok();
}

template <typename Change>
Status PartitionFiles::Counted(Partition* partition, Change change) {
  Status done = change();
  const int64_t now = partition->file->buffered_bytes();
  buffered_bytes_ += now - partition->buffered.exchange(now);
  return done;
}

// The partition with the most in memory writes it down. What is worth a row group of its own becomes one.
Status PartitionFiles::Relieve() {
  Partition* largest = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (Partition& partition : partitions_)
      if (largest == nullptr || partition.buffered > largest->buffered) largest = &partition;
  }
  const std::lock_guard lock(largest->mutex);
  if (!largest->file || largest->file->buffered_bytes() == 0) return Ok();  // another thread came first
  const bool may_open = open_objects_ < options_.max_open_partitions;
  return Counted(largest, [&] { return largest->file->Relieve([this] { return Scratch(); }, may_open); });
}

bool PartitionFiles::ReserveFile() {
  if (open_files_++ < max_open_files_) return true;
  --open_files_;
  return false;
}

// One is reserved.
Status PartitionFiles::OpenFile(uint32_t p, Partition* partition) {
  const delta::PartitionValues values = values_(p);
  const std::string folder = values.empty() ? "" : PartitionFolder(options_.partition_columns, values) + "/";
  {
    const std::lock_guard lock(mutex_);
    partition->key =
        fmt::format("{}{}{}-{}-{:05}.parquet", options_.folder, folder, options_.file_prefix, Hex(random_.Next()), next_file_++);
  }
  const auto open = [this, key = partition->key] {
    ++open_objects_;
    return store_.OpenWriter(root_ + "/" + key);
  };
  partition->file = ParquetFile::Open(shape_, open, Buffering());
  return Ok();
}

FileBuffering PartitionFiles::Buffering() const {
  return {std::clamp<int64_t>(options_.memory_bytes / 4, kMinGroupBytes, kMaxGroupBytes / 2), options_.encode_behind};
}

Status PartitionFiles::CloseFile(uint32_t p, Partition* partition) {
  SLUICE_TRY(ParquetFile::Finished finished, partition->file->Close());
  buffered_bytes_ -= partition->buffered.exchange(0);
  partition->file.reset();
  --open_objects_;
  --open_files_;
  StagedFile staged;
  staged.add.path = delta::LogPath(partition->key);
  for (auto& [name, value] : values_(p))
    staged.add.partition_values[delta::PhysicalName(*options_.schema.Find(name), options_.rules.mapping)] = value;
  staged.add.size = finished.size;
  staged.add.stats = std::move(finished.stats);
  staged.rows = finished.rows;
  const std::lock_guard lock(mutex_);
  staged.add.modification_time = (options_.clock ? *options_.clock : SystemClock()).Now().millis();
  staged_.push_back({p, std::move(staged)});
  return Ok();
}

Result<SpillFile*> PartitionFiles::Scratch() {
  const std::lock_guard lock(mutex_);
  if (!spill_) {
    SLUICE_TRY(spill_, SpillFile::Open(options_.scratch_dir, shape_.arrow_schema));
  }
  return spill_.get();
}

Status PartitionFiles::Spill(Partition* partition, const arrow::RecordBatch& rows) {
  SLUICE_TRY(const auto dense, Dense(rows));
  SLUICE_TRY(SpillFile * scratch, Scratch());
  SLUICE_TRY(const auto chunk, scratch->Append(*dense));
  partition->spilled.push_back(chunk);
  return Ok();
}

Status PartitionFiles::Unspill(uint32_t p, Partition* partition) {
  const auto chunks = std::move(partition->spilled);
  std::vector<std::shared_ptr<arrow::RecordBatch>> ready;
  int64_t rows = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    SLUICE_TRY(auto chunk, spill_->Read(chunks[i]));
    ready.push_back(std::move(chunk));
    rows += chunks[i].rows;
    if (rows < kChunkRows && i + 1 < chunks.size()) continue;
    SLUICE_TRY(const auto whole, ConcatenateBatches(std::exchange(ready, {})));
    rows = 0;
    SLUICE_CHECK(WriteBatch(p, partition, *whole));
  }
  return Ok();
}

Result<std::vector<StagedFile>> PartitionFiles::Finish() {
  SLUICE_CHECK(InParallel(partitions_.size(), static_cast<size_t>(options_.threads), [&](size_t i) -> Status {
    Partition& partition = partitions_[i];
    const auto p = static_cast<uint32_t>(i);
    const std::lock_guard lock(partition.mutex);
    if (!partition.spilled.empty()) SLUICE_CHECK(Unspill(p, &partition));
    return partition.file ? CloseFile(p, &partition) : Ok();
  }));
  std::stable_sort(staged_.begin(), staged_.end(), [](const Staged& a, const Staged& b) { return a.partition < b.partition; });
  std::vector<StagedFile> files;
  for (Staged& staged : staged_) files.push_back(std::move(staged.file));
  return files;
}

}  // namespace sluice::tables
