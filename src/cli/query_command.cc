// query: any SELECT over the project's tables, and over Delta tables by their place.
#include "cli/command.h"
#include "cli/no_project.h"
#include "cli/print_rows.h"
#include "cli/query_advice.h"
#include "cli/query_sql.h"

namespace sluice::cli {
namespace {

// Outside of any project too, unless an environment is asked for.
Result<std::unique_ptr<run::Session>> OpenQuerySession(Context& context, const NoProject& nowhere) {
  auto session = OpenToLook(context);
  if (!session && session.error().code == "no-project" && context.globals.environment.empty())
    return OpenSession(context, nowhere.project(), nullptr);
  return session;
}

Result<int> RunQuery(Context& context, const QueryArgs& args) {
  SLUICE_TRY(const RowsOutput output, RowsOutputOf(context.globals, args.format, args.out, args.limit));
  const NoProject nowhere;
  SLUICE_TRY(const auto session, OpenQuerySession(context, nowhere));
  const auto query = LowerQuery(context, *session, args.sql);
  if (!query) return Fail(WithCommand(query.error(), args.sql));
  SLUICE_TRY(engines::DuckDb * db, session->db());
  SLUICE_TRY(const auto connection, db->Connect());
  Status printed = PrintRows(context, *connection, query->sql, query->params, output);
  if (!printed) return Fail(ExplainQuery(context, *session, query->uses, std::move(printed).error()));
  return kDone;
}

}  // namespace

int Query(Context& context, const QueryArgs& args) {
  const auto result = RunQuery(context, args);
  return result ? *result : Report(context, result.error());
}

}  // namespace sluice::cli
