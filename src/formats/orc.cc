#include "formats/orc.h"

#include <arrow/adapters/orc/adapter.h>
#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "formats/object_file.h"
#include "formats/typed_rows.h"

namespace sluice::formats {
namespace {

// The library makes a text of what a read failed with: the store's own error is kept beside it.
class WatchedFile : public arrow::io::RandomAccessFile {
 public:
  explicit WatchedFile(std::shared_ptr<arrow::io::RandomAccessFile> inner) : inner_(std::move(inner)) {}
  arrow::Status Close() override { return inner_->Close(); }
  bool closed() const override { return inner_->closed(); }
  arrow::Result<int64_t> Tell() const override { return inner_->Tell(); }
  arrow::Result<int64_t> GetSize() override { return inner_->GetSize(); }
  arrow::Status Seek(int64_t position) override { return inner_->Seek(position); }
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t bytes, void* out) override {
    return Watched(inner_->ReadAt(position, bytes, out));
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t bytes) override {
    return Watched(inner_->ReadAt(position, bytes));
  }
  arrow::Result<int64_t> Read(int64_t bytes, void* out) override { return Watched(inner_->Read(bytes, out)); }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t bytes) override { return Watched(inner_->Read(bytes)); }
  const std::optional<Error>& error() const { return error_; }

 private:
  template <typename T>
  arrow::Result<T> Watched(arrow::Result<T> result) {
    if (!result.ok() && !error_) error_ = StoreErrorOf(result.status());
    return result;
  }

  std::shared_ptr<arrow::io::RandomAccessFile> inner_;
  std::optional<Error> error_;
};

// An ORC file that is open. The library throws where its own file is wrong.
class OrcFile {
 public:
  static Result<std::unique_ptr<OrcFile>> Open(const ReadRequest& request) {
    auto file = std::unique_ptr<OrcFile>(new OrcFile(request));
    SLUICE_TRY(file->object_, ObjectOf(request));
    file->bytes_ = std::make_shared<WatchedFile>(OpenObjectFile(*request.store, file->object_));
    SLUICE_CHECK(file->Try([&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(file->reader_, arrow::adapters::orc::ORCFileReader::Open(file->bytes_, arrow::default_memory_pool()));
      ARROW_ASSIGN_OR_RAISE(file->schema_, file->reader_->ReadSchema());
      ARROW_ASSIGN_OR_RAISE(file->batches_, file->reader_->GetRecordBatchReader(file->RowsPerBlock(), {}));
      return arrow::Status::OK();
    }));
    return file;
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Next() {
    std::shared_ptr<arrow::RecordBatch> batch;
    SLUICE_CHECK(Try([&]() -> arrow::Status {
      do {
        ARROW_RETURN_NOT_OK(batches_->ReadNext(&batch));
      } while (batch != nullptr && batch->num_rows() == 0);
      return arrow::Status::OK();
    }));
    if (batch != nullptr) rows_ += batch->num_rows();
    if (batch == nullptr && rows_ != reader_->NumberOfRows())
      return Fail(Corrupt(fmt::format("it gives {} rows, its footer says {}", rows_, reader_->NumberOfRows())));
    if (batch == nullptr) SLUICE_CHECK(CheckUnchanged(*request_.store, object_));
    return batch;
  }

  const arrow::Schema& schema() const { return *schema_; }

 private:
  explicit OrcFile(const ReadRequest& request) : request_(request) {}

  int64_t RowsPerBlock() const {
    const int64_t rows = std::max<int64_t>(1, reader_->NumberOfRows());
    const auto row = std::max<int64_t>(1, 4 * static_cast<int64_t>(reader_->GetContentLength()) / rows);  // packed about four times
    return std::clamp<int64_t>(request_.block_bytes / row, 256, 65536);
  }

  template <typename Body>
  Status Try(Body body) {
    arrow::Status status;
    try {
      status = body();
    } catch (const std::bad_alloc&) {
      status = arrow::Status::OutOfMemory("not enough memory");
    } catch (const std::exception& e) {
      status = arrow::Status::Invalid(e.what());
    }
    if (status.ok()) return Ok();
    if (bytes_->error()) return Fail(*bytes_->error());
    if (status.IsNotImplemented())
      return Fail(UnsupportedError("unsupported-orc", fmt::format("{}: {}", NameOf(request_), status.message())));
    if (status.IsOutOfMemory()) return Fail(RetryableError("out-of-memory", fmt::format("{}: {}", NameOf(request_), status.message())));
    return Fail(Corrupt(status.message()));
  }
  Error Corrupt(const std::string& why) const {
    return DataError("corrupt-file", fmt::format("{} is no readable ORC file: {}", NameOf(request_), why)).Hint("ask for the file again");
  }

  ReadRequest request_;
  store::ObjectMeta object_;
  std::shared_ptr<WatchedFile> bytes_;
  std::unique_ptr<arrow::adapters::orc::ORCFileReader> reader_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  int64_t rows_ = 0;
};

class OrcReader : public RecordReader {
 public:
  OrcReader(std::unique_ptr<OrcFile> file, std::shared_ptr<const TypedPlan> plan) : file_(std::move(file)), plan_(std::move(plan)) {}
  Result<std::unique_ptr<RawBlock>> Next() override {
    SLUICE_TRY(auto batch, file_->Next());
    if (batch == nullptr) return std::unique_ptr<RawBlock>();
    const int64_t first = row_;
    row_ += batch->num_rows();
    return TypedRows(std::move(batch), plan_, first);
  }

 private:
  std::unique_ptr<OrcFile> file_;
  std::shared_ptr<const TypedPlan> plan_;
  int64_t row_ = 1;
};

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenOrc(const ReadRequest& request) {
  SLUICE_TRY(auto file, OrcFile::Open(request));
  SLUICE_TRY(auto plan, PlanTyped(request, file->schema().field_names()));
  return std::make_unique<OrcReader>(std::move(file), std::move(plan));
}

Result<std::vector<contract::Field>> NewOrcColumns(const ReadRequest& request) {
  SLUICE_TRY(const auto file, OrcFile::Open(request));
  return NewTypedColumns(request, file->schema());
}

}  // namespace sluice::formats
