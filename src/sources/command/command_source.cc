#include "sources/command/command_source.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/time.h"
#include "formats/column_plan.h"
#include "formats/ndjson.h"
#include "formats/typed_rows.h"
#include "sources/command/program.h"
#include "sources/profile.h"

namespace sluice::sources {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr size_t kMostOfCursor = 64 << 10;  // bytes

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

// Arrow IPC, as a stream or a file.
class IpcBatches {
 public:
  static Result<std::unique_ptr<IpcBatches>> Open(const std::string& path, const std::string& name, bool is_file) {
    auto made = std::unique_ptr<IpcBatches>(new IpcBatches(name));
    const auto opened = [&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(const auto input, arrow::io::ReadableFile::Open(path));
      if (is_file) {
        ARROW_ASSIGN_OR_RAISE(made->file_, arrow::ipc::RecordBatchFileReader::Open(input));
      } else {
        ARROW_ASSIGN_OR_RAISE(made->stream_, arrow::ipc::RecordBatchStreamReader::Open(input));
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
    const auto read = [&]() -> arrow::Status {
      if (!file_) return stream_->ReadNext(&batch);
      if (at_ == file_->num_record_batches()) return arrow::Status::OK();
      ARROW_ASSIGN_OR_RAISE(batch, file_->ReadRecordBatch(at_++));
      return arrow::Status::OK();
    }();
    if (!read.ok()) return Fail(Broken(name_, read));
    if (batch != nullptr)
      if (const auto valid = batch->ValidateFull(); !valid.ok()) return Fail(Broken(name_, valid));
    return batch;
  }

 private:
  explicit IpcBatches(std::string name) : name_(std::move(name)) {}
  std::string name_;
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
  ~CommandSource() override {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }

  Result<std::vector<contract::Field>> Columns() override {
    SLUICE_CHECK(RunOnce());
    if (kind_ != Kind::kNdjson) {
      SLUICE_TRY(const auto batches, IpcBatches::Open(OutputPath(), name_, kind_ == Kind::kIpcFile));
      const contract::Contract none;
      formats::ReadRequest request;
      request.contract = &none;
      request.shown = name_;
      return formats::NewTypedColumns(request, *batches->schema());
    }
    return DetectFields(*store_, {OutputFile()}, FileFormat::kNdjson);
  }

  Result<std::vector<contract::Field>> NewColumns(const formats::ReadRequest& request) override {
    SLUICE_CHECK(RunOnce());
    if (kind_ == Kind::kNdjson) return formats::NewNdjsonColumns(RequestOf(request));
    SLUICE_TRY(const auto batches, IpcBatches::Open(OutputPath(), name_, kind_ == Kind::kIpcFile));
    return formats::NewTypedColumns(RequestOf(request), *batches->schema());
  }

  // The program does not run yet: a plan only tells.
  Result<RowPlan> Plan(const std::string& cursor) override {
    SLUICE_TRY(before_, ParseCursor(cursor));
    RowPlan plan;
    plan.why = "what " + Join(spec_.rows.command, " ") + " prints";
    plan.splits = {{name_, "", 0}};
    return plan;
  }

  Result<std::unique_ptr<formats::RecordReader>> Read(const RowSplit& /*split*/, const formats::ReadRequest& request) override {
    SLUICE_CHECK(RunOnce());
    if (kind_ == Kind::kNdjson) return formats::OpenNdjson(RequestOf(request));
    SLUICE_TRY(auto batches, IpcBatches::Open(OutputPath(), name_, kind_ == Kind::kIpcFile));
    SLUICE_TRY(auto plan, formats::PlanTyped(request, batches->schema()->field_names()));
    return std::make_unique<IpcReader>(std::move(batches), std::move(plan));
  }

  int max_readers() const override { return 1; }

  Result<std::string> CursorAfter() override {
    return json{{"cursor", after_.text}, {"until", after_.until}}.dump(-1, ' ', false, json::error_handler_t::replace);
  }

 private:
  enum class Kind { kNdjson, kIpcStream, kIpcFile };

  std::string OutputPath() const { return folder_ + "/output"; }
  std::string CursorPath() const { return folder_ + "/cursor"; }
  InputFile OutputFile() const {
    InputFile file;
    file.object.key = "output";
    file.object.size = bytes_;
    file.name = name_;
    return file;
  }
  formats::ReadRequest RequestOf(formats::ReadRequest request) const {
    request.store = store_.get();
    request.key = "output";
    request.object = nullptr;
    return request;
  }

  // To its end and its code, before a record of it is looked at.
  Status RunOnce() {
    if (!folder_.empty()) return Ok();
    static std::atomic<int> next = 0;
    std::string folder = fmt::format("{}/program-{}-{}", spec_.scratch_dir, ::getpid(), next++);
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) return Fail(RetryableError("scratch-failed", folder + ": " + failed.message()));
    folder_ = std::move(folder);
    after_ = {before_.text, FormatInstant(SystemClock().Now())};
    Program program{spec_.rows.command, spec_.location, {}, spec_.rows.timeout_micros, spec_.rows.max_output_bytes, spec_.cancel};
    program.environment = {{"SLUICE_CURSOR", before_.text},
                           {"SLUICE_CURSOR_FILE", CursorPath()},
                           {"SLUICE_WINDOW_START", before_.until},
                           {"SLUICE_WINDOW_END", after_.until}};
    auto printed = RunProgram(program, OutputPath());
    if (!printed) return Fail(std::move(printed).error().At(spec_.rows.where));
    bytes_ = *printed;
    SLUICE_CHECK(TakeCursor());
    SLUICE_TRY(store_, store::OpenLocalStore(folder_, false));
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
    std::ifstream file(OutputPath(), std::ios::binary);
    std::string front(8, '\0');
    file.read(front.data(), static_cast<std::streamsize>(front.size()));
    if (front.starts_with("ARROW1")) kind_ = Kind::kIpcFile;
    if (front.starts_with("\xff\xff\xff\xff")) kind_ = Kind::kIpcStream;
    return Ok();
  }

  const SourceSpec spec_;
  const std::string name_;
  Cursor before_, after_;
  std::string folder_;  // "" = it has not run yet
  std::unique_ptr<store::ObjectStore> store_;
  int64_t bytes_ = 0;
  Kind kind_ = Kind::kNdjson;
};

}  // namespace

Result<std::unique_ptr<RowSource>> OpenCommandSource(const SourceSpec& spec) {
  if (spec.rows.command.empty()) return Fail(BugError("a program without a name"));
  return std::make_unique<CommandSource>(spec);
}

}  // namespace sluice::sources
