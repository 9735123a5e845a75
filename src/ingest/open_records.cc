#include "ingest/open_records.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "contract/arrow_types.h"
#include "core/text.h"
#include "delta/path.h"
#include "ingest/quarantine.h"
#include "ingest/sinks.h"
#include "tables/conform.h"
#include "tables/scan.h"

namespace sluice::ingest {
namespace {

constexpr const char *kDataFile = "sluice_data_file", *kOutcomes = "sluice_outcomes", *kReadAgain = "sluice_read_again";

Status ForEachBatch(engines::Connection& connection, const std::string& sql,
                    const std::function<Status(const arrow::RecordBatch&)>& visit) {
  SLUICE_TRY(auto reader, connection.Query(sql));
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader->ReadNext(&batch); !status.ok()) return Fail(engines::ReaderError(status));
    if (batch == nullptr) return Ok();
    SLUICE_CHECK(visit(*batch));
  }
}

std::string Text(const arrow::RecordBatch& batch, int column, int64_t row) {
  const auto& array = static_cast<const arrow::BinaryArray&>(*batch.column(column));
  return array.IsNull(row) ? "" : array.GetString(row);
}

int64_t Number(const arrow::RecordBatch& batch, int column, int64_t row) {
  const auto& array = static_cast<const arrow::Int64Array&>(*batch.column(column));
  return array.IsNull(row) ? 0 : array.Value(row);
}

OpenRecord RecordAt(const arrow::RecordBatch& batch, int64_t row) {
  OpenRecord record;
  record.id = Text(batch, 0, row);
  record.raw = batch.column(1)->IsNull(row) ? Text(batch, 2, row) : Text(batch, 1, row);
  record.format = Text(batch, 3, row);
  record.file = Text(batch, 4, row);
  record.place = {Number(batch, 5, row), Number(batch, 6, row), Number(batch, 7, row)};
  record.batch = Number(batch, 8, row);
  record.data_file = Text(batch, 9, row);
  record.cut = static_cast<const arrow::BooleanArray&>(*batch.column(10)).GetView(row);
  return record;
}

std::string IdList(const std::vector<std::string>& ids) {
  std::vector<std::string> quoted;
  for (const std::string& id : ids) quoted.push_back(QuoteLiteral(id));
  return Join(quoted, ", ");
}

Status RequireAll(const std::vector<std::string>& ids, const std::vector<OpenRecord>& found) {
  std::set<std::string> open;
  for (const OpenRecord& record : found) open.insert(record.id);
  for (const std::string& id : ids) {
    if (open.contains(id)) continue;
    return Fail(UserError("no-such-quarantine-row", fmt::format("no open quarantine row has the id \"{}\"", id))
                    .Hint("`sluice quarantine show` lists the ids; rows already replayed or discarded stay as they are"));
  }
  return Ok();
}

// The outcomes as a relation: id, state, and the violations a refused row has now.
Status RegisterOutcomes(engines::Connection& connection, const std::vector<Outcome>& outcomes, const BatchIdentity& batch) {
  QuarantineRows found(batch, "");
  arrow::StringBuilder states;
  for (const Outcome& outcome : outcomes) {
    SLUICE_CHECK(found.Add({outcome.record->id, "", {}, outcome.violations}, "", ""));
    if (const auto status = states.Append(outcome.state); !status.ok()) return Fail(RetryableError("out-of-memory", status.ToString()));
  }
  SLUICE_TRY(const auto rows, found.Take());
  auto state = states.Finish();
  if (!state.ok()) return Fail(RetryableError("out-of-memory", state.status().ToString()));
  const auto& names = *rows->schema();
  const auto schema =
      arrow::schema({arrow::field("id", arrow::utf8()), arrow::field("state", arrow::utf8()), names.GetFieldByName("violations")});
  const auto table =
      arrow::RecordBatch::Make(schema, rows->num_rows(), {rows->GetColumnByName("id"), *state, rows->GetColumnByName("violations")});
  return connection.Register(kOutcomes, schema, {table});
}

using Rewritten = std::map<std::string, std::string, std::less<>>;  // column → SQL over q, where it is not as it was

// Each column of the table, as it is afterwards.
std::string RewriteSql(const contract::Schema& table, const std::string& relation, const std::string& join, const Rewritten& rewritten) {
  std::vector<std::string> items;
  for (const contract::Field& field : table.fields) {
    const auto found = rewritten.find(field.name);
    items.push_back((found != rewritten.end() ? found->second : "q." + QuoteIdentifier(field.name)) + " AS " + QuoteIdentifier(field.name));
  }
  return fmt::format("SELECT {} FROM {} AS q {}", Join(items, ", "), relation, join);
}

// When and by which batch the rows of `condition` left `open`.
void Resolve(const std::string& condition, const BatchIdentity& batch, Rewritten* rewritten) {
  (*rewritten)["resolved_at"] =
      fmt::format("CASE WHEN {} THEN make_timestamptz({}) ELSE q.resolved_at END", condition, batch.ingested_at.micros);
  (*rewritten)["resolved_batch"] = fmt::format("CASE WHEN {} THEN {} ELSE q.resolved_batch END", condition, batch.number);
}

// Writes what `sql` gives as the new files of `staged`, for the rows of `relation`: as many.
Status WriteAgain(engines::Connection& connection, const Environment& environment, const BatchIdentity& batch, const Target& quarantine,
                  const std::string& relation, const std::string& sql, StagedTable* staged) {
  TableSink::Options options{environment.lake, staged->root, {}, environment.random, 1};
  SLUICE_TRY(options.writer.rules, tables::RulesOf(quarantine.snapshot->protocol, quarantine.snapshot->metadata, &staged->schema));
  options.writer.schema = staged->schema;
  options.writer.partition_columns = staged->partition_columns;
  options.writer.file_prefix = batch.file_prefix();
  options.writer.memory_bytes = environment.budget.memory_bytes / 8;
  options.writer.scratch_dir = environment.budget.scratch_dir;
  TableSink sink(std::move(options));
  const auto wanted = contract::ToArrow(staged->schema);
  SLUICE_CHECK(ForEachBatch(connection, sql, [&](const arrow::RecordBatch& rows) -> Status {
    SLUICE_TRY(const auto conformed, tables::Conform(rows, wanted));
    return sink.Write(0, *conformed);
  }));
  SLUICE_TRY(staged->files, sink.Finish());
  SLUICE_TRY(const auto before, connection.Scalar("SELECT count(*) FROM " + relation));
  if (before == std::to_string(sink.rows_written())) return Ok();
  return Fail(BugError(fmt::format("rewriting {}: {} rows became {}; nothing is committed", staged->root, *before, sink.rows_written())));
}

// A quarantine table of which the data files at these places are to be written again.
StagedTable Touching(const Environment& environment, const Target& quarantine, const std::set<std::string>& data_files) {
  StagedTable staged;
  staged.root = quarantine.root;
  staged.schema = quarantine.snapshot->schema;
  staged.partition_columns = quarantine.snapshot->metadata.partition_columns;
  std::copy_if(
      quarantine.snapshot->files.begin(), quarantine.snapshot->files.end(), std::back_inserter(staged.removed),
      [&](const delta::Add& add) { return data_files.contains(delta::FileLocation(*environment.lake, quarantine.root, add.path)); });
  return staged;
}

Result<tables::Scan> ScanOf(const Environment& environment, const Target& quarantine, const StagedTable& touched) {
  tables::ScanOptions options;
  options.only = touched.removed;
  return tables::ScanFor(*environment.lake, quarantine.root, *quarantine.snapshot, options);
}

Status RegisterNames(engines::Connection& connection, const std::vector<std::string>& names) {
  arrow::StringBuilder builder;
  if (const auto status = builder.AppendValues(names); !status.ok()) return Fail(RetryableError("out-of-memory", status.ToString()));
  auto array = builder.Finish();
  if (!array.ok()) return Fail(RetryableError("out-of-memory", array.status().ToString()));
  const auto schema = arrow::schema({arrow::field("name", arrow::utf8())});
  return connection.Register(kReadAgain, schema, {arrow::RecordBatch::Make(schema, static_cast<int64_t>(names.size()), {*array})});
}

// SQL over q: an open row that comes again.
std::string ComesAgain(bool all) {
  return all ? "q.state = 'open'" : fmt::format("(q.state = 'open' AND q.file IN (SELECT name FROM {}))", kReadAgain);
}

// Data file → open rows in it that come again.
Result<std::map<std::string, int64_t>> OpenRowsByFile(engines::Connection& connection, store::ObjectStore& lake, const Target& quarantine,
                                                      bool all) {
  tables::ScanOptions options;
  options.file_column = kDataFile;
  options.columns = {"state", "file"};
  SLUICE_TRY(const tables::Scan scan, tables::ScanFor(lake, quarantine.root, *quarantine.snapshot, options));
  SLUICE_TRY(const auto rows, connection.Rows(fmt::format("SELECT {0}, count(*) FROM {1} AS q WHERE {2} GROUP BY {0}", kDataFile, scan.sql,
                                                          ComesAgain(all))));
  std::map<std::string, int64_t> open;
  for (const auto& row : rows) open[row[0].value_or("")] = std::stoll(row[1].value_or("0"));
  return open;
}

}  // namespace

Result<std::vector<OpenRecord>> SelectOpen(engines::Connection& connection, store::ObjectStore& lake, const Target& quarantine,
                                           const std::vector<std::string>& ids, const std::string& where) {
  if (quarantine.snapshot == nullptr) return std::vector<OpenRecord>{};
  tables::ScanOptions options;
  options.file_column = kDataFile;
  SLUICE_TRY(const tables::Scan scan, tables::ScanFor(lake, quarantine.root, *quarantine.snapshot, options));
  std::string condition = "state = 'open'";
  if (!ids.empty()) condition += " AND id IN (" + IdList(ids) + ")";
  const std::string columns = std::string("id, record, record_bytes, format, file, \"row\", line, byte_offset, _batch_id, ") + kDataFile +
                              ", coalesce(list_contains([v.column || '.' || v.rule FOR v IN violations], '.length'), false)";
  const auto sql = [&](const std::string& predicate) {
    return fmt::format("SELECT {} FROM {} AS q WHERE {}{} ORDER BY _batch_id, file, \"row\"", columns, scan.sql, condition,
                       predicate.empty() ? "" : " AND (" + predicate + ")");
  };
  if (!where.empty()) {
    if (auto bound = connection.Describe(sql(where)); !bound) {
      return Fail(UserError("bad-predicate", fmt::format("the predicate ({}) cannot be evaluated: {}", where, bound.error().message))
                      .Hint("it is SQL over the columns of the quarantine table: id, record, file, row, line, violations, _run_id, …"));
    }
  }
  std::vector<OpenRecord> records;
  SLUICE_CHECK(ForEachBatch(connection, sql(where), [&](const arrow::RecordBatch& batch) -> Status {
    for (int64_t row = 0; row < batch.num_rows(); ++row) records.push_back(RecordAt(batch, row));
    return Ok();
  }));
  if (where.empty()) SLUICE_CHECK(RequireAll(ids, records));
  return records;
}

Result<StagedTable> RewriteQuarantine(engines::Connection& connection, const Environment& environment, const Target& quarantine,
                                      const BatchIdentity& batch, const std::vector<Outcome>& outcomes) {
  std::set<std::string> touched;
  for (const Outcome& outcome : outcomes) touched.insert(outcome.record->data_file);
  StagedTable staged = Touching(environment, quarantine, touched);
  if (outcomes.empty()) return staged;
  SLUICE_TRY(const tables::Scan scan, ScanOf(environment, quarantine, staged));
  SLUICE_CHECK(RegisterOutcomes(connection, outcomes, batch));
  Rewritten rewritten;
  rewritten["state"] = "coalesce(o.state, q.state)";
  rewritten["violations"] = "CASE WHEN o.state = 'open' THEN o.violations ELSE q.violations END";
  Resolve("o.state <> 'open'", batch, &rewritten);
  const std::string join = fmt::format("LEFT JOIN {} AS o ON q.id = o.id", kOutcomes);
  SLUICE_CHECK(
      WriteAgain(connection, environment, batch, quarantine, scan.sql, RewriteSql(staged.schema, scan.sql, join, rewritten), &staged));
  SLUICE_CHECK(connection.Unregister(kOutcomes));
  return staged;
}

Result<Superseded> Supersede(engines::Connection& connection, const Environment& environment, const Target& quarantine,
                             const BatchIdentity& batch, const std::vector<std::string>* file_names) {
  const bool all = file_names == nullptr;
  if (!all) SLUICE_CHECK(RegisterNames(connection, *file_names));
  SLUICE_TRY(const auto open, OpenRowsByFile(connection, *environment.lake, quarantine, all));
  if (open.empty()) return Superseded{};
  Superseded result;
  std::set<std::string> touched;
  for (const auto& [data_file, rows] : open) {
    touched.insert(data_file);
    result.rows += rows;
  }
  StagedTable staged = Touching(environment, quarantine, touched);
  SLUICE_TRY(const tables::Scan scan, ScanOf(environment, quarantine, staged));
  Rewritten rewritten;
  rewritten["state"] = fmt::format("CASE WHEN {} THEN 'superseded' ELSE q.state END", ComesAgain(all));
  Resolve(ComesAgain(all), batch, &rewritten);
  SLUICE_CHECK(
      WriteAgain(connection, environment, batch, quarantine, scan.sql, RewriteSql(staged.schema, scan.sql, "", rewritten), &staged));
  result.files = std::move(staged.files);
  result.removed = std::move(staged.removed);
  return result;
}

}  // namespace sluice::ingest
