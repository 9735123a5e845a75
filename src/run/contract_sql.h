#pragma once
// Conditions over one row: a contract's predicates of rules and `where` of columns, a model's `delete_when`.
#include "run/session.h"

namespace sluice::run {

// Binds each against the contract's columns, without data. Errors at their places: kUser "bad-rule" where one is no predicate; those of
// SqlFrontend::BindExpression.
Status CheckContractSql(Session& session, const contract::Contract& contract);

// Each as the ingest runs it: macros expanded, now() and its kin the parameters of the run's clock.
Status ExpandContractSql(Session& session, contract::Contract* contract);

// The same for a model's `delete_when`, over the columns of its SELECT.
Status CheckDeleteWhen(Session& session, const project::Model& model, const contract::Schema& columns);
// As the tables run it.
Result<std::string> ExpandDeleteWhen(Session& session, const project::Model& model);

}  // namespace sluice::run
