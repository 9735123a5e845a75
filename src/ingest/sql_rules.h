#pragma once
// The contract's SQL: predicates of rules, and `where` of columns, run by the embedded engine on one block at a time.
#include <memory>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "contract/rules.h"
#include "core/result.h"
#include "engines/duckdb.h"

namespace arrow {
class RecordBatch;
}

namespace sluice::ingest {

bool HasSql(const contract::Contract& contract);

// One thread's connection. The contract must outlive it.
class SqlRules {
 public:
  // Predicates are bound against `rows` here. Errors: kUser "bad-rule" at the rule.
  static Result<std::unique_ptr<SqlRules>> Open(engines::DuckDb& db, const contract::Contract& contract, const contract::Schema& rows,
                                                std::vector<engines::Parameter> parameters);

  // Looks at a block; Mask and AppendViolations are then about it.
  Status Load(const std::shared_ptr<arrow::RecordBatch>& rows);
  // Rows for which column's `where` is true; null: it has none.
  const std::vector<uint8_t>* Mask(int column) const;
  // Rows for which a rule's predicate is false.
  void AppendViolations(std::vector<contract::Violation>* violations) const;

 private:
  SqlRules(std::unique_ptr<engines::Connection> connection, const contract::Contract& contract, std::vector<engines::Parameter> parameters)
      : connection_(std::move(connection)), contract_(contract), parameters_(std::move(parameters)) {}
  Status Register(const std::shared_ptr<arrow::RecordBatch>& rows);
  Result<std::vector<int64_t>> RowsWhere(const std::string& condition, const char* truth);

  std::unique_ptr<engines::Connection> connection_;
  const contract::Contract& contract_;
  std::vector<engines::Parameter> parameters_;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> masks_;
  std::vector<std::vector<int64_t>> failed_;  // per rule
};

}  // namespace sluice::ingest
