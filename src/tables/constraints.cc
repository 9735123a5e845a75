#include "tables/constraints.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include "contract/arrow_types.h"
#include "core/text.h"
#include "engines/duckdb.h"

namespace sluice::tables {
namespace {

constexpr const char* kRows = "rows_to_write";

class DuckDbCheck : public ConstraintCheck {
 public:
  Status Prepare(const std::vector<delta::Constraint>& constraints, const contract::Schema& schema) {
    constraints_ = constraints;
    // Small and serial: it looks at batches that are in memory already.
    SLUICE_TRY(db_, engines::DuckDb::Open({.memory_bytes = 256LL << 20, .threads = 1}));
    SLUICE_TRY(connection_, db_->Connect());
    SLUICE_CHECK(connection_->Register(kRows, contract::ToArrow(schema), {}));
    std::vector<std::string> counts;
    for (const delta::Constraint& constraint : constraints_) {
      SLUICE_TRY(std::string condition, ConditionInDuckDb(constraint, schema));
      const auto bound = connection_->Describe(fmt::format("SELECT ({}) AS c FROM {}", condition, kRows));
      if (!bound || bound->at(0).duckdb_type != "BOOLEAN")
        return Fail(UnsupportedError("unsupported-constraint",
                                     fmt::format("the table's constraint {} cannot be evaluated: {}: {}", constraint.name,
                                                 constraint.expression, bound ? "it is no condition" : bound.error().message)));
      counts.push_back(fmt::format("count(*) FILTER (WHERE ({}) IS NOT TRUE)", condition));
      conditions_.push_back(std::move(condition));
    }
    count_ = fmt::format("SELECT {} FROM {}", Join(counts, ", "), kRows);
    return connection_->Unregister(kRows);
  }

  Status Check(const std::shared_ptr<arrow::RecordBatch>& batch) override {
    SLUICE_CHECK(connection_->Register(kRows, batch->schema(), {batch}));
    const auto checked = CheckRows();
    SLUICE_CHECK(connection_->Unregister(kRows));
    return checked;
  }

 private:
  Status CheckRows() {
    SLUICE_TRY(const auto counts, connection_->Rows(count_));
    for (size_t i = 0; i < constraints_.size(); ++i)
      if (counts.at(0).at(i) != "0") return Fail(Broken(i, counts[0][i].value_or("?")));
    return Ok();
  }

  Error Broken(size_t i, const std::string& count) {
    const auto example = connection_->Scalar(
        fmt::format("SELECT CAST(to_json(r) AS VARCHAR) FROM {} AS r WHERE ({}) IS NOT TRUE LIMIT 1", kRows, conditions_[i]));
    return DataError("check-constraint", fmt::format("{} break the table's constraint {}: {}; for instance {}",
                                                     count == "1" ? "one row would" : count + " rows would", constraints_[i].name,
                                                     constraints_[i].expression, example ? example->value_or("?") : "?"));
  }

  std::vector<delta::Constraint> constraints_;
  std::vector<std::string> conditions_;  // in DuckDB's SQL
  std::string count_;
  std::unique_ptr<engines::DuckDb> db_;
  std::unique_ptr<engines::Connection> connection_;
};

}  // namespace

Result<std::unique_ptr<ConstraintCheck>> ConstraintCheck::Open(const std::vector<delta::Constraint>& constraints,
                                                               const contract::Schema& schema) {
  auto check = std::make_unique<DuckDbCheck>();
  SLUICE_CHECK(check->Prepare(constraints, schema));
  return check;
}

}  // namespace sluice::tables
