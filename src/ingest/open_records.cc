#include "ingest/open_records.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "contract/arrow_types.h"
#include "core/text.h"
#include "ingest/quarantine.h"
#include "ingest/sinks.h"
#include "tables/conform.h"
#include "tables/scan.h"

namespace sluice::ingest {
namespace {

constexpr const char* kDataFile = "sluice_data_file";

Status ForEachBatch(engines::Connection& connection, const std::string& sql,
                    const std::function<Status(const arrow::RecordBatch&)>& visit) {
  SLUICE_TRY(auto reader, connection.Query(sql));
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader->ReadNext(&batch); !status.ok()) return Fail(DataError("sql", status.message()));
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
  std::vector<RefusedRecord> records;
  arrow::StringBuilder states;
  for (const Outcome& outcome : outcomes) {
    records.push_back({outcome.record->id, "", {}, outcome.violations});
    if (const auto status = states.Append(outcome.state); !status.ok()) return Fail(RetryableError("out-of-memory", status.ToString()));
  }
  SLUICE_TRY(const auto rows, QuarantineRows(records, "", "", "", batch));
  auto state = states.Finish();
  if (!state.ok()) return Fail(RetryableError("out-of-memory", state.status().ToString()));
  const auto& names = *rows->schema();
  const auto schema =
      arrow::schema({arrow::field("id", arrow::utf8()), arrow::field("state", arrow::utf8()), names.GetFieldByName("violations")});
  const auto table =
      arrow::RecordBatch::Make(schema, rows->num_rows(), {rows->GetColumnByName("id"), *state, rows->GetColumnByName("violations")});
  return connection.Register("sluice_outcomes", schema, {table});
}

// Each column of the table, as it is after the outcomes.
std::string RewriteSql(const contract::Schema& table, const std::string& relation, const BatchIdentity& batch) {
  std::vector<std::string> items;
  for (const contract::Field& field : table.fields) {
    const std::string name = QuoteIdentifier(field.name);
    std::string item = "q." + name;
    if (field.name == "state") item = "coalesce(o.state, q.state)";
    if (field.name == "violations") item = "CASE WHEN o.state = 'open' THEN o.violations ELSE q.violations END";
    if (field.name == "resolved_at")
      item = fmt::format("CASE WHEN o.state <> 'open' THEN make_timestamptz({}) ELSE q.resolved_at END", batch.ingested_at.micros);
    if (field.name == "resolved_batch") item = fmt::format("CASE WHEN o.state <> 'open' THEN {} ELSE q.resolved_batch END", batch.number);
    items.push_back(item + " AS " + name);
  }
  return fmt::format("SELECT {} FROM {} AS q LEFT JOIN sluice_outcomes AS o ON q.id = o.id", Join(items, ", "), relation);
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
  const std::string columns = std::string("id, record, record_bytes, format, file, \"row\", line, byte_offset, _batch_id, ") + kDataFile;
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
  StagedTable staged;
  staged.root = quarantine.root;
  staged.schema = quarantine.snapshot->schema;
  staged.partition_columns = quarantine.snapshot->metadata.partition_columns;
  if (outcomes.empty()) return staged;
  std::set<std::string> touched;
  for (const Outcome& outcome : outcomes) touched.insert(outcome.record->data_file);
  for (const delta::Add& add : quarantine.snapshot->files) {
    if (touched.contains(add.path)) staged.removed.push_back(add);
  }
  tables::ScanOptions options;
  options.only = staged.removed;
  SLUICE_TRY(const tables::Scan scan, tables::ScanFor(*environment.lake, quarantine.root, *quarantine.snapshot, options));
  SLUICE_CHECK(RegisterOutcomes(connection, outcomes, batch));
  TableSink::Options sink_options{environment.lake, quarantine.root, {}, environment.random, 1};
  sink_options.writer.schema = staged.schema;
  sink_options.writer.partition_columns = staged.partition_columns;
  sink_options.writer.file_prefix = batch.file_prefix();
  sink_options.writer.memory_bytes = environment.budget.memory_bytes / 8;
  sink_options.writer.scratch_dir = environment.budget.scratch_dir;
  TableSink sink(std::move(sink_options));
  const auto wanted = contract::ToArrow(staged.schema);
  SLUICE_CHECK(ForEachBatch(connection, RewriteSql(staged.schema, scan.sql, batch), [&](const arrow::RecordBatch& rows) -> Status {
    SLUICE_TRY(const auto conformed, tables::Conform(rows, wanted));
    return sink.Write(0, *conformed);
  }));
  SLUICE_TRY(staged.files, sink.Finish());
  SLUICE_CHECK(connection.Unregister("sluice_outcomes"));
  SLUICE_TRY(const auto before, connection.Scalar("SELECT count(*) FROM " + scan.sql));
  if (before != std::to_string(sink.rows_written())) {
    return Fail(
        BugError(fmt::format("rewriting {}: {} rows became {}; nothing is committed", quarantine.root, *before, sink.rows_written())));
  }
  return staged;
}

}  // namespace sluice::ingest
