#include "ingest/held_rows.h"

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>
#include <arrow/io/file.h>
#include <arrow/ipc/api.h>
#include <arrow/util/byte_size.h>

#include <cstdio>

namespace sluice::ingest {
namespace {

// Behind the rows' own columns: what is known of each record's place and, where it may still be refused, its text.
constexpr int kPlaceColumns = 3;
const char* const kNames[] = {"sluice_row", "sluice_line", "sluice_offset", "sluice_raw"};

Error ScratchError(const std::string& path, const arrow::Status& status) {
  return RetryableError("scratch-failed", "scratch file " + path + ": " + status.ToString());
}

std::shared_ptr<arrow::Array> Numbers(std::vector<int64_t> values) {
  const auto count = static_cast<int64_t>(values.size());
  return std::make_shared<arrow::Int64Array>(count, arrow::Buffer::FromVector(std::move(values)));
}

Result<std::shared_ptr<arrow::Array>> Texts(const std::vector<std::string>& texts) {
  arrow::BinaryBuilder builder;
  for (const std::string& text : texts) {
    if (const auto status = builder.Append(text); !status.ok()) return Fail(ScratchError("", status));
  }
  auto array = builder.Finish();
  if (!array.ok()) return Fail(ScratchError("", array.status()));
  return *array;
}

CheckedBlock Restore(const std::shared_ptr<arrow::RecordBatch>& batch, bool with_raw) {
  const int own = batch->num_columns() - kPlaceColumns - (with_raw ? 1 : 0);
  const auto numbers = [&](int i) { return std::static_pointer_cast<arrow::Int64Array>(batch->column(own + i)); };
  CheckedBlock block;
  auto fields = batch->schema()->fields();
  auto columns = batch->columns();
  fields.resize(static_cast<size_t>(own));
  columns.resize(static_cast<size_t>(own));
  block.rows = arrow::RecordBatch::Make(arrow::schema(std::move(fields)), batch->num_rows(), std::move(columns));
  block.first_row = 0;  // rows are not consecutive: place says
  block.refused.assign(static_cast<size_t>(batch->num_rows()), 0);
  block.place = [row = numbers(0), line = numbers(1), offset = numbers(2)](int64_t i) {
    return formats::RecordPlace{row->Value(i), line->Value(i), offset->Value(i)};
  };
  if (with_raw) {
    block.raw = [raw = std::static_pointer_cast<arrow::BinaryArray>(batch->column(own + kPlaceColumns))](int64_t i) {
      return raw->GetString(i);
    };
  }
  return block;
}

}  // namespace

struct HeldRows::Spill {
  std::shared_ptr<arrow::io::FileOutputStream> file;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer;
};

HeldRows::HeldRows(std::string scratch_dir, std::string name, int64_t memory_bytes, bool with_raw)
    : path_(std::move(scratch_dir) + "/" + std::move(name) + ".held.arrow"), memory_bytes_(memory_bytes), with_raw_(with_raw) {}

HeldRows::~HeldRows() {
  if (spill_ != nullptr) std::remove(path_.c_str());
}

Status HeldRows::Add(const CheckedBlock& block, size_t file) {
  SLUICE_TRY(auto rows, KeepRows(block.rows, block.refused));
  if (rows->num_rows() == 0) return Ok();
  std::vector<int64_t> numbers[kPlaceColumns];
  std::vector<std::string> raw;
  for (size_t i = 0; i < block.refused.size(); ++i) {
    if (block.refused[i] != 0) continue;
    const auto row = static_cast<int64_t>(i);
    const auto place = with_raw_ ? block.place(row) : formats::RecordPlace{block.first_row + row, 0, 0};
    numbers[0].push_back(place.row);
    numbers[1].push_back(place.line);
    numbers[2].push_back(place.offset);
    if (with_raw_) raw.push_back(block.raw(row));
  }
  auto fields = rows->schema()->fields();
  auto columns = rows->columns();
  for (int i = 0; i < kPlaceColumns; ++i) {
    fields.push_back(arrow::field(kNames[i], arrow::int64()));
    columns.push_back(Numbers(std::move(numbers[i])));
  }
  if (with_raw_) {
    SLUICE_TRY(auto texts, Texts(raw));
    fields.push_back(arrow::field(kNames[kPlaceColumns], arrow::binary()));
    columns.push_back(std::move(texts));
  }
  files_.push_back(file);
  return Append(arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows->num_rows(), std::move(columns)));
}

Status HeldRows::Append(std::shared_ptr<arrow::RecordBatch> batch) {
  if (spill_ == nullptr) {
    held_bytes_ += arrow::util::TotalBufferSize(*batch);
    if (held_bytes_ <= memory_bytes_) {
      batches_.push_back(std::move(batch));
      return Ok();
    }
    auto file = arrow::io::FileOutputStream::Open(path_);
    if (!file.ok()) return Fail(ScratchError(path_, file.status()));
    auto writer = arrow::ipc::MakeFileWriter(*file, batch->schema());
    if (!writer.ok()) return Fail(ScratchError(path_, writer.status()));
    spill_ = std::make_unique<Spill>(Spill{*file, *writer});
  }
  const auto status = spill_->writer->WriteRecordBatch(*batch);
  return status.ok() ? Ok() : Status(Fail(ScratchError(path_, status)));
}

Status HeldRows::ForEach(const std::function<Status(CheckedBlock, size_t)>& visit) {
  size_t at = 0;
  for (auto& batch : batches_) {
    SLUICE_CHECK(visit(Restore(batch, with_raw_), files_[at++]));
    batch.reset();
  }
  if (spill_ == nullptr) return Ok();
  if (const auto status = spill_->writer->Close(); !status.ok()) return Fail(ScratchError(path_, status));
  if (const auto status = spill_->file->Close(); !status.ok()) return Fail(ScratchError(path_, status));
  auto file = arrow::io::ReadableFile::Open(path_);
  if (!file.ok()) return Fail(ScratchError(path_, file.status()));
  auto reader = arrow::ipc::RecordBatchFileReader::Open(*file);
  if (!reader.ok()) return Fail(ScratchError(path_, reader.status()));
  for (int i = 0; i < (*reader)->num_record_batches(); ++i) {
    auto batch = (*reader)->ReadRecordBatch(i);
    if (!batch.ok()) return Fail(ScratchError(path_, batch.status()));
    SLUICE_CHECK(visit(Restore(*batch, with_raw_), files_[at++]));
  }
  return Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> KeepRows(const std::shared_ptr<arrow::RecordBatch>& rows, const std::vector<uint8_t>& drop) {
  std::vector<uint8_t> bits((drop.size() + 7) / 8, 0);
  bool all = true;
  for (size_t row = 0; row < drop.size(); ++row) {
    if (drop[row] == 0)
      bits[row / 8] |= static_cast<uint8_t>(1u << (row % 8));
    else
      all = false;
  }
  if (all) return rows;
  const auto mask = std::make_shared<arrow::BooleanArray>(rows->num_rows(), arrow::Buffer::FromVector(std::move(bits)));
  auto kept = arrow::compute::Filter(rows, mask);
  if (!kept.ok()) return Fail(RetryableError("out-of-memory", "keeping rows: " + kept.status().ToString()));
  return kept->record_batch();
}

}  // namespace sluice::ingest
