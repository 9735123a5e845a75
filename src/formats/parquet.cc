#include "formats/parquet.h"

#include <arrow/api.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>

#include <algorithm>
#include <utility>

#include "formats/object_file.h"
#include "formats/typed_rows.h"

namespace sluice::formats {
namespace {

constexpr int64_t kReadBytes = int64_t{256} << 10;  // of a column, at once: each is a request to a remote store

// What parquet throws, as a status: those of the file's reads come through as they were.
arrow::Status StatusOf(const std::exception& thrown) {
  const auto* status = dynamic_cast<const parquet::ParquetStatusException*>(&thrown);
  return status ? status->status() : arrow::Status::Invalid(thrown.what());
}

Error FileError(const ReadRequest& request, const arrow::Status& status) {
  if (auto error = StoreErrorOf(status)) return *std::move(error);
  const std::string uri = NameOf(request);
  if (status.IsNotImplemented()) return UnsupportedError("unsupported-parquet", fmt::format("{}: {}", uri, status.message()));
  if (status.IsOutOfMemory()) return RetryableError("out-of-memory", fmt::format("{}: {}", uri, status.message()));
  return DataError("corrupt-file", fmt::format("{} is no readable Parquet file: {}", uri, status.message())).Hint("ask for the file again");
}

// A Parquet file that is open, and its schema.
struct OpenFile {
  store::ObjectMeta object;
  std::unique_ptr<parquet::arrow::FileReader> reader;
  std::shared_ptr<arrow::Schema> schema;
  std::vector<std::string> names() const { return schema->field_names(); }
};

int64_t RowsPerBlock(const parquet::FileMetaData& metadata, int64_t block_bytes) {
  int64_t bytes = 0;
  for (int i = 0; i < metadata.num_row_groups(); ++i) bytes += metadata.RowGroup(i)->total_byte_size();
  const int64_t row = std::max<int64_t>(1, bytes / std::max<int64_t>(1, metadata.num_rows()));
  return std::clamp<int64_t>(block_bytes / row, 256, 65536);
}

arrow::Status Build(const std::shared_ptr<arrow::io::RandomAccessFile>& bytes, int64_t block_bytes, OpenFile* file) {
  parquet::ReaderProperties properties;
  properties.enable_buffered_stream();  // a part at a time, not a whole column of a row group
  properties.set_buffer_size(kReadBytes);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(bytes, properties));
  parquet::ArrowReaderProperties arrow_properties;
  arrow_properties.set_pre_buffer(false);
  arrow_properties.set_arrow_extensions_enabled(true);  // else a UUID is 16 bytes like any others
  arrow_properties.set_use_threads(false);
  arrow_properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
  arrow_properties.set_batch_size(RowsPerBlock(*builder.raw_reader()->metadata(), block_bytes));
  builder.properties(arrow_properties);
  ARROW_ASSIGN_OR_RAISE(file->reader, builder.Build());
  return file->reader->GetSchema(&file->schema);
}

Result<OpenFile> Open(const ReadRequest& request) {
  OpenFile file;
  SLUICE_TRY(file.object, ObjectOf(request));
  try {
    const arrow::Status status = Build(OpenObjectFile(*request.store, file.object), request.block_bytes, &file);
    if (!status.ok()) return Fail(FileError(request, status));
  } catch (const std::exception& e) {
    return Fail(FileError(request, StatusOf(e)));
  }
  return file;
}

class ParquetReader : public RecordReader {
 public:
  ParquetReader(const ReadRequest& request, OpenFile file, std::shared_ptr<arrow::RecordBatchReader> batches,
                std::shared_ptr<const TypedPlan> plan)
      : request_(request), file_(std::move(file)), batches_(std::move(batches)), plan_(std::move(plan)) {}

  Result<std::unique_ptr<RawBlock>> Next() override {
    std::shared_ptr<arrow::RecordBatch> batch;
    try {
      do {
        const arrow::Status status = batches_->ReadNext(&batch);
        if (!status.ok()) return Fail(FileError(request_, status));
      } while (batch != nullptr && batch->num_rows() == 0);
    } catch (const std::exception& e) {
      return Fail(FileError(request_, StatusOf(e)));
    }
    if (batch == nullptr) {
      SLUICE_CHECK(CheckUnchanged(*request_.store, file_.object));
      return std::unique_ptr<RawBlock>();
    }
    const int64_t first = row_;
    row_ += batch->num_rows();
    return TypedRows(std::move(batch), plan_, first);
  }

 private:
  ReadRequest request_;
  OpenFile file_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<const TypedPlan> plan_;
  int64_t row_ = 1;
};

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenParquet(const ReadRequest& request) {
  SLUICE_TRY(OpenFile file, Open(request));
  SLUICE_TRY(auto plan, PlanTyped(request, file.names()));
  auto batches = file.reader->GetRecordBatchReader();
  if (!batches.ok()) return Fail(FileError(request, batches.status()));
  return std::make_unique<ParquetReader>(request, std::move(file), std::shared_ptr<arrow::RecordBatchReader>(std::move(*batches)),
                                         std::move(plan));
}

Result<std::vector<contract::Field>> NewParquetColumns(const ReadRequest& request) {
  SLUICE_TRY(const OpenFile file, Open(request));
  return NewTypedColumns(request, *file.schema);
}

}  // namespace sluice::formats
