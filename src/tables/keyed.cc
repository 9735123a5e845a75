#include "tables/keyed.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "contract/arrow_types.h"
#include "core/counted.h"
#include "core/text.h"
#include "delta/path.h"
#include "tables/conform.h"
#include "tables/generated.h"

namespace sluice::tables {

TempTables::TempTables(engines::Connection& connection, const StageOptions& options)
    : connection_(connection), prefix_("sluice_" + Hex(RandomOf(options).Next()) + "_") {}

TempTables::~TempTables() {
  for (const std::string& name : created_) (void)connection_.Execute("DROP TABLE IF EXISTS " + name);
}

Status TempTables::Create(const std::string& suffix, const std::string& select, const std::vector<engines::Parameter>& params) {
  const std::string sql = fmt::format("CREATE TEMP TABLE {} AS {}", Name(suffix), select);
  SLUICE_TRY([[maybe_unused]] const auto rows, connection_.Scalar(sql, params));
  created_.push_back(Name(suffix));
  return Ok();
}

Status TempTables::Insert(const std::string& suffix, const std::string& select, const std::vector<engines::Parameter>& params) {
  SLUICE_TRY([[maybe_unused]] const auto rows, connection_.Scalar(fmt::format("INSERT INTO {} {}", Name(suffix), select), params));
  return Ok();
}

Result<int64_t> TempTables::Count(const std::string& select) {
  SLUICE_TRY(const auto count, connection_.Scalar(fmt::format("SELECT count(*) FROM ({})", select)));
  return std::stoll(count.value_or("0"));
}

Result<std::string> TargetRows(const TableTarget& target, const TablePlan& plan, const std::vector<const delta::Add*>& files) {
  ScanOptions options;
  options.file_column = kFileColumn;
  options.row_column = kRowColumn;
  SLUICE_TRY(Scan scan, ScanFiles(*target.store, target.root, {plan.schema, plan.partition_columns, MappingOf(target), files}, options));
  return std::move(scan.sql);
}

delta::ColumnMapping MappingOf(const TableTarget& target) {
  return target.snapshot ? delta::ColumnMappingOf(target.snapshot->protocol, target.snapshot->metadata) : delta::ColumnMapping::kNone;
}

FileFacts FactsOf(const TableTarget& target, const TablePlan& plan) { return {plan.schema, plan.partition_columns, MappingOf(target)}; }

std::vector<const delta::Add*> FilesOf(const TableTarget& target) {
  std::vector<const delta::Add*> files;
  if (target.snapshot)
    for (const delta::Add& add : target.snapshot->files) files.push_back(&add);
  return files;
}

std::vector<const delta::Add*> FilesAt(const TableTarget& target, const std::vector<std::vector<std::optional<std::string>>>& locations) {
  std::set<std::string> wanted;
  for (const auto& row : locations) wanted.insert(row[0].value_or(""));
  auto files = FilesOf(target);
  std::erase_if(files, [&](const delta::Add* add) { return !wanted.contains(delta::FileLocation(*target.store, target.root, add->path)); });
  return files;
}

Result<std::vector<std::string>> KnownColumns(const contract::Schema& schema, const std::vector<std::string>& names,
                                              const std::string& what, const std::string& table) {
  std::vector<std::string> known;
  for (const std::string& name : names) {
    const contract::Field* field = schema.Find(name);
    if (field == nullptr)
      return Fail(UserError("unknown-column",
                            fmt::format("{} \"{}\" is not a column of {}{}", what, name, table, DidYouMean(name, schema.Names()))));
    known.push_back(field->name);
  }
  return known;
}

std::string TypedSource(const Source& source, const contract::Schema& schema, const std::vector<std::string>& columns,
                        const std::string& delete_when) {
  std::vector<std::string> items;
  for (const std::string& name : columns)
    items.push_back(fmt::format("CAST({0} AS {1}) AS {0}", QuoteIdentifier(name), schema.Find(name)->type.ToDuckDb()));
  const std::string typed = fmt::format("SELECT {} FROM ({})", Join(items, ", "), source.sql);
  const std::string deleted = delete_when.empty() ? "false" : fmt::format("coalesce(({}), false)", delete_when);
  return fmt::format("SELECT *, {} AS __deleted FROM ({})", deleted, typed);
}

Status CheckBrought(const TableTarget& target, const TablePlan& plan, engines::Connection& connection, const Source& source) {
  for (const contract::Field& field : plan.schema.fields) {
    if (target.schema.Find(field.name) == nullptr) continue;
    SLUICE_TRY(const auto generated, GeneratedOf(field, plan.schema));
    if (!generated) continue;
    const bool partition =
        std::find(plan.partition_columns.begin(), plan.partition_columns.end(), field.name) != plan.partition_columns.end();
    const contract::Schema columns{{*plan.schema.Find(generated->source), field}};
    SLUICE_TRY(const auto reader, connection.Query(TypedSource(source, columns, columns.Names(), ""), source.params));
    for (;;) {
      std::shared_ptr<arrow::RecordBatch> batch;
      if (const auto status = reader->ReadNext(&batch); !status.ok()) return Fail(engines::ReaderError(status));
      if (!batch) break;
      const auto schema = contract::ToArrow(columns);
      SLUICE_TRY(const auto from, Conform(batch->column(0), schema->field(0)->type(), generated->source));
      SLUICE_TRY(const auto given, Conform(batch->column(1), schema->field(1)->type(), field.name));
      SLUICE_CHECK(CheckGenerated(*generated, *from, *given, partition));
    }
  }
  return Ok();
}

std::string Columns(const std::string& alias, const std::vector<std::string>& names) {
  std::vector<std::string> items;
  for (const std::string& name : names) items.push_back((alias.empty() ? "" : alias + ".") + QuoteIdentifier(name));
  return Join(items, ", ");
}

std::string SameValues(const std::string& a, const std::string& b, const std::vector<std::string>& names) {
  std::vector<std::string> items;
  for (const std::string& name : names) items.push_back(fmt::format("{0}.{2} IS NOT DISTINCT FROM {1}.{2}", a, b, QuoteIdentifier(name)));
  return items.empty() ? "true" : Join(items, " AND ");
}

std::string SameKey(const std::string& a, const std::string& b, const std::vector<std::string>& key) {
  std::vector<std::string> items;
  for (const std::string& name : key) items.push_back(fmt::format("{0}.{2} = {1}.{2}", a, b, QuoteIdentifier(name)));
  return Join(items, " AND ");
}

std::string AnyNull(const std::vector<std::string>& names) {
  std::vector<std::string> items;
  for (const std::string& name : names) items.push_back(QuoteIdentifier(name) + " IS NULL");
  return items.empty() ? "false" : Join(items, " OR ");
}

Result<std::optional<std::string>> FirstKey(engines::Connection& connection, const std::vector<std::string>& key,
                                            const std::string& select) {
  SLUICE_TRY(const auto rows, connection.Rows(fmt::format("SELECT * FROM ({}) ORDER BY ALL LIMIT 1", select)));
  if (rows.empty()) return std::optional<std::string>();
  std::vector<std::string> parts;
  for (size_t i = 0; i < key.size(); ++i) parts.push_back(fmt::format("{} = {}", key[i], rows[0][i].value_or("NULL")));
  return std::optional<std::string>(Join(parts, ", "));
}

Status CheckKeys(engines::Connection& connection, const TableTarget& target, const std::vector<std::string>& key,
                 const std::string& table) {
  SLUICE_TRY(const auto nulls, connection.Scalar(fmt::format("SELECT count(*) FROM {} WHERE {}", table, AnyNull(key))));
  if (nulls.value_or("0") == "0") return Ok();
  SLUICE_TRY(const auto first, FirstKey(connection, key, fmt::format("SELECT {} FROM {} WHERE {}", Columns("", key), table, AnyNull(key))));
  return Fail(DataError("null-key", fmt::format("{}: {} NULL in the key, the first with {}", target.name,
                                                Counted(std::stoll(*nulls), "row has", "rows have"), first.value_or(""))));
}

}  // namespace sluice::tables
