#include "ingest/sql_rules.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include "contract/arrow_types.h"

namespace sluice::ingest {
namespace {

constexpr const char* kRelation = "sluice_block";
constexpr const char* kRow = "sluice_row";

Error BadRule(const std::string& what, const std::string& predicate, const Error& cause, const Location& where) {
  return UserError("bad-rule", fmt::format("{}: ({}) cannot be evaluated: {}", what, predicate, cause.message)).At(where);
}

std::shared_ptr<arrow::RecordBatch> WithRowNumbers(const arrow::RecordBatch& rows) {
  std::vector<int64_t> numbers(static_cast<size_t>(rows.num_rows()));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int64_t>(i);
  auto fields = rows.schema()->fields();
  auto columns = rows.columns();
  fields.push_back(arrow::field(kRow, arrow::int64()));
  columns.push_back(std::make_shared<arrow::Int64Array>(rows.num_rows(), arrow::Buffer::FromVector(std::move(numbers))));
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows.num_rows(), std::move(columns));
}

}  // namespace

bool HasSql(const contract::Contract& contract) {
  for (const auto& column : contract.columns) {
    if (!column.rule_where.empty()) return true;
  }
  return !contract.rules.empty();
}

Result<std::unique_ptr<SqlRules>> SqlRules::Open(engines::DuckDb& db, const contract::Contract& contract, const contract::Schema& rows,
                                                 std::vector<engines::Parameter> parameters) {
  SLUICE_TRY(auto connection, db.Connect());
  std::unique_ptr<SqlRules> rules(new SqlRules(std::move(connection), contract, std::move(parameters)));
  auto empty = arrow::RecordBatch::MakeEmpty(contract::ToArrow(rows));
  if (!empty.ok()) return Fail(BugError("an empty batch: " + empty.status().ToString()));
  SLUICE_CHECK(rules->Register(*empty));
  for (const auto& column : contract.columns) {
    if (column.rule_where.empty()) continue;
    auto bound = rules->RowsWhere(column.rule_where, "IS TRUE");
    if (!bound) return Fail(BadRule("where of column \"" + column.name + "\"", column.rule_where, bound.error(), column.where));
  }
  for (const auto& rule : contract.rules) {
    auto bound = rules->RowsWhere(rule.predicate, "IS FALSE");
    if (!bound) return Fail(BadRule("rule \"" + rule.name + "\"", rule.predicate, bound.error(), rule.where));
  }
  return rules;
}

Status SqlRules::Register(const std::shared_ptr<arrow::RecordBatch>& rows) {
  const auto numbered = WithRowNumbers(*rows);
  return connection_->Register(kRelation, numbered->schema(), {numbered});
}

Result<std::vector<int64_t>> SqlRules::RowsWhere(const std::string& condition, const char* truth) {
  auto parameters = parameters_;
  std::erase_if(parameters, [&](const auto& p) { return condition.find("$" + p.name) == std::string::npos; });
  const std::string sql = fmt::format("SELECT {} FROM {} WHERE ({}) {}", kRow, kRelation, condition, truth);
  SLUICE_TRY(auto reader, connection_->Query(sql, parameters));
  std::vector<int64_t> rows;
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader->ReadNext(&batch); !status.ok()) return Fail(DataError("sql", status.message()));
    if (batch == nullptr) return rows;
    const auto& numbers = static_cast<const arrow::Int64Array&>(*batch->column(0));
    rows.insert(rows.end(), numbers.raw_values(), numbers.raw_values() + numbers.length());
  }
}

Status SqlRules::Load(const std::shared_ptr<arrow::RecordBatch>& rows) {
  SLUICE_CHECK(connection_->Unregister(kRelation));
  SLUICE_CHECK(Register(rows));
  masks_.clear();
  failed_.clear();
  for (const auto& column : contract_.columns) {
    masks_.emplace_back();
    if (column.rule_where.empty()) continue;
    SLUICE_TRY(const auto holds, RowsWhere(column.rule_where, "IS TRUE"));
    masks_.back() = std::make_unique<std::vector<uint8_t>>(static_cast<size_t>(rows->num_rows()), 0);
    for (const int64_t row : holds) (*masks_.back())[static_cast<size_t>(row)] = 1;
  }
  for (const auto& rule : contract_.rules) {
    SLUICE_TRY(auto failed, RowsWhere(rule.predicate, "IS FALSE"));
    failed_.push_back(std::move(failed));
  }
  return Ok();
}

const std::vector<uint8_t>* SqlRules::Mask(int column) const { return masks_[static_cast<size_t>(column)].get(); }

void SqlRules::AppendViolations(std::vector<contract::Violation>* violations) const {
  for (size_t i = 0; i < failed_.size(); ++i) {
    const contract::SqlRule& rule = contract_.rules[i];
    const std::string message = rule.description.empty() ? "breaks " + rule.predicate : rule.description;
    for (const int64_t row : failed_[i]) {
      violations->push_back({row, "", rule.name, "", message, rule.on_fail == contract::OnFail::kWarn});
    }
  }
}

}  // namespace sluice::ingest
