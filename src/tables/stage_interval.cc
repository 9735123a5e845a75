// interval: exactly the rows of the given windows are replaced.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/keyed.h"

namespace sluice::tables {
namespace {

std::string InWindows(const IntervalSpec& spec, const contract::Field& column) {
  const auto literal = [&](const std::string& text) { return fmt::format("CAST({} AS {})", QuoteLiteral(text), column.type.ToDuckDb()); };
  std::vector<std::string> parts;
  for (const Window& window : spec.windows)
    parts.push_back(fmt::format("({0} >= {1} AND {0} < {2})", QuoteIdentifier(column.name), literal(window.from), literal(window.to)));
  return parts.empty() ? "false" : "(" + Join(parts, " OR ") + ")";
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
      DataError("row-outside-window", fmt::format("{}: {} rows lie outside the windows {}, the first with {} = {}", target.name,
                                                  *outside[0][1], Text(spec), column, outside[0][0].value_or("NULL")))
          .Hint(fmt::format("filter the model by $window_start and $window_end: {0} >= $window_start AND {0} < $window_end", column)));
}

}  // namespace

Result<StagedChange> StageInterval(const TableTarget& target, engines::Connection& connection, const Source& source,
                                   const IntervalSpec& spec, const StageOptions& options) {
  SLUICE_TRY(TablePlan plan, PlanTable(target, Freedom::kEvolve, options));
  const auto columns = plan.InputColumns();
  SLUICE_TRY(const auto column, KnownColumns(plan.schema, {spec.column}, "interval column"));
  const std::string inside = InWindows(spec, *plan.schema.Find(column[0]));
  TempTables temp(connection, options);
  SLUICE_CHECK(temp.Create("src", TypedSource(source, plan.schema, columns, ""), source.params));
  SLUICE_CHECK(RefuseOutside(target, connection, spec, column[0], temp.Name("src"), inside));

  CommitParts parts;
  SLUICE_TRY(parts.counts.read, temp.Count("FROM " + temp.Name("src")));
  parts.counts.added = parts.counts.read;
  SLUICE_TRY(const std::string present, TargetRows(target, plan, FilesOf(target)));
  SLUICE_TRY(const auto touched,
             connection.Rows(fmt::format("SELECT {0}, count(*) FROM {1} WHERE {2} GROUP BY {0}", kFileColumn, present, inside)));
  for (const auto& row : touched) parts.counts.removed += std::stoll(*row[1]);
  parts.removed = plan.widened.empty() ? FilesNamed(target, touched) : FilesOf(target);
  if (parts.counts.read == 0 && parts.removed.empty() && !plan.schema_changed) return NoChange(plan, parts.counts);

  SLUICE_TRY(const auto writer, RowWriter::Open(target, plan, options));
  SLUICE_TRY(const std::string rewritten, TargetRows(target, plan, parts.removed));
  SLUICE_TRY(const auto kept,
             connection.Query(fmt::format("SELECT {} FROM {} WHERE {} IS NOT TRUE", Columns("", columns), rewritten, inside)));
  SLUICE_TRY([[maybe_unused]] const int64_t old_rows, writer->WriteAll(*kept));
  SLUICE_TRY(const auto fresh, connection.Query(fmt::format("SELECT {} FROM {}", Columns("", columns), temp.Name("src"))));
  SLUICE_TRY([[maybe_unused]] const int64_t new_rows, writer->WriteAll(*fresh));
  SLUICE_TRY(parts.added, writer->Finish());
  parts.reads = delta::ReadScope::kWholeTable;
  parts.operation = "WRITE";
  parts.parameters = {{"mode", delta::JsonString("Overwrite")}, {"predicate", delta::JsonString(inside)}};
  return MakeChange(target, std::move(plan), std::move(parts), options);
}

}  // namespace sluice::tables
