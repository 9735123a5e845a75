#include "tables/dml_statement.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "tables/prune.h"

namespace sluice::tables {

Status Statement::Plan() {
  SLUICE_TRY(plan_, PlanUnchanged(target_));
  columns_ = plan_.InputColumns();
  Avoid(plan_.schema.Names());
  return Ok();
}

void Statement::Avoid(const std::vector<std::string>& names) {
  const auto begins = [&](const std::string& name) { return ToLower(name).starts_with(own_); };
  while (std::any_of(names.begin(), names.end(), begins)) own_ += "_";
}

std::string Statement::Place() const {
  return fmt::format("target.{} AS {}, target.{} AS {}", kFileColumn, Own("file"), kRowColumn, Own("row"));
}

Result<std::string> Statement::RowsWhere(const std::string& where) {
  SLUICE_TRY(const auto files, FilesWhere({engines::ConditionsOf(connection_, where, "target", false)}));
  return TargetRows(target_, plan_, files);
}

Result<std::vector<const delta::Add*>> Statement::FilesWhere(const engines::AnyConditions& any) {
  const FileFacts facts = FactsOf(target_, plan_);
  read_where_ = PartitionsOf(connection_, facts, any);
  return FilesWithRows(connection_, facts, FilesThere(read_where_, FilesOf(target_)), any, {});
}

Result<std::vector<ColumnValue>> Statement::Resolved(const std::vector<Assignment>& set, const std::string& from, bool has_target) {
  return ResolveAssignments(connection_, {plan_.schema, columns_, target_.name}, set, from, has_target);
}

Status Statement::RefuseBroken(const std::string& suffix) {
  SLUICE_TRY(const auto broken, connection_.Scalar(fmt::format("SELECT min({}) FROM {}", Own("broken"), T(suffix))));
  if (!broken) return Ok();
  return Fail(DataError("lossy-assignment", fmt::format("{}: column {}", target_.name, *broken))
                  .Hint("say what is meant: round(…), trunc(…) or CAST(… AS BIGINT)"));
}

Result<StagedChange> Statement::Write(CommitParts parts, const std::string& inserted) {
  const std::string gone =
      fmt::format("(SELECT {} AS file, {} AS row, {} AS updated FROM {})", Own("file"), Own("row"), Own("updated"), T("hit"));
  SLUICE_TRY(const auto change, RowChange::Start(target_, connection_, plan_, options_, gone));
  SetReads(read_where_, &parts);
  if (parts.counts.changed > 0)
    SLUICE_CHECK(change->Put(fmt::format("SELECT {} FROM {} WHERE {}", Columns("", columns_), T("hit"), Own("updated")), Arrival::kUpdate));
  if (!inserted.empty()) SLUICE_CHECK(change->Put(inserted, Arrival::kInsert));
  return change->Finish(std::move(parts));
}

}  // namespace sluice::tables
