#include "sources/command/command_source.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/memory_pool.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"
#include "core/time.h"
#include "formats/column_plan.h"
#include "formats/typed_rows.h"
#include "sources/command/program.h"
#include "sources/scratch_records.h"

namespace sluice::sources {
namespace {

using nlohmann::json;

constexpr size_t kMostOfCursor = 64 << 10;  // bytes

constexpr int64_t kLeastForABatch = 64 << 20;

// Where the last batch ended: the program's own text, and the end of its window.
struct Cursor {
  std::string text, until;
};

Result<Cursor> ParseCursor(const std::string& text) {
  if (text == "null") return Cursor{};
  const json value = json::parse(text, nullptr, false);
  if (!value.is_object() || !value.contains("cursor") || !value.contains("until"))
    return Fail(UnsupportedError("bad-cursor", "the cursor in the batch records is not one of a program"));
  return Cursor{value.value("cursor", ""), value.value("until", "")};
}

Error Broken(const std::string& name, const arrow::Status& status) {
  if (status.IsOutOfMemory()) return RetryableError("out-of-memory", status.ToString());
  return DataError("command-format", fmt::format("what {} printed is no whole Arrow IPC stream: {}", name, status.ToString()));
}

// So that no batch takes more than its share, whatever it says of its size once decompressed.
class BatchPool : public arrow::MemoryPool {
 public:
  void Begin(int64_t most_bytes) {
    most_bytes_ = most_bytes;
    taken_ = 0;
  }

  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    ARROW_RETURN_NOT_OK(Take(size));
    return pool_->Allocate(size, alignment, out);
  }
  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment, uint8_t** at) override {
    ARROW_RETURN_NOT_OK(Take(new_size - old_size));
    return pool_->Reallocate(old_size, new_size, alignment, at);
  }
  void Free(uint8_t* buffer, int64_t size, int64_t alignment) override { pool_->Free(buffer, size, alignment); }
  int64_t bytes_allocated() const override { return pool_->bytes_allocated(); }
  int64_t max_memory() const override { return pool_->max_memory(); }
  int64_t total_bytes_allocated() const override { return pool_->total_bytes_allocated(); }
  int64_t num_allocations() const override { return pool_->num_allocations(); }
  std::string backend_name() const override { return pool_->backend_name(); }

 private:
  arrow::Status Take(int64_t bytes) {
    if (taken_ + bytes > most_bytes_) return arrow::Status::OutOfMemory("the batch is too large");
    taken_ += bytes;
    return arrow::Status::OK();
  }
  arrow::MemoryPool* const pool_ = arrow::default_memory_pool();
  std::atomic<int64_t> most_bytes_ = 0, taken_ = 0;
};

// Arrow IPC, as a stream or a file. The pool outlives what it gives.
class IpcBatches {
 public:
  // `most_bytes`: of a batch, decompressed.
  static Result<std::unique_ptr<IpcBatches>> Open(const std::string& path, const std::string& name, bool is_file, int64_t most_bytes,
                                                  BatchPool* pool) {
    auto made = std::unique_ptr<IpcBatches>(new IpcBatches(name, most_bytes, pool));
    pool->Begin(most_bytes);
    const auto opened = [&]() -> arrow::Status {
      arrow::ipc::IpcReadOptions options;
      options.memory_pool = pool;
      options.use_threads = false;
      ARROW_ASSIGN_OR_RAISE(made->input_, arrow::io::ReadableFile::Open(path));
      if (is_file) {
        ARROW_ASSIGN_OR_RAISE(made->file_, arrow::ipc::RecordBatchFileReader::Open(made->input_, options));
      } else {
        ARROW_ASSIGN_OR_RAISE(made->stream_, arrow::ipc::RecordBatchStreamReader::Open(made->input_, options));
      }
      return arrow::Status::OK();
    }();
    if (!opened.ok()) return Fail(Broken(name, opened));
    return made;
  }

  std::shared_ptr<arrow::Schema> schema() const { return file_ ? file_->schema() : stream_->schema(); }

  // Null: the end.
  Result<std::shared_ptr<arrow::RecordBatch>> Next() {
    std::shared_ptr<arrow::RecordBatch> batch;
    pool_.Begin(most_bytes_);
    const auto read = [&]() -> arrow::Status {
      if (!file_) {
        ARROW_RETURN_NOT_OK(stream_->ReadNext(&batch));
        return batch == nullptr ? CheckEnd() : arrow::Status::OK();
      }
      if (at_ == file_->num_record_batches()) return arrow::Status::OK();
      ARROW_ASSIGN_OR_RAISE(batch, file_->ReadRecordBatch(at_++));
      return arrow::Status::OK();
    }();
    if (read.IsOutOfMemory())
      return Fail(DataError("command-batch",
                            fmt::format("{} printed a record batch that takes more than {} of memory", name_, FormatBytes(most_bytes_)))
                      .Hint("have it print smaller batches (some thousand rows), or give --memory more"));
    if (!read.ok()) return Fail(Broken(name_, read));
    if (batch != nullptr)
      if (const auto valid = batch->ValidateFull(); !valid.ok()) return Fail(Broken(name_, valid));
    return batch;
  }

 private:
  IpcBatches(std::string name, int64_t most_bytes, BatchPool* pool) : name_(std::move(name)), most_bytes_(most_bytes), pool_(*pool) {}

  // A stream that is cut between two batches reads like a whole one but for its end; and what follows that is read by nobody.
  arrow::Status CheckEnd() const {
    constexpr std::string_view kEnd("\xff\xff\xff\xff\0\0\0\0", 8);
    ARROW_ASSIGN_OR_RAISE(const int64_t size, input_->GetSize());
    ARROW_ASSIGN_OR_RAISE(const int64_t at, input_->Tell());
    if (at < size) return arrow::Status::Invalid(size - at, " bytes follow its end");
    ARROW_ASSIGN_OR_RAISE(const auto last, input_->ReadAt(size - static_cast<int64_t>(kEnd.size()), static_cast<int64_t>(kEnd.size())));
    return static_cast<std::string_view>(*last) == kEnd ? arrow::Status::OK() : arrow::Status::Invalid("its end is missing");
  }

  std::string name_;
  const int64_t most_bytes_;
  BatchPool& pool_;
  std::shared_ptr<arrow::io::ReadableFile> input_;
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> stream_;
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> file_;
  int at_ = 0;
};

class IpcReader : public formats::RecordReader {
 public:
  IpcReader(std::unique_ptr<IpcBatches> batches, std::shared_ptr<const formats::TypedPlan> plan)
      : batches_(std::move(batches)), plan_(std::move(plan)) {}

  Result<std::unique_ptr<formats::RawBlock>> Next() override {
    constexpr int64_t kRows = 16384;  // of a block, whatever the program's batches are
    while (batch_ == nullptr || at_ == batch_->num_rows()) {
      SLUICE_TRY(batch_, batches_->Next());
      if (batch_ == nullptr) return std::unique_ptr<formats::RawBlock>();
      at_ = 0;
    }
    const auto slice = batch_->Slice(at_, kRows);
    at_ += slice->num_rows();
    rows_ += slice->num_rows();
    return formats::TypedRows(slice, plan_, rows_ - slice->num_rows() + 1);
  }

 private:
  std::unique_ptr<IpcBatches> batches_;
  std::shared_ptr<const formats::TypedPlan> plan_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t at_ = 0, rows_ = 0;
};

class CommandSource : public RowSource {
 public:
  explicit CommandSource(const SourceSpec& spec) : spec_(spec), name_(spec.rows.command[0]) {}

  Result<std::vector<contract::Field>> Columns() override {
    SLUICE_CHECK(RunOnce());
    if (kind_ != Kind::kNdjson) {
      SLUICE_TRY(const auto batches, OpenBatches(0));
      const contract::Contract none;
      formats::ReadRequest request;
      request.contract = &none;
      request.shown = name_;
      return formats::NewTypedColumns(request, *batches->schema());
    }
    return output_.Columns();
  }

  Result<std::vector<contract::Field>> NewColumns(const formats::ReadRequest& request) override {
    SLUICE_CHECK(RunOnce());
    if (kind_ == Kind::kNdjson) return output_.NewColumns(request);
    SLUICE_TRY(const auto batches, OpenBatches(request.max_record_bytes));
    return formats::NewTypedColumns(request, *batches->schema());
  }

  // The program does not run yet: a plan only tells.
  Result<RowPlan> Plan(const std::string& cursor) override {
    SLUICE_TRY(before_, ParseCursor(cursor));
    RowPlan plan;
    plan.why = "what " + name_ + " prints";  // its arguments may be secret
    plan.splits = {{name_, "", 0}};
    return plan;
  }

  Result<std::unique_ptr<formats::RecordReader>> Read(const RowSplit& /*split*/, const formats::ReadRequest& request) override {
    SLUICE_CHECK(RunOnce());
    if (kind_ == Kind::kNdjson) return output_.Read(request);
    SLUICE_TRY(auto batches, OpenBatches(request.max_record_bytes));
    SLUICE_TRY(auto plan, formats::PlanTyped(request, batches->schema()->field_names()));
    return std::make_unique<IpcReader>(std::move(batches), std::move(plan));
  }

  int max_readers() const override { return 1; }

  Result<std::string> CursorAfter() override {
    return json{{"cursor", after_.text}, {"until", after_.until}}.dump(-1, ' ', false, json::error_handler_t::replace);
  }

 private:
  enum class Kind { kNdjson, kIpcStream, kIpcFile };

  std::string CursorPath() const { return output_.folder() + "/cursor"; }
  Result<std::unique_ptr<IpcBatches>> OpenBatches(int64_t max_record_bytes) const {
    return IpcBatches::Open(output_.path(), name_, kind_ == Kind::kIpcFile, std::max(kLeastForABatch, 4 * max_record_bytes), &pool_);
  }

  // To its end and its code, before a record of it is looked at.
  Status RunOnce() {
    if (!output_.folder().empty()) return Ok();
    SLUICE_TRY(output_, ScratchRecords::Make(spec_.scratch_dir, "program", name_));
    after_ = {before_.text, FormatInstant(SystemClock().Now())};
    Program program{spec_.rows.command, spec_.location, {}, spec_.rows.timeout_micros, spec_.rows.max_output_bytes, spec_.cancel};
    program.environment = {{"SLUICE_CURSOR", before_.text},
                           {"SLUICE_CURSOR_FILE", CursorPath()},
                           {"SLUICE_WINDOW_START", before_.until},
                           {"SLUICE_WINDOW_END", after_.until}};
    if (auto printed = RunProgram(program, output_.path()); !printed) return Fail(std::move(printed).error().At(spec_.rows.where));
    SLUICE_CHECK(TakeCursor());
    SLUICE_CHECK(output_.Close());
    return TellKind();
  }

  Status TakeCursor() {
    std::ifstream file(CursorPath(), std::ios::binary);
    if (!file) return Ok();  // it said nothing: the cursor stays
    std::string text(kMostOfCursor + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(file.gcount()));
    if (text.size() > kMostOfCursor || !IsValidUtf8(text))
      return Fail(DataError("command-cursor", fmt::format("the cursor that {} wrote is {}", name_,
                                                          text.size() > kMostOfCursor ? "longer than 64 KiB" : "no UTF-8"))
                      .At(spec_.rows.where));
    while (text.ends_with('\n')) text.pop_back();
    after_.text = std::move(text);
    return Ok();
  }

  Status TellKind() {
    std::ifstream file(output_.path(), std::ios::binary);
    std::string front(8, '\0');
    file.read(front.data(), static_cast<std::streamsize>(front.size()));
    if (front.starts_with("ARROW1")) kind_ = Kind::kIpcFile;
    if (front.starts_with("\xff\xff\xff\xff")) kind_ = Kind::kIpcStream;
    return Ok();
  }

  const SourceSpec spec_;
  const std::string name_;
  Cursor before_, after_;
  mutable BatchPool pool_;
  ScratchRecords output_;  // without a folder: it has not run yet
  Kind kind_ = Kind::kNdjson;
};

}  // namespace

Result<std::unique_ptr<RowSource>> OpenCommandSource(const SourceSpec& spec) {
  if (spec.rows.command.empty()) return Fail(BugError("a program without a name"));
  return std::make_unique<CommandSource>(spec);
}

}  // namespace sluice::sources
