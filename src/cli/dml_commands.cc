// table update, table delete.
#include <fmt/format.h>

#include "cli/foreign_change.h"
#include "cli/table_args.h"
#include "core/text.h"
#include "tables/assignments.h"
#include "tables/dml.h"
#include "tables/statement_text.h"

namespace sluice::cli {
namespace {

// All rows only if that is said.
Status CheckScope(const DmlArgs& args, const char* verb) {
  if (args.where.empty() == args.all) return Ok();
  if (args.all) return Fail(UserError("bad-flags", "--where and --all exclude each other"));
  return Fail(UserError("no-condition", fmt::format("which rows are to be {}? there is no --where", verb))
                  .Hint("--where \"id = 17\", or --all for every row"));
}

Result<std::vector<tables::Assignment>> AssignmentsOf(const DmlArgs& args) {
  std::vector<tables::Assignment> all;
  for (const std::string& text : args.set) {
    auto some = tables::ParseAssignments(text);
    if (!some) return Fail(std::move(some).error());
    all.insert(all.end(), some->begin(), some->end());
  }
  return all;
}

// What both begin with.
struct Opened {
  FoundTable table;
  tables::TableTarget target;
  std::unique_ptr<engines::Connection> connection;
};

Result<Opened> Open(Context& context, const DmlArgs& args) {
  Opened opened;
  SLUICE_TRY(opened.table, FindTable(context, args.table));
  SLUICE_CHECK(AllowChange(context, opened.table, args.yes));
  SLUICE_TRY(opened.target, TargetOf(opened.table));
  SLUICE_TRY(opened.connection, Connect(opened.table));
  if (!args.where.empty())
    SLUICE_CHECK(CheckExpression(opened.table, *opened.connection, "--where", args.where, {{"target", opened.target.schema}}, true));
  return opened;
}

Result<int> Commit(Context& context, const Opened& opened, const TableOperation& operation, Result<tables::StagedChange> change) {
  if (!change) return Fail(WithoutOurSql(std::move(change).error()));
  if (!change->empty) WarnOfRuns(context, opened.table);
  return CommitAndTell(context, opened.table, operation, opened.target, *change);
}

Result<int> Update(Context& context, const DmlArgs& args) {
  SLUICE_CHECK(CheckScope(args, "changed"));
  SLUICE_TRY(const auto set, AssignmentsOf(args));
  SLUICE_TRY(Opened opened, Open(context, args));
  for (const tables::Assignment& one : set) {
    SLUICE_CHECK(CheckColumn("--set", one.column, opened.table, opened.target.schema));
    SLUICE_CHECK(CheckExpression(opened.table, *opened.connection, "--set " + tables::PathOf(one) + " =", one.value,
                                 {{"target", opened.target.schema}}, false));
  }
  const TableOperation operation(opened.table, "update");
  return Commit(context, opened, operation, tables::StageUpdate(opened.target, *opened.connection, set, args.where, operation.Options()));
}

Result<int> Delete(Context& context, const DmlArgs& args) {
  SLUICE_CHECK(CheckScope(args, "deleted"));
  SLUICE_TRY(Opened opened, Open(context, args));
  const TableOperation operation(opened.table, "delete");
  return Commit(context, opened, operation, tables::StageDelete(opened.target, *opened.connection, args.where, operation.Options()));
}

}  // namespace

int TableUpdate(Context& context, const DmlArgs& args) { return Finish(context, Update(context, args)); }
int TableDelete(Context& context, const DmlArgs& args) { return Finish(context, Delete(context, args)); }

}  // namespace sluice::cli
