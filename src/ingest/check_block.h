#pragma once
// One decoded block against the contract: defaults filled, every rule checked, each row's fate known (but for `unique`).
#include <memory>
#include <vector>

#include "contract/rules.h"
#include "formats/reader.h"
#include "ingest/sql_rules.h"

namespace sluice::ingest {

struct CheckedBlock {
  std::shared_ptr<arrow::RecordBatch> rows;     // defaults filled
  int64_t first_row = 1;                        // 0: rows are not consecutive, `place` knows their numbers
  std::vector<contract::Violation> violations;  // by row; at most one per (row, column, rule)
  std::vector<uint8_t> refused;                 // per row
  int64_t refused_rows = 0;
  std::function<formats::RecordPlace(int64_t)> place;
  std::function<std::string(int64_t)> raw;
  bool new_columns = false;  // as DecodedBatch has it

  int64_t RowNumber(int64_t row) const { return first_row > 0 ? first_row + row : place(row).row; }
  void Refuse(contract::Violation violation);  // appended: the caller sorts with SortViolations
  void SortViolations();
  int64_t warned_rows() const;  // rows kept that have a warning
};

// `sql` may be null where the contract has none.
Result<CheckedBlock> CheckBlock(formats::DecodedBatch decoded, const contract::RowRules& rules, SqlRules* sql);

}  // namespace sluice::ingest
