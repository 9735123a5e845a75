#include "tables/row_writer.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "core/text.h"
#include "tables/generated.h"

namespace sluice::tables {
namespace {

int PlaceOf(const arrow::Schema& schema, const std::string& name) {
  for (int i = 0; i < schema.num_fields(); ++i)
    if (EqualsIgnoreCase(schema.field(i)->name(), name)) return i;
  return -1;
}

Result<std::vector<int>> Places(const arrow::Schema& schema, const std::vector<std::string>& columns,
                                const std::vector<std::string>& generated) {
  std::vector<int> places;
  for (const std::string& name : columns) {
    places.push_back(PlaceOf(schema, name));
    if (places.back() < 0) return Fail(BugError(fmt::format("the rows to write have no column \"{}\"", name)));
  }
  for (const std::string& name : generated)
    if (const int at = PlaceOf(schema, name); at >= 0) places.push_back(at);
  return places;
}

}  // namespace

Result<std::unique_ptr<RowWriter>> RowWriter::Open(const TableTarget& target, const TablePlan& plan, const StageOptions& options,
                                                   std::vector<std::string> columns, WriterOptions writer) {
  writer.file_prefix = options.file_prefix;
  writer.target_file_bytes = options.target_file_bytes;
  writer.memory_bytes = options.memory_bytes;
  writer.scratch_dir = options.scratch_dir;
  writer.clock = options.clock;
  writer.encode_behind = true;
  auto out = std::make_unique<RowWriter>();
  out->columns_ = std::move(columns);
  for (const contract::Field& field : plan.schema.fields)
    if (IsGenerated(field)) out->generated_.push_back(field.name);
  SLUICE_TRY(out->writer_, DataFileWriter::Open(*target.store, target.root, std::move(writer), RandomOf(options)));
  return out;
}

Result<std::unique_ptr<RowWriter>> RowWriter::Open(const TableTarget& target, const TablePlan& plan, const StageOptions& options) {
  WriterOptions writer;
  writer.schema = plan.schema;
  writer.partition_columns = plan.partition_columns;
  writer.rules = plan.rules;
  return Open(target, plan, options, plan.InputColumns(), std::move(writer));
}

Result<std::unique_ptr<RowWriter>> RowWriter::OpenChangeData(const TableTarget& target, const TablePlan& plan,
                                                             const StageOptions& options) {
  WriterOptions writer;
  writer.schema = plan.schema;
  writer.schema.fields.push_back({kChangeType, contract::DataType::Of(contract::TypeKind::kString)});
  writer.partition_columns = plan.partition_columns;
  writer.folder = "_change_data/";
  writer.rules.mapping = plan.rules.mapping;  // without constraints: rows as they were before may break what holds now
  writer.rules.indexed_columns = 0;
  auto columns = plan.InputColumns();
  columns.push_back(kChangeType);
  return Open(target, plan, options, std::move(columns), std::move(writer));
}

Result<int64_t> RowWriter::WriteAll(arrow::RecordBatchReader& reader, Brought brought) {
  SLUICE_TRY(const auto places, Places(*reader.schema(), columns_, generated_));
  int64_t rows = 0;
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader.ReadNext(&batch); !status.ok()) return Fail(engines::ReaderError(status));
    if (!batch) return rows;
    if (batch->num_rows() == 0) continue;
    const auto chosen = batch->SelectColumns(places);
    if (!chosen.ok()) return Fail(BugError("arrow: " + chosen.status().ToString()));
    SLUICE_CHECK(writer_->Write(**chosen, brought));
    rows += batch->num_rows();
  }
}

}  // namespace sluice::tables
