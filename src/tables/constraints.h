#pragma once
// The conditions that a table's CHECK constraints and invariants put on rows, evaluated on batches before they are written.
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"
#include "delta/features.h"

namespace arrow {
class RecordBatch;
}

namespace sluice::tables {

// A condition in Spark's SQL as DuckDB's. Only what means the same in both is let through: columns, literals, comparisons, AND, OR,
// NOT, IN, BETWEEN, LIKE, IS NULL, CASE, + - * %, and some functions. Else kUnsupported "unsupported-constraint", naming it.
Result<std::string> ConditionInDuckDb(const delta::Constraint& constraint, const contract::Schema& schema);

// Not thread-safe: one per writer.
class ConstraintCheck {
 public:
  // `schema`: of the batches. Errors: "unsupported-constraint" where one cannot be evaluated on it.
  static Result<std::unique_ptr<ConstraintCheck>> Open(const std::vector<delta::Constraint>& constraints, const contract::Schema& schema);
  virtual ~ConstraintCheck() = default;
  // kData "check-constraint" with the constraint, a row that breaks it, and how many do.
  virtual Status Check(const std::shared_ptr<arrow::RecordBatch>& batch) = 0;
};

}  // namespace sluice::tables
