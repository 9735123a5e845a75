#include "tables/data_file_writer.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "contract/arrow_types.h"
#include "core/text.h"
#include "delta/path.h"
#include "tables/conform.h"
#include "tables/parquet_file.h"
#include "tables/partition_index.h"
#include "tables/spill.h"

namespace sluice::tables {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;

constexpr int64_t kMaxGroupBytes = 128LL << 20;  // encoded, of one row group
constexpr int64_t kChunkRows = 1 << 15;          // rows given at once to the encoder of a spilled partition

Error ArrowError(const arrow::Status& status) { return BugError("arrow: " + status.ToString()); }

Result<Batch> Concatenate(std::vector<Batch> batches) {
  if (batches.size() == 1) return batches[0];
  auto whole = arrow::ConcatenateRecordBatches(batches);
  if (!whole.ok()) return Fail(ArrowError(whole.status()));
  return *std::move(whole);
}

// The rows of a batch in the order of their partitions, and where each partition's run ends.
struct Sorted {
  Batch batch;
  struct Run {
    uint32_t partition;
    int64_t begin, rows;
  };
  std::vector<Run> runs;
};

// A counting sort: stable, so rows keep their order within a partition.
Result<Sorted> SortByPartition(const Batch& batch, const std::vector<uint32_t>& partition_of, uint32_t partitions) {
  std::vector<int64_t> next(partitions, 0);
  for (uint32_t p : partition_of) ++next[p];
  Sorted out;
  int64_t begin = 0;
  for (uint32_t p = 0; p < partitions; ++p) {
    const int64_t rows = next[p];
    next[p] = begin;
    if (rows > 0) out.runs.push_back({p, begin, rows});
    begin += rows;
  }
  if (out.runs.size() == 1) {
    out.batch = batch;
    return out;
  }
  auto order = arrow::AllocateBuffer(batch->num_rows() * static_cast<int64_t>(sizeof(uint32_t)));
  if (!order.ok()) return Fail(ArrowError(order.status()));
  auto* places = reinterpret_cast<uint32_t*>((*order)->mutable_data());
  for (size_t row = 0; row < partition_of.size(); ++row) places[next[partition_of[row]]++] = static_cast<uint32_t>(row);
  const arrow::UInt32Array indices(batch->num_rows(), std::shared_ptr<arrow::Buffer>(*std::move(order)));
  auto taken = arrow::compute::Take(arrow::Datum(batch), arrow::Datum(indices.data()), arrow::compute::TakeOptions::NoBoundsCheck());
  if (!taken.ok()) return Fail(ArrowError(taken.status()));
  out.batch = taken->record_batch();
  return out;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& other) { return EqualsIgnoreCase(other, name); });
}

class ScatteringWriter : public DataFileWriter {
 public:
  ScatteringWriter(store::ObjectStore& store, std::string table_root, WriterOptions options, Random& random)
      : store_(store), root_(std::move(table_root)), options_(std::move(options)), random_(random) {}

  Status Prepare() {
    std::vector<contract::Field> data;
    for (size_t i = 0; i < options_.schema.fields.size(); ++i) {
      const contract::Field& field = options_.schema.fields[i];
      const bool is_partition = Contains(options_.partition_columns, field.name);
      if (is_partition) {
        SLUICE_TRY(const auto generated, GeneratedOf(field));
        if (generated) continue;
      }
      if (!is_partition) {
        data_places_.push_back(static_cast<int>(input_.fields.size()));
        data.push_back(field);
      }
      input_places_.push_back(static_cast<int>(i));
      input_.fields.push_back(field);
    }
    shape_ = MakeFileShape(std::move(data), options_.indexed_columns);
    input_schema_ = MakeFileShape(input_.fields, 0).arrow_schema;
    partitions_.resize(1);
    if (options_.partition_columns.empty()) return Ok();
    SLUICE_TRY(index_, PartitionIndex::Make(options_.schema, options_.partition_columns, input_));
    return Ok();
  }

  Status Write(const arrow::RecordBatch& batch) override {
    SLUICE_TRY(Batch input, Picked(batch));
    rows_ += input->num_rows();
    if (!index_) return WriteTo(0, *DataColumns(*input));
    pending_bytes_ += arrow::util::ReferencedBufferSize(*input).ValueOr(0);
    pending_.push_back(std::move(input));
    return pending_bytes_ >= options_.memory_bytes / 8 ? Scatter() : Ok();
  }

  Result<std::vector<StagedFile>> Finish() override {
    if (index_) SLUICE_CHECK(Scatter());
    for (uint32_t p = 0; p < partitions_.size(); ++p) {
      if (!partitions_[p].spilled.empty()) SLUICE_CHECK(Unspill(p));
      if (partitions_[p].file) SLUICE_CHECK(CloseFile(p));
    }
    return std::move(staged_);
  }

  int64_t rows_written() const override { return rows_; }

 private:
  struct Partition {
    std::unique_ptr<ParquetFile> file;
    std::string key;                        // of the open file, relative to the root
    std::vector<SpillFile::Chunk> spilled;  // not both: a partition that spills gets its file at the end
  };

  // The input columns of a batch that may have the generated ones too.
  Result<Batch> Picked(const arrow::RecordBatch& batch) const {
    const bool whole = batch.num_columns() == static_cast<int>(options_.schema.fields.size());
    if (!whole && batch.num_columns() != input_schema_->num_fields())
      return Fail(BugError(fmt::format("a batch of {} columns for a table of {}", batch.num_columns(), options_.schema.fields.size())));
    arrow::ArrayVector columns;
    for (size_t i = 0; i < input_places_.size(); ++i) columns.push_back(batch.column(whole ? input_places_[i] : static_cast<int>(i)));
    return Conform(*arrow::RecordBatch::Make(input_schema_, batch.num_rows(), std::move(columns)), input_schema_);
  }

  Batch DataColumns(const arrow::RecordBatch& input) const {
    arrow::ArrayVector columns;
    for (int place : data_places_) columns.push_back(input.column(place));
    return arrow::RecordBatch::Make(shape_.arrow_schema, input.num_rows(), std::move(columns));
  }

  Status Scatter() {
    if (pending_.empty()) return Ok();
    SLUICE_TRY(Batch whole, Concatenate(std::move(pending_)));
    pending_.clear();
    pending_bytes_ = 0;
    std::vector<uint32_t> partition_of;
    SLUICE_CHECK(index_->Number(*whole, &partition_of));
    if (partitions_.size() < index_->size()) partitions_.resize(index_->size());
    Batch data = DataColumns(*whole);
    whole.reset();
    SLUICE_TRY(const Sorted sorted, SortByPartition(data, partition_of, index_->size()));
    data.reset();
    for (const Sorted::Run& run : sorted.runs) SLUICE_CHECK(WriteTo(run.partition, *sorted.batch->Slice(run.begin, run.rows)));
    return Ok();
  }

  Status WriteTo(uint32_t p, const arrow::RecordBatch& rows) {
    Partition& partition = partitions_[p];
    if (!partition.file && (open_files_ >= options_.max_open_partitions || !partition.spilled.empty())) return Spill(&partition, rows);
    for (int64_t begin = 0; begin < rows.num_rows(); begin += options_.row_group_rows)
      SLUICE_CHECK(WriteSlice(p, *rows.Slice(begin, options_.row_group_rows)));
    return Ok();
  }

  Status WriteSlice(uint32_t p, const arrow::RecordBatch& rows) {
    if (rows.num_rows() == 0) return Ok();
    if (!partitions_[p].file) SLUICE_CHECK(OpenFile(p));
    ParquetFile& file = *partitions_[p].file;
    const bool full = file.rows_in_group() > 0 && file.rows_in_group() + rows.num_rows() > options_.row_group_rows;
    if (full || file.buffered_bytes() > kMaxGroupBytes) SLUICE_CHECK(EndRowGroup(&file));
    const int64_t before = file.buffered_bytes();
    SLUICE_CHECK(file.Write(rows));
    buffered_bytes_ += file.buffered_bytes() - before;
    if (file.size() >= options_.target_file_bytes) return CloseFile(p);
    return buffered_bytes_ > options_.memory_bytes / 2 ? EndLargestRowGroup() : Ok();
  }

  Status EndRowGroup(ParquetFile* file) {
    buffered_bytes_ -= file->buffered_bytes();
    return file->EndRowGroup();
  }

  Status EndLargestRowGroup() {
    ParquetFile* largest = nullptr;
    for (const Partition& partition : partitions_)
      if (partition.file && (!largest || partition.file->buffered_bytes() > largest->buffered_bytes())) largest = partition.file.get();
    return EndRowGroup(largest);
  }

  Status OpenFile(uint32_t p) {
    Partition& partition = partitions_[p];
    const std::string folder = index_ ? PartitionFolder(options_.partition_columns, index_->Values(p)) + "/" : "";
    partition.key = fmt::format("{}{}-{}-{:05}.parquet", folder, options_.file_prefix, Hex(random_.Next()), next_file_++);
    SLUICE_TRY(auto object, store_.OpenWriter(root_ + "/" + partition.key));
    SLUICE_TRY(partition.file, ParquetFile::Open(shape_, std::move(object)));
    ++open_files_;
    return Ok();
  }

  Status CloseFile(uint32_t p) {
    Partition& partition = partitions_[p];
    buffered_bytes_ -= partition.file->buffered_bytes();
    SLUICE_TRY(ParquetFile::Finished finished, partition.file->Close());
    partition.file.reset();
    --open_files_;
    StagedFile staged;
    staged.add.path = delta::LogPath(partition.key);
    if (index_) staged.add.partition_values = index_->Values(p);
    staged.add.size = finished.size;
    staged.add.modification_time = (options_.clock ? *options_.clock : SystemClock()).Now().millis();
    staged.add.stats = std::move(finished.stats);
    staged.rows = finished.rows;
    staged_.push_back(std::move(staged));
    return Ok();
  }

  Status Spill(Partition* partition, const arrow::RecordBatch& rows) {
    if (!spill_) {
      SLUICE_TRY(spill_, SpillFile::Open(options_.scratch_dir, shape_.arrow_schema));
    }
    SLUICE_TRY(auto chunk, spill_->Append(rows));
    partition->spilled.push_back(chunk);
    return Ok();
  }

  // By then at most max_open_partitions - 1 other files are open, or this one waits for none.
  Status Unspill(uint32_t p) {
    const auto chunks = std::move(partitions_[p].spilled);
    std::vector<Batch> ready;
    int64_t rows = 0;
    for (size_t i = 0; i < chunks.size(); ++i) {
      SLUICE_TRY(Batch chunk, spill_->Read(chunks[i]));
      ready.push_back(std::move(chunk));
      rows += chunks[i].rows;
      if (rows < kChunkRows && i + 1 < chunks.size()) continue;
      SLUICE_TRY(const Batch whole, Concatenate(std::move(ready)));
      ready.clear();
      rows = 0;
      for (int64_t begin = 0; begin < whole->num_rows(); begin += options_.row_group_rows)
        SLUICE_CHECK(WriteSlice(p, *whole->Slice(begin, options_.row_group_rows)));
    }
    return Ok();
  }

  store::ObjectStore& store_;
  const std::string root_;
  const WriterOptions options_;
  Random& random_;

  contract::Schema input_;         // the columns that batches must bring: all but generated ones
  std::vector<int> input_places_;  // of these, in the whole schema
  std::vector<int> data_places_;   // of the data columns, in input_
  std::shared_ptr<arrow::Schema> input_schema_;
  FileShape shape_;
  std::optional<PartitionIndex> index_;  // none: one partition, number 0

  std::vector<Batch> pending_;  // waiting to be scattered together
  int64_t pending_bytes_ = 0;
  std::vector<Partition> partitions_;
  std::unique_ptr<SpillFile> spill_;
  int open_files_ = 0;
  int64_t buffered_bytes_ = 0;  // over all open files
  int64_t rows_ = 0, next_file_ = 0;
  std::vector<StagedFile> staged_;
};

}  // namespace

Result<std::unique_ptr<DataFileWriter>> DataFileWriter::Open(store::ObjectStore& store, std::string table_root, WriterOptions options,
                                                             Random& random) {
  auto writer = std::make_unique<ScatteringWriter>(store, std::move(table_root), std::move(options), random);
  SLUICE_CHECK(writer->Prepare());
  return writer;
}

}  // namespace sluice::tables
