#pragma once
// Rows of a reader into staged files of a planned table: columns matched by name.
#include <memory>

#include "tables/data_file_writer.h"
#include "tables/table_plan.h"

namespace sluice::tables {

class RowWriter {
 public:
  static Result<std::unique_ptr<RowWriter>> Open(const TableTarget& target, const TablePlan& plan, const StageOptions& options);
  // Reads to the end; returns the number of rows. Columns beyond the table's are passed over.
  Result<int64_t> WriteAll(arrow::RecordBatchReader& reader);
  Result<std::vector<StagedFile>> Finish() { return writer_->Finish(); }

 private:
  std::vector<std::string> columns_;  // that the writer wants, in order
  std::unique_ptr<DataFileWriter> writer_;
};

}  // namespace sluice::tables
