#pragma once
// Rows of a reader into staged files of a planned table: columns matched by name.
#include <memory>

#include "tables/data_file_writer.h"
#include "tables/table_plan.h"

namespace sluice::tables {

inline constexpr const char* kChangeType = "_change_type";

class RowWriter {
 public:
  static Result<std::unique_ptr<RowWriter>> Open(const TableTarget& target, const TablePlan& plan, const StageOptions& options);
  // Of change data files (PROTOCOL.md, "Change Data Files"): rows bring kChangeType too.
  static Result<std::unique_ptr<RowWriter>> OpenChangeData(const TableTarget& target, const TablePlan& plan, const StageOptions& options);
  // Reads to the end; returns the number of rows. Columns beyond the table's are passed over; generated ones are taken where the rows bring
  // them.
  Result<int64_t> WriteAll(arrow::RecordBatchReader& reader, Brought brought = Brought::kChecked);
  Result<std::vector<StagedFile>> Finish() { return writer_->Finish(); }

 private:
  static Result<std::unique_ptr<RowWriter>> Open(const TableTarget& target, const TablePlan& plan, const StageOptions& options,
                                                 std::vector<std::string> columns, WriterOptions writer);

  std::vector<std::string> columns_;    // that the writer wants, in order
  std::vector<std::string> generated_;  // that it takes after them
  std::unique_ptr<DataFileWriter> writer_;
};

}  // namespace sluice::tables
