#include "run/contract_sql.h"

#include <fmt/format.h>

#include <functional>

#include "ingest/sql_rules.h"

namespace sluice::run {
namespace {

// What the contract says in SQL: `visit` gets each text and where it stands.
void EachPredicate(contract::Contract& contract, const std::function<void(std::string&, const Location&)>& visit) {
  for (contract::ColumnContract& column : contract.columns)
    if (!column.rule_where.empty()) visit(column.rule_where, column.where);
  for (contract::SqlRule& rule : contract.rules) visit(rule.predicate, rule.where);
}

contract::Schema ColumnsOf(const contract::Contract& contract) {
  contract::Schema schema;
  for (const contract::ColumnContract& column : contract.columns) schema.fields.push_back({column.name, column.type, true, {}});
  return schema;
}

Status CheckCondition(engines::SqlFrontend& frontend, const std::string& sql, const Location& where, const contract::Schema& columns,
                      const std::vector<engines::Parameter>& parameters) {
  SLUICE_TRY(const contract::DataType type, frontend.BindExpression(sql, where, columns, parameters));
  if (type.kind == contract::TypeKind::kBoolean) return Ok();
  return Fail(UserError("bad-rule", fmt::format("({}) is a {}, not a condition", sql, type.ToString()))
                  .At(where)
                  .Hint("write what is true or false of a row, such as total > 0"));
}

}  // namespace

Status CheckContractSql(Session& session, const contract::Contract& contract) {
  if (!ingest::HasSql(contract)) return Ok();
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  const contract::Schema columns = ColumnsOf(contract);
  Diagnostics diagnostics;
  contract::Contract copy = contract;
  EachPredicate(copy, [&](const std::string& sql, const Location& where) {
    if (Status status = CheckCondition(*frontend, sql, where, columns, session.Parameters(session.clock().Now())); !status)
      diagnostics.Add(std::move(status).error());
  });
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  return Ok();
}

Status ExpandContractSql(Session& session, contract::Contract* contract) {
  if (!ingest::HasSql(*contract)) return Ok();
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  Diagnostics diagnostics;
  EachPredicate(*contract, [&](std::string& sql, const Location& where) {
    auto expanded = frontend->ParseExpression(sql, where);
    if (expanded)
      sql = *std::move(expanded);
    else
      diagnostics.Add(std::move(expanded).error());
  });
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  return Ok();
}

Status CheckDeleteWhen(Session& session, const project::Model& model, const contract::Schema& columns) {
  if (model.delete_when.empty()) return Ok();
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  return CheckCondition(*frontend, model.delete_when, model.delete_when_where, columns, {});
}

Result<std::string> ExpandDeleteWhen(Session& session, const project::Model& model) {
  if (model.delete_when.empty()) return std::string();
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  return frontend->ParseExpression(model.delete_when, model.delete_when_where);
}

}  // namespace sluice::run
