#include "tables/row_writer.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "core/text.h"

namespace sluice::tables {
namespace {

Result<std::vector<int>> Places(const arrow::Schema& schema, const std::vector<std::string>& columns) {
  std::vector<int> places;
  for (const std::string& name : columns) {
    int at = -1;
    for (int i = 0; i < schema.num_fields() && at < 0; ++i)
      if (EqualsIgnoreCase(schema.field(i)->name(), name)) at = i;
    if (at < 0) return Fail(BugError(fmt::format("the rows to write have no column \"{}\"", name)));
    places.push_back(at);
  }
  return places;
}

}  // namespace

Result<std::unique_ptr<RowWriter>> RowWriter::Open(const TableTarget& target, const TablePlan& plan, const StageOptions& options) {
  WriterOptions writer;
  writer.schema = plan.schema;
  writer.partition_columns = plan.partition_columns;
  writer.file_prefix = options.file_prefix;
  writer.target_file_bytes = options.target_file_bytes;
  writer.memory_bytes = options.memory_bytes;
  writer.scratch_dir = options.scratch_dir;
  writer.clock = options.clock;
  auto out = std::make_unique<RowWriter>();
  out->columns_ = plan.InputColumns();
  SLUICE_TRY(out->writer_, DataFileWriter::Open(*target.store, target.root, std::move(writer), RandomOf(options)));
  return out;
}

Result<int64_t> RowWriter::WriteAll(arrow::RecordBatchReader& reader) {
  SLUICE_TRY(const auto places, Places(*reader.schema(), columns_));
  int64_t rows = 0;
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader.ReadNext(&batch); !status.ok()) return Fail(engines::ReaderError(status));
    if (!batch) return rows;
    if (batch->num_rows() == 0) continue;
    const auto chosen = batch->SelectColumns(places);
    if (!chosen.ok()) return Fail(BugError("arrow: " + chosen.status().ToString()));
    SLUICE_CHECK(writer_->Write(**chosen));
    rows += batch->num_rows();
  }
}

}  // namespace sluice::tables
