// interval: exactly the rows of the given windows are replaced.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include "core/counted.h"
#include "core/text.h"
#include "delta/json_text.h"
#include "tables/read_where.h"
#include "tables/row_change.h"

namespace sluice::tables {
namespace {

std::string InWindows(const IntervalSpec& spec, const contract::Field& column) {
  const auto literal = [&](const std::string& text) { return fmt::format("CAST({} AS {})", QuoteLiteral(text), column.type.ToDuckDb()); };
  std::vector<std::string> parts;
  for (const Window& window : spec.windows)
    parts.push_back(fmt::format("({0} >= {1} AND {0} < {2})", QuoteIdentifier(column.name), literal(window.from), literal(window.to)));
  return parts.empty() ? "false" : "(" + Join(parts, " OR ") + ")";
}

engines::AnyConditions WindowConditions(const IntervalSpec& spec, const std::string& column) {
  using Op = engines::Comparison::Op;
  engines::AnyConditions any;
  for (const Window& window : spec.windows)
    any.push_back({{{column, Op::kGreaterOrEqual, QuoteLiteral(window.from), true}}, {{column, Op::kLess, QuoteLiteral(window.to), true}}});
  return any;
}

std::string Text(const IntervalSpec& spec) {
  std::vector<std::string> parts;
  for (const Window& window : spec.windows) parts.push_back(fmt::format("[{}, {})", window.from, window.to));
  return Join(parts, ", ");
}

Status RefuseOutside(const TableTarget& target, engines::Connection& connection, const IntervalSpec& spec, const std::string& column,
                     const std::string& rows, const std::string& inside) {
  SLUICE_TRY(const auto outside,
             connection.Rows(fmt::format("SELECT CAST({} AS VARCHAR), count(*) OVER () FROM {} WHERE {} IS NOT TRUE ORDER BY ALL LIMIT 1",
                                         QuoteIdentifier(column), rows, inside)));
  if (outside.empty()) return Ok();
  return Fail(
      DataError("row-outside-window", fmt::format("{}: {} outside the windows {}, the first with {} = {}", target.name,
                                                  Counted(std::stoll(*outside[0][1]), "row lies", "rows lie"), Text(spec), column,
                                                  outside[0][0].value_or("NULL")))
          .Hint(fmt::format("filter the model by $window_start and $window_end: {0} >= $window_start AND {0} < $window_end", column)));
}

}  // namespace

Result<StagedChange> StageInterval(const TableTarget& target, engines::Connection& connection, const Source& source,
                                   const IntervalSpec& spec, const StageOptions& options) {
  SLUICE_TRY(TablePlan plan, PlanTable(target, Freedom::kEvolve, options));
  const auto columns = plan.InputColumns();
  SLUICE_TRY(const auto column, KnownColumns(plan.schema, {spec.column}, "interval column"));
  const std::string inside = InWindows(spec, *plan.schema.Find(column[0]));
  SLUICE_CHECK(CheckBrought(target, plan, connection, source));
  TempTables temp(connection, options);
  SLUICE_CHECK(temp.Create("src", TypedSource(source, plan.schema, columns, ""), source.params));
  SLUICE_CHECK(RefuseOutside(target, connection, spec, column[0], temp.Name("src"), inside));

  CommitParts parts;
  SLUICE_TRY(parts.counts.read, temp.Count("FROM " + temp.Name("src")));
  parts.counts.added = parts.counts.read;
  const ReadWhere where = PartitionsOf(connection, FactsOf(target, plan), WindowConditions(spec, column[0]));
  SetReads(where, &parts);
  SLUICE_TRY(const std::string present, TargetRows(target, plan, FilesThere(where, FilesOf(target))));
  SLUICE_CHECK(temp.Create(
      "gone", fmt::format("SELECT {} AS file, {} AS row, false AS updated FROM {} WHERE {}", kFileColumn, kRowColumn, present, inside)));
  SLUICE_TRY(parts.counts.removed, temp.Count("FROM " + temp.Name("gone")));
  if (parts.counts.read == 0 && parts.counts.removed == 0 && !plan.schema_changed) return NoChange(plan, parts.counts);

  SLUICE_TRY(const auto change, RowChange::Start(target, connection, plan, options, temp.Name("gone")));
  SLUICE_CHECK(change->Put(fmt::format("SELECT {} FROM {}", Columns("", columns), temp.Name("src")), Arrival::kInsert));
  parts.operation = "WRITE";
  parts.parameters = {{"mode", delta::JsonString("Overwrite")}, {"predicate", delta::JsonString(inside)}};
  return change->Finish(std::move(parts));
}

}  // namespace sluice::tables
