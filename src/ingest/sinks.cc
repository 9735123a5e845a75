#include "ingest/sinks.h"

#include <arrow/api.h>

#include <algorithm>

#include "contract/arrow_types.h"

namespace sluice::ingest {
namespace {

// Positions in BronzeMetadataColumns().
enum MetadataColumn : size_t { kRunId, kBatchId, kSource, kFile, kRow, kIngestedAt, kExecutionDate, kCount };

// As a dictionary of one entry, which goes into files as it is: no copy and no hash for each row.
std::shared_ptr<arrow::Scalar> Text(const std::string& text) {
  const auto entry = arrow::MakeArrayFromScalar(arrow::StringScalar(text), 1).ValueOrDie();
  return arrow::DictionaryScalar::Make(std::make_shared<arrow::Int32Scalar>(0), entry);
}

Error OutOfMemory(const arrow::Status& status) { return RetryableError("out-of-memory", "metadata columns: " + status.ToString()); }

}  // namespace

Result<std::shared_ptr<arrow::Array>> MetadataColumns::Constant(size_t column, int64_t rows) {
  auto& kept = constants_[column];
  if (kept != nullptr && kept->length() >= rows) return kept->Slice(0, rows);
  std::shared_ptr<arrow::Scalar> value;
  switch (column) {
    case kRunId:
      value = Text(batch_.run_id);
      break;
    case kBatchId:
      value = std::make_shared<arrow::Int64Scalar>(batch_.number);
      break;
    case kSource:
      value = Text(source_);
      break;
    case kFile:
      value = Text(file_);
      break;
    case kIngestedAt:
      value = std::make_shared<arrow::TimestampScalar>(batch_.ingested_at.micros, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"));
      break;
    default:
      value = std::make_shared<arrow::Date32Scalar>(batch_.execution_date);
      break;
  }
  auto made = arrow::MakeArrayFromScalar(*value, rows + rows / 8);
  if (!made.ok()) return Fail(OutOfMemory(made.status()));
  kept = *made;
  return kept->Slice(0, rows);
}

Result<std::vector<std::shared_ptr<arrow::Array>>> MetadataColumns::For(const std::string& file, std::vector<int64_t> rows) {
  constants_.resize(kCount);
  if (file_ != file) {
    file_ = file;
    constants_[kFile] = nullptr;
  }
  const auto count = static_cast<int64_t>(rows.size());
  std::vector<std::shared_ptr<arrow::Array>> columns(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    if (i == kRow) {
      columns[i] = std::make_shared<arrow::Int64Array>(count, arrow::Buffer::FromVector(std::move(rows)));
    } else {
      SLUICE_TRY(columns[i], Constant(i, count));
    }
  }
  return columns;
}

TableSink::TableSink(Options options) : options_(std::move(options)) {
  options_.writer.memory_bytes /= options_.slots;
  for (int i = 0; i < options_.slots; ++i) slots_.push_back(std::make_unique<Slot>());
}

Status TableSink::Write(size_t slot, const arrow::RecordBatch& rows, tables::Dropped dropped) {
  if (rows.num_rows() == 0) return Ok();
  Slot& own = *slots_[slot % slots_.size()];
  {
    const std::lock_guard lock(own.mutex);
    if (own.writer == nullptr) {
      SLUICE_TRY(own.writer, tables::DataFileWriter::Open(*options_.store, options_.root, options_.writer, *options_.random));
    }
  }
  return dropped.empty() ? own.writer->Write(rows) : own.writer->WriteRest(rows, std::move(dropped));
}

Result<std::vector<tables::StagedFile>> TableSink::Finish() {
  std::vector<tables::StagedFile> files;
  for (const auto& slot : slots_) {
    if (slot->writer == nullptr) continue;
    SLUICE_TRY(auto staged, slot->writer->Finish());
    rows_ += slot->writer->rows_written();
    files.insert(files.end(), std::make_move_iterator(staged.begin()), std::make_move_iterator(staged.end()));
  }
  return files;
}

int64_t TableSink::rows_written() const { return rows_; }

std::shared_ptr<arrow::RecordBatch> Arrange(const Layout& layout, const std::shared_ptr<arrow::Schema>& written,
                                            const arrow::RecordBatch& rows, const std::vector<std::shared_ptr<arrow::Array>>& metadata) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (size_t i = 0; i < layout.sources.size(); ++i) {
    const int source = layout.sources[i];
    if (source >= 0)
      columns.push_back(rows.column(source));
    else if (source == Layout::kNull)
      columns.push_back(*arrow::MakeArrayOfNull(written->field(static_cast<int>(i))->type(), rows.num_rows()));
    else
      columns.push_back(metadata[static_cast<size_t>(-1 - source)]);
  }
  return arrow::RecordBatch::Make(written, rows.num_rows(), std::move(columns));
}

void DeleteStaged(store::ObjectStore& store, const std::string& root, const std::string& file_prefix) {
  const auto objects = store.List(root + "/");
  if (!objects) return;
  for (const auto& object : *objects) {
    const std::string name = object.key.substr(object.key.rfind('/') + 1);
    if (name.starts_with(file_prefix + "-") || name.starts_with(file_prefix + ".")) (void)store.Delete(object.key);
  }
}

}  // namespace sluice::ingest
