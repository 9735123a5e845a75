#include "tables/parquet_file.h"

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/chunked_array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/file_writer.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <future>
#include <map>
#include <utility>

#include "core/profile.h"
#include "tables/conform.h"
#include "tables/gather.h"
#include "tables/leaf_column.h"
#include "tables/parquet_stream.h"
#include "tables/statistics.h"

namespace sluice::tables {
namespace {

constexpr int64_t kWorthAThread = 4 << 20;  // bytes of a row group

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class File : public ParquetFile {
 public:
  File(const FileShape& shape, OpenObject open, FileBuffering buffering, ColumnEncodings known)
      : shape_(shape),
        statistics_(shape.fields, shape.indexed_columns),
        open_(std::move(open)),
        buffering_(buffering),
        known_(std::move(known)),
        columns_(NewColumns()) {}

  ~File() override {
    (void)Settle();
    if (!finished_ && stream_) (void)stream_->Abort();
  }

  Status Write(const PickedRows& rows) override {
    const StageTimer timer(Stage::kScatter);
    for (size_t i = 0; i < columns_.size(); ++i) {
      for (const RowPick& pick : rows.picks()) {
        const arrow::ArrayData& values = *rows.batches()[pick.batch]->column_data(shape_.leaves[i].field);
        SLUICE_CHECK(Append(values, rows.IsWhole(pick) ? std::nullopt : std::optional(pick.rows), &columns_[i]));
      }
      SLUICE_CHECK(MakeFullPages(&columns_[i]));
    }
    return Added(rows.num_rows());
  }

  Status Write(const arrow::RecordBatch& batch) override {
    if (batch.num_rows() == 0) return Ok();
    {
      const StageTimer timer(Stage::kScatter);
      for (size_t i = 0; i < columns_.size(); ++i) {
        SLUICE_CHECK(Append(*batch.column_data(shape_.leaves[i].field), std::nullopt, &columns_[i]));
        SLUICE_CHECK(MakeFullPages(&columns_[i]));
      }
    }
    return Added(batch.num_rows());
  }

  Status WriteRowGroup(int64_t rows, const ColumnValues& values) override {
    std::vector<LeafColumn> columns = NewColumns();
    parquet::RowGroupMetaDataBuilder* group = nullptr;
    SLUICE_CHECK(BeginGroup(rows, &group));
    int64_t raw = 0;
    std::shared_ptr<arrow::ChunkedArray> chunks;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (i == 0 || shape_.leaves[i].field != shape_.leaves[i - 1].field) {
        SLUICE_TRY(chunks, values(shape_.leaves[i].field));
      }
      for (const auto& chunk : chunks->chunks()) SLUICE_CHECK(Append(*chunk->data(), std::nullopt, &columns[i]));
      SLUICE_CHECK(WriteColumn(i, &columns[i], group, &raw));
    }
    rows_ += rows;
    return EndGroup(group, raw);
  }

  Status Relieve(const Scratch& scratch, bool may_open) override {
    if (raw_bytes_ >= kMinGroupBytes && (stream_ || may_open)) return WriteWaiting();
    SLUICE_CHECK(Settle());
    if (held_bytes_ == 0) return Ok();
    const StageTimer timer(Stage::kEncode);
    SLUICE_TRY(scratch_, scratch());
    std::string pages;
    std::vector<size_t> ends;
    for (size_t i = 0; i < columns_.size(); ++i) {
      SLUICE_CHECK(columns_[i].TakePages(&pages));
      ends.push_back(pages.size());
    }
    SLUICE_TRY(const SpillFile::Chunk chunk, scratch_->AppendBytes(pages));
    for (size_t i = 0; i < columns_.size(); ++i) {
      const auto begin = static_cast<int64_t>(i == 0 ? 0 : ends[i - 1]);
      columns_[i].KeptAt({chunk.offset + begin, static_cast<int64_t>(ends[i]) - begin, 0});
    }
    spilled_bytes_ += chunk.bytes;
    Count();
    return Ok();
  }

  Status EndRowGroup() override { return group_rows_ > 0 ? WriteWaiting() : Settle(); }

  int64_t rows_in_group() const override { return group_rows_; }
  int64_t buffered_bytes() const override { return held_bytes_ + leaving_bytes_; }
  int64_t size() const override {
    return settled_size_ + spilled_bytes_ + page_bytes_ + Scaled(held_bytes_ - page_bytes_ + leaving_bytes_);
  }

  Result<Finished> Close() override {
    const StageTimer timer(Stage::kEncode);
    if (group_rows_ > 0) SLUICE_CHECK(WriteWaiting());
    SLUICE_CHECK(Settle());
    SLUICE_CHECK(BeginFile());
    std::unique_ptr<parquet::FileMetaData> metadata;
    SLUICE_CHECK(stream_->Check([&] {
      metadata = footer_->Finish();
      parquet::WriteFileMetaData(*metadata, stream_.get());
      return stream_->Close();
    }));
    finished_ = true;
    return Finished{stream_->position(), rows_, statistics_.Render(*metadata)};
  }

 private:
  std::vector<LeafColumn> NewColumns() const {
    std::vector<LeafColumn> columns;
    columns.reserve(shape_.leaves.size());
    for (size_t i = 0; i < shape_.leaves.size(); ++i) {
      const auto is_among = [&](const std::vector<std::string>& names) {
        return !names.empty() && Contains(names, shape_.parquet_schema->Column(static_cast<int>(i))->path()->ToDotString());
      };
      columns.emplace_back(shape_.leaves[i], !is_among(known_.without_dictionary), !is_among(known_.uncompressed));
    }
    return columns;
  }

  // At once, but for row groups that are encoded behind the caller's back as a whole.
  Status MakeFullPages(LeafColumn* column) const {
    if (buffering_.behind) return Ok();
    const StageTimer timer(Stage::kEncode);
    return column->MakeFullPages();
  }

  // Dictionaries of another kind than decoding and reading make are taken apart.
  static Status Append(const arrow::ArrayData& values, std::optional<std::span<const uint32_t>> rows, LeafColumn* column) {
    const bool usual = values.type->id() != arrow::Type::DICTIONARY ||
                       (static_cast<const arrow::DictionaryType&>(*values.type).index_type()->id() == arrow::Type::INT32 &&
                        values.dictionary->GetNullCount() == 0);
    if (usual) return column->Append(values, rows);
    SLUICE_TRY(const auto dense, Dense(arrow::MakeArray(values.Copy())));
    return column->Append(*dense->data(), rows);
  }

  Status Added(int64_t rows) {
    rows_ += rows;
    group_rows_ += rows;
    Count();
    return raw_bytes_ >= buffering_.row_group_bytes ? WriteWaiting() : Ok();
  }

  void Count() {
    held_bytes_ = page_bytes_ = raw_bytes_ = 0;
    for (const LeafColumn& column : columns_) {
      held_bytes_ += column.bytes();
      page_bytes_ += column.page_bytes();
      raw_bytes_ += column.raw_bytes();
    }
  }

  // The row group that waits goes out, behind the caller's back if it may; one at a time.
  Status WriteWaiting() {
    SLUICE_CHECK(Settle());
    leaving_bytes_ = std::exchange(held_bytes_, 0);
    leaving_raw_bytes_ = std::exchange(raw_bytes_, 0);
    page_bytes_ = spilled_bytes_ = 0;
    const bool behind = buffering_.behind && leaving_bytes_ >= kWorthAThread;
    const int64_t rows = std::exchange(group_rows_, 0);
    if (!behind) return Learn(WriteGroup(rows, &columns_));
    leaving_ = std::async(std::launch::async,
                          [this, rows, columns = std::exchange(columns_, NewColumns()), profile = Profile::Current()]() mutable {
                            const ProfileThread thread(profile);
                            return WriteGroup(rows, &columns);
                          });
    return Ok();
  }

  Status Settle() { return leaving_.valid() ? Learn(leaving_.get()) : Ok(); }

  Status Learn(Status done) {
    if (!stream_) return done;
    const int64_t before = std::exchange(settled_size_, stream_->position());
    leaving_bytes_ = 0;
    const int64_t raw = std::exchange(leaving_raw_bytes_, 0);
    if (raw > 0) ratio_ = static_cast<double>(settled_size_ - before) / static_cast<double>(raw);
    return done;
  }
  int64_t Scaled(int64_t bytes) const { return static_cast<int64_t>(static_cast<double>(bytes) * ratio_); }

  Status WriteGroup(int64_t rows, std::vector<LeafColumn>* columns) {
    const StageTimer timer(Stage::kEncode);
    parquet::RowGroupMetaDataBuilder* group = nullptr;
    SLUICE_CHECK(BeginGroup(rows, &group));
    int64_t raw = 0;
    for (size_t i = 0; i < columns->size(); ++i) SLUICE_CHECK(WriteColumn(i, &(*columns)[i], group, &raw));
    return EndGroup(group, raw);
  }

  Status BeginFile() {
    if (stream_) return Ok();
    SLUICE_TRY(auto object, [&] {
      const StageTimer timer(Stage::kStore);
      return open_();
    }());
    stream_ = std::make_shared<ObjectStream>(std::move(object));
    footer_ = parquet::FileMetaDataBuilder::Make(shape_.parquet_schema.get(), WriterPropertiesOf(known_.uncompressed));
    return stream_->Check([&] { return stream_->Write("PAR1", 4); });
  }
  Status BeginGroup(int64_t rows, parquet::RowGroupMetaDataBuilder** group) {
    SLUICE_CHECK(BeginFile());
    *group = footer_->AppendRowGroup();
    (*group)->set_num_rows(rows);
    return Ok();
  }
  Status EndGroup(parquet::RowGroupMetaDataBuilder* group, int64_t raw) {
    return stream_->Check([&] {
      group->Finish(raw, static_cast<int16_t>(std::min<int64_t>(groups_++, INT16_MAX)));
      return arrow::Status::OK();
    });
  }

  Status WriteColumn(size_t i, LeafColumn* column, parquet::RowGroupMetaDataBuilder* group, int64_t* raw) {
    using parquet::Encoding;
    parquet::EncodedStatistics bounds;
    SLUICE_TRY(const EncodedChunk chunk, column->Finish(scratch_, &bounds));
    if (column->has_nan()) statistics_.SeeNan(static_cast<int>(i));
    statistics_.AddNullLists(static_cast<int>(i), column->TakeNullLists());
    bounds.set_is_signed(shape_.parquet_schema->Column(static_cast<int>(i))->sort_order() == parquet::SortOrder::SIGNED);
    *raw += chunk.raw_bytes;
    const int64_t begin = stream_->position();
    const bool dictionary = chunk.dictionary_page_size > 0;
    const std::map<Encoding::type, int32_t> dictionary_pages{{Encoding::PLAIN, 1}};
    std::map<Encoding::type, int32_t> data_pages;
    if (chunk.index_pages > 0) data_pages[Encoding::RLE_DICTIONARY] = chunk.index_pages;
    const bool plain_too = chunk.data_pages > chunk.index_pages;
    if (plain_too) data_pages[Encoding::PLAIN] = chunk.data_pages - chunk.index_pages;
    return stream_->Check([&] {
      parquet::ColumnChunkMetaDataBuilder* metadata = group->NextColumnChunk();
      metadata->SetStatistics(bounds);
      metadata->Finish(chunk.values, dictionary ? begin : 0, -1, begin + chunk.dictionary_page_size, chunk.bytes, chunk.raw_bytes,
                       dictionary, dictionary && plain_too, dictionary ? dictionary_pages : std::map<Encoding::type, int32_t>(),
                       data_pages);
      for (const std::string& page : chunk.pages) ARROW_RETURN_NOT_OK(stream_->Write(page.data(), static_cast<int64_t>(page.size())));
      return arrow::Status::OK();
    });
  }

  const FileShape& shape_;
  Statistics statistics_;
  const OpenObject open_;
  const FileBuffering buffering_;
  const ColumnEncodings known_;
  std::shared_ptr<ObjectStream> stream_;  // from the first bytes on
  std::unique_ptr<parquet::FileMetaDataBuilder> footer_;
  SpillFile* scratch_ = nullptr;     // once pages are in it
  std::vector<LeafColumn> columns_;  // of the row group that waits
  std::future<Status> leaving_;      // the row group being written; until it is settled, footer_, stream_ and statistics_ are its
  bool finished_ = false;
  int64_t rows_ = 0, group_rows_ = 0, groups_ = 0, settled_size_ = 0;
  int64_t held_bytes_ = 0, page_bytes_ = 0, raw_bytes_ = 0;  // in columns_; pages among these; of all rows of the group
  int64_t leaving_bytes_ = 0, leaving_raw_bytes_ = 0;        // being written
  int64_t spilled_bytes_ = 0;                                // pages in scratch_
  double ratio_ = 0.5;                                       // written to raw bytes, until a row group has shown it
};

}  // namespace

std::unique_ptr<ParquetFile> ParquetFile::Open(const FileShape& shape, OpenObject open, FileBuffering buffering, ColumnEncodings known) {
  return std::make_unique<File>(shape, std::move(open), buffering, std::move(known));
}

}  // namespace sluice::tables
