// query, ls, show, compile, table history|show: looking without changing.
#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/text.h"
#include "core/time.h"
#include "run/model_plan.h"
#include "run/model_stage.h"
#include "run/report.h"
#include "run/validate.h"
#include "state/batch.h"
#include "tables/history.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;
constexpr int64_t kTableRows = 100;

const char* KindOf(const plan::Node& node) { return node.source ? "source" : node.seed ? "seed" : "model"; }
const char* StoreOf(const plan::Node& node) {
  static constexpr const char* kStores[] = {"view", "table", "append", "merge", "scd2", "interval"};
  if (node.model) return kStores[static_cast<int>(node.model->store)];
  if (node.source) return node.source->load == project::Load::kFull ? "full" : "append";
  return "seed";
}

// The project's SQL lowered onto the newest versions.
Result<std::string> LowerQuery(run::Session& session, const std::string& sql) {
  SLUICE_TRY(const engines::SqlTree tree, session.sql().Tree(sql, "query"));
  Diagnostics diagnostics;
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  for (const auto& use : tree.uses()) {
    if (use.mode == engines::UseMode::kThis || use.mode == engines::UseMode::kBatch)
      diagnostics.Add(UserError("unknown-table", fmt::format("`{}` has no meaning here: name a table", use.id())).At(use.where));
    else if (graph->Find(use.schema + "." + use.name) == nullptr)
      diagnostics.Add(UserError("unknown-table", fmt::format("no table {} in this project{}", use.id(),
                                                             DidYouMean(use.schema + "." + use.name, graph->Tables())))
                          .At(use.where)
                          .Hint("`sluice ls` lists them"));
  }
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  SLUICE_TRY(const run::Relations relations, run::RelationsFor(session, run::RunPins(session), tree.uses(), nullptr, {}));
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  const auto params = run::ParametersIn(tree.CanonicalSql(), session.Parameters(session.clock().Now()));
  const auto bound = frontend->Bind(tree, relations.schemas, params, {.named_output = false});
  // A result that can't be stored can still be shown.
  static const std::set<std::string> kOnlyForTables = {"untyped-null", "unsupported-type"};
  if (!bound && !kOnlyForTables.contains(bound.error().code)) return Fail(bound.error());
  return run::LowerSql(session, tree, relations);
}

void WriteCsvCell(std::ostream& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos && !text.empty()) {
    out << text;
    return;
  }
  out << '"';
  for (char c : text) out << (c == '"' ? "\"\"" : std::string(1, c));
  out << '"';
}

// Streams rows of text columns; `row` gets each.
Status EachRow(arrow::RecordBatchReader& reader, const std::function<void(const std::vector<std::optional<std::string>>&)>& row) {
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const auto status = reader.ReadNext(&batch); !status.ok()) return Fail(UserError("sql", status.message()));
    if (!batch) return Ok();
    std::vector<std::optional<std::string>> cells(batch->num_columns());
    for (int64_t r = 0; r < batch->num_rows(); ++r) {
      for (int c = 0; c < batch->num_columns(); ++c) {
        const auto& column = static_cast<const arrow::StringArray&>(*batch->column(c));
        cells[c] = column.IsNull(r) ? std::nullopt : std::optional<std::string>(column.GetString(r));
      }
      row(cells);
    }
  }
}

bool IsNumber(const std::string& duckdb_type) {
  static const std::vector<std::string> kNumbers = {"TINYINT",   "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT",
                                                    "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT",  "DOUBLE"};
  return duckdb_type.starts_with("DECIMAL") || std::find(kNumbers.begin(), kNumbers.end(), duckdb_type) != kNumbers.end();
}

Result<int> WriteParquet(Context& context, engines::Connection& connection, const std::string& sql,
                         const std::vector<engines::Parameter>& params, const std::string& path) {
  if (path.empty()) return Fail(UserError("needs-out", "--format parquet writes a file").Hint("add --out FILE"));
  SLUICE_TRY(const auto rows,
             connection.Scalar(fmt::format("COPY ({}) TO {} (FORMAT parquet, COMPRESSION zstd)", sql, QuoteLiteral(path)), params));
  context.io.err << "wrote " << rows.value_or("0") << " rows to " << path << "\n";
  return kDone;
}

Result<int> RunQuery(Context& context, const QueryArgs& args) {
  static const std::vector<std::string> kFormats = {"table", "csv", "json", "parquet"};
  const std::string format = context.globals.json ? "json" : args.format;
  if (std::find(kFormats.begin(), kFormats.end(), format) == kFormats.end())
    return Fail(UserError("unknown-format", fmt::format("--format {} is not known{}", format, DidYouMean(format, kFormats)))
                    .Hint("one of table, csv, json, parquet"));
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(std::string sql, LowerQuery(*session, args.sql));
  SLUICE_TRY(const engines::SqlTree tree, session->sql().Tree(args.sql, "query"));
  auto params = session->Parameters(session->clock().Now());
  std::erase_if(params, [&](const auto& p) {
    return std::find(tree.parameters().begin(), tree.parameters().end(), p.name) == tree.parameters().end();
  });
  SLUICE_TRY(engines::DuckDb * db, session->db());
  SLUICE_TRY(const auto connection, db->Connect());
  if (args.limit > 0) sql = fmt::format("SELECT * FROM ({}) LIMIT {}", sql, args.limit);
  if (format == "parquet") return WriteParquet(context, *connection, sql, params, args.out);
  std::ostream& out = context.io.out;
  if (format == "json") {
    SLUICE_TRY(const auto reader, connection->Query(fmt::format("SELECT CAST(to_json(q) AS VARCHAR) AS line FROM ({}) AS q", sql), params));
    SLUICE_CHECK(EachRow(*reader, [&](const auto& cells) { out << cells[0].value_or("null") << "\n"; }));
    return kDone;
  }
  SLUICE_TRY(const auto columns, connection->Describe(sql, params));
  std::vector<std::string> header;
  std::vector<bool> numeric;
  for (const auto& column : columns) {
    header.push_back(column.name);
    numeric.push_back(IsNumber(column.duckdb_type));
  }
  SLUICE_TRY(const auto reader, connection->Query(fmt::format("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({})", sql), params));
  if (format == "csv") {
    for (size_t i = 0; i < header.size(); ++i) {
      if (i) out << ',';
      WriteCsvCell(out, header[i]);
    }
    out << '\n';
    SLUICE_CHECK(EachRow(*reader, [&](const auto& cells) {
      for (size_t i = 0; i < cells.size(); ++i) {
        if (i) out << ',';
        if (cells[i]) WriteCsvCell(out, *cells[i]);
      }
      out << '\n';
    }));
    return kDone;
  }
  std::vector<std::vector<std::optional<std::string>>> rows;
  int64_t total = 0;
  const int64_t most = args.limit > 0 ? args.limit : kTableRows;
  SLUICE_CHECK(EachRow(*reader, [&](const auto& cells) {
    if (total++ < most) rows.push_back(cells);
  }));
  out << RenderTable(header, rows, numeric);
  if (total > most) context.io.err << fmt::format("{} of {} rows shown: --limit N, or --format csv for all\n", most, total);
  return kDone;
}

Result<int> ListNodes(Context& context, const SelectArgs& args) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const auto nodes, SelectNodes(*session, args));
  SLUICE_TRY(const plan::Graph* graph, session->graph());
  ordered_json json = ordered_json::array();
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const size_t i : nodes) {
    const plan::Node& node = graph->nodes[i];
    const auto& properties = node.properties();
    const std::vector<std::string> tags(properties.tags.begin(), properties.tags.end());
    if (context.globals.json)
      json.push_back({{"table", node.table},
                      {"kind", KindOf(node)},
                      {"store", StoreOf(node)},
                      {"inputs", node.inputs},
                      {"tags", tags},
                      {"owner", properties.owner},
                      {"file", node.where().file},
                      {"description", properties.description}});
    else
      rows.push_back({node.table, KindOf(node), StoreOf(node), Join(tags, ","), node.where().file});
  }
  if (context.globals.json)
    context.io.out << json.dump(2) << "\n";
  else
    context.io.out << RenderTable({"node", "kind", "store", "tags", "file"}, rows);
  return kDone;
}

Result<int> ShowNode(Context& context, const std::string& name) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const plan::Node* node, FindNode(*session, name));
  SLUICE_TRY(const plan::Graph* graph, session->graph());
  const auto& properties = node->properties();
  ordered_json json = {{"table", node->table}, {"kind", KindOf(*node)}, {"store", StoreOf(*node)}, {"file", node->where().file}};
  if (!properties.description.empty()) json["description"] = properties.description;
  if (!properties.owner.empty()) json["owner"] = properties.owner;
  if (!properties.tags.empty()) json["tags"] = properties.tags;
  json["reads"] = node->inputs;
  std::vector<std::string> read_by;
  for (const size_t i : graph->Downstream(graph->index.at(node->table))) read_by.push_back(graph->nodes[i].table);
  json["read_by"] = read_by;
  const auto validated = run::Validate(*session, {graph->index.at(node->table)});
  if (validated)
    if (const auto at = validated->schemas.find(node->table); at != validated->schemas.end())
      for (const auto& field : at->second.fields) json["columns"].push_back({{"name", field.name}, {"type", field.type.ToString()}});
  for (const auto& check : node->source ? node->source->checks : node->model ? node->model->checks : std::vector<project::Check>{})
    json["checks"].push_back(check.name);
  SLUICE_TRY(const auto snapshot, session->Pin(node->table));
  if (snapshot) json["version"] = snapshot->version;
  SLUICE_TRY(const auto batches, state::History(session->lake(), node->table, 5));
  for (const auto& batch : batches)
    json["batches"].push_back({{"n", batch.n},
                               {"attempts", batch.attempts},
                               {"state", batch.done    ? batch.done->abandoned ? "abandoned" : "done"
                                         : batch.ready ? "decided"
                                                       : "open"},
                               {"run", batch.ready ? batch.ready->run_id : ""}});
  if (context.globals.json) {
    context.io.out << json.dump(2) << "\n";
    return kDone;
  }
  for (const auto& [key, value] : json.items()) {
    if (key == "columns" || key == "batches") continue;
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (value.is_array()) {
      std::vector<std::string> parts;
      for (const auto& part : value) parts.push_back(part.is_string() ? part.get<std::string>() : part.dump());
      text = Join(parts, ", ");
    }
    context.io.out << fmt::format("{:<12} {}\n", key, text);
  }
  if (json.contains("columns")) {
    std::vector<std::vector<std::optional<std::string>>> rows;
    for (const auto& column : json["columns"]) rows.push_back({column["name"].get<std::string>(), column["type"].get<std::string>()});
    context.io.out << "\n" << RenderTable({"column", "type"}, rows);
  }
  if (json.contains("batches")) {
    std::vector<std::vector<std::optional<std::string>>> rows;
    for (const auto& batch : json["batches"])
      rows.push_back({batch["n"].dump(), batch["state"].get<std::string>(), batch["attempts"].dump(), batch["run"].get<std::string>()});
    context.io.out << "\n" << RenderTable({"batch", "state", "attempts", "run"}, rows);
  }
  if (!validated) return Report(context, validated.error());
  return kDone;
}

Result<int> CompileNode(Context& context, const std::string& name) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const plan::Node* node, FindNode(*session, name));
  if (node->model == nullptr) return Fail(UserError("no-sql", fmt::format("{} is a {}: it has no SQL", node->table, KindOf(*node))));
  SLUICE_TRY(const engines::SqlTree tree, session->sql().Tree(node->model->sql, node->model->sql_file));
  context.io.out << tree.CanonicalSql() << "\n";
  return kDone;
}

// A node's table in the lake, or a Delta table by its path.
struct FoundTable {
  std::unique_ptr<run::Session> session;
  std::unique_ptr<store::ObjectStore> own;
  store::ObjectStore* store = nullptr;
  std::string root, name;
};

Result<FoundTable> FindTable(Context& context, const std::string& name) {
  namespace fs = std::filesystem;
  FoundTable found;
  std::error_code ignored;
  if (fs::is_directory(fs::path(name) / "_delta_log", ignored)) {
    const fs::path path = fs::canonical(name, ignored);
    SLUICE_TRY(found.own, store::OpenStore(path.parent_path().string()));
    found.store = found.own.get();
    found.root = path.filename().string();
    found.name = name;
    return found;
  }
  SLUICE_TRY(found.session, OpenSession(context));
  SLUICE_TRY(const plan::Graph* graph, found.session->graph());
  found.name = name;
  if (!name.starts_with("quarantine.") || graph->Find(name) == nullptr) {
    SLUICE_TRY(const plan::Node* node, FindNode(*found.session, name));
    found.name = node->table;
  }
  found.store = &found.session->lake();
  found.root = run::Session::RootOf(found.name);
  return found;
}

Result<int> History(Context& context, const TableArgs& args) {
  SLUICE_TRY(const FoundTable table, FindTable(context, args.table));
  SLUICE_TRY(const auto entries, tables::History(*table.store, table.root, args.limit));
  ordered_json json = ordered_json::array();
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const auto& entry : entries) {
    const std::string when = FormatInstant({entry.timestamp * 1000});
    json.push_back({{"version", entry.version},
                    {"timestamp", when},
                    {"operation", entry.operation},
                    {"engine", entry.engine},
                    {"run", entry.run_id},
                    {"batch", entry.batch},
                    {"node", entry.node},
                    {"files_added", entry.files_added},
                    {"files_removed", entry.files_removed},
                    {"rows_added", entry.rows_added},
                    {"schema_changed", entry.schema_changed}});
    rows.push_back({std::to_string(entry.version), when, entry.operation, entry.batch, std::to_string(entry.files_added),
                    std::to_string(entry.files_removed),
                    entry.rows_added < 0 ? std::nullopt : std::optional(std::to_string(entry.rows_added)), entry.run_id});
  }
  if (context.globals.json)
    context.io.out << json.dump(2) << "\n";
  else
    context.io.out << RenderTable({"version", "timestamp", "operation", "batch", "files +", "files -", "rows +", "run"}, rows,
                                  {true, false, false, true, true, true, true, false});
  return kDone;
}

Result<int> ShowTable(Context& context, const TableArgs& args) {
  SLUICE_TRY(const FoundTable table, FindTable(context, args.table));
  SLUICE_TRY(const delta::Snapshot snapshot, delta::LoadSnapshot(*table.store, table.root, args.version));
  const tables::TableSummary summary = tables::Summarise(snapshot);
  ordered_json json = {{"table", table.name},
                       {"location", table.store->Uri(table.root)},
                       {"id", summary.id},
                       {"version", summary.version},
                       {"timestamp", FormatInstant({summary.timestamp * 1000})},
                       {"files", summary.files},
                       {"bytes", summary.bytes},
                       {"rows", summary.rows},
                       {"protocol", fmt::format("reader {} writer {}", summary.min_reader_version, summary.min_writer_version)},
                       {"features", summary.features},
                       {"partition_columns", summary.partition_columns},
                       {"partitions", summary.partitions},
                       {"properties", summary.properties}};
  for (const auto& field : summary.schema.fields)
    json["columns"].push_back({{"name", field.name}, {"type", field.type.ToString()}, {"nullable", field.nullable}});
  if (context.globals.json) {
    for (const auto& [app, txn] : snapshot.txns) json["transactions"][app] = txn.version;
    for (const auto& add : snapshot.files) json["data_files"].push_back({{"path", add.path}, {"size", add.size}});
    context.io.out << json.dump(2) << "\n";
    return kDone;
  }
  context.io.out << fmt::format(
      "table       {}\nlocation    {}\nversion     {} of {}\nrows        {}\nfiles       {} ({})\nprotocol    {}\n", table.name,
      table.store->Uri(table.root), summary.version, FormatInstant({summary.timestamp * 1000}),
      summary.rows < 0 ? "unknown" : FormatCount(summary.rows), FormatCount(summary.files), FormatBytes(summary.bytes),
      json["protocol"].get<std::string>());
  if (!summary.features.empty()) context.io.out << "features    " << Join(summary.features, ", ") << "\n";
  if (!summary.partition_columns.empty())
    context.io.out << fmt::format("partitions  {} by {}\n", summary.partitions, Join(summary.partition_columns, ", "));
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const auto& field : summary.schema.fields) rows.push_back({field.name, field.type.ToString(), field.nullable ? "" : "not null"});
  context.io.out << "\n" << RenderTable({"column", "type", ""}, rows);
  return kDone;
}

int Finish(Context& context, Result<int> result) { return result ? *result : Report(context, result.error()); }

}  // namespace

int Query(Context& context, const QueryArgs& args) { return Finish(context, RunQuery(context, args)); }
int List(Context& context, const SelectArgs& args) { return Finish(context, ListNodes(context, args)); }
int Show(Context& context, const std::string& node) { return Finish(context, ShowNode(context, node)); }
int Compile(Context& context, const std::string& node) { return Finish(context, CompileNode(context, node)); }
int TableHistory(Context& context, const TableArgs& args) { return Finish(context, History(context, args)); }
int TableShow(Context& context, const TableArgs& args) { return Finish(context, ShowTable(context, args)); }

}  // namespace sluice::cli
