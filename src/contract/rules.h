#pragma once
// A contract's row rules, compiled once and checked on whole batches.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "contract/literal.h"
#include "core/result.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace sluice::contract {

// Rows for which a column's rules hold: nullptr = all; else one byte per row, 0 = not this row.
using RuleMask = std::function<const std::vector<uint8_t>*(int column)>;

// Immutable; Check is thread-safe.
class RowRules {
 public:
  // Errors (all at once): kUser "bad-rule": a literal that is not of the column's type, a pattern RE2 does not know, a rule that
  // the type cannot have (pattern of a number, min of a struct).
  static Result<RowRules> Compile(const Contract& contract);
  RowRules();
  ~RowRules();
  RowRules(RowRules&&) noexcept;
  RowRules& operator=(RowRules&&) noexcept;

  bool empty() const;
  // Column i of `rows` is contract.columns[i] (texts may be a dictionary); further columns are not looked at. Appends violations, not
  // sorted. NULL breaks no rule but not_null.
  void Check(const arrow::RecordBatch& rows, const RuleMask& mask, std::vector<Violation>* violations) const;
  // NULLs of columns with a default, filled. Gives `rows` back where there is nothing to fill.
  Result<std::shared_ptr<arrow::RecordBatch>> FillDefaults(std::shared_ptr<arrow::RecordBatch> rows) const;

 private:
  struct ColumnRules;
  std::vector<ColumnRules> columns_;
};

// The value as people write it: "12.50", "2024-01-31", cut at 200 bytes.
std::string ValueText(const arrow::Array& array, int64_t row);

}  // namespace sluice::contract
