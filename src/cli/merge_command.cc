// table merge: MERGE INTO a table, from a SELECT, a file or another table.
#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "cli/foreign_change.h"
#include "cli/query_sql.h"
#include "cli/table_args.h"
#include "core/text.h"
#include "run/missing_file.h"
#include "tables/assignments.h"
#include "tables/generated.h"
#include "tables/statement_text.h"

namespace sluice::cli {
namespace {

using When = tables::MergeClause::When;
using Then = tables::MergeClause::Then;
namespace fs = std::filesystem;

bool IsSelect(const std::string& text) {
  const std::string_view trimmed = Trim(text);
  if (trimmed.starts_with('(')) return true;
  const std::string word = ToLower(trimmed.substr(0, trimmed.find_first_of(" \t\r\n")));
  return trimmed.size() > word.size() && (word == "select" || word == "with" || word == "from" || word == "values");
}

// How DuckDB reads a file of this name, all of a CSV as text; "" for a name that says nothing.
std::string ReaderOf(const std::string& path) {
  std::string name = ToLower(path);
  for (const std::string_view packed : {".gz", ".zst"})
    if (name.ends_with(packed)) name.resize(name.size() - packed.size());
  const std::string quoted = QuoteLiteral(path);
  if (name.ends_with(".csv") || name.ends_with(".tsv")) return fmt::format("read_csv({}, all_varchar = true, header = true)", quoted);
  if (name.ends_with(".parquet")) return fmt::format("read_parquet({})", quoted);
  for (const std::string_view ending : {".json", ".ndjson", ".jsonl"})
    if (name.ends_with(ending)) return fmt::format("read_json({})", quoted);
  return "";
}

class Merging {
 public:
  Merging(Context& context, const MergeArgs& args) : context_(context), args_(args) {}

  Result<int> Run() {
    SLUICE_CHECK(ReadClauses());
    SLUICE_TRY(table_, FindTable(context_, args_.table, Needs::kProject));
    SLUICE_CHECK(AllowChange(context_, table_, args_.yes));
    SLUICE_TRY(target_, TargetOf(table_));
    SLUICE_TRY(connection_, Connect(table_));
    SLUICE_CHECK(FindSource());
    SLUICE_CHECK(DescribeSource());
    SLUICE_CHECK(ReadOn());
    const TableOperation operation(table_, "merge");
    for (tables::MergeClause& clause : statement_.clauses) SLUICE_CHECK(Complete(clause, operation.id()));
    auto change = tables::StageMergeStatement(target_, *connection_, source_, statement_, operation.Options());
    if (!change && change.error().code == "sql") SLUICE_CHECK(NameBadText());
    if (!change) return Fail(run::ExplainUnreadable(*table_.session, WithoutOurSql(std::move(change).error()), reads_));
    if (!change->empty) WarnOfRuns(context_, table_);
    return CommitAndTell(context_, table_, operation, target_, *change);
  }

 private:
  Status ReadClauses() {
    for (const std::string& text : args_.when) {
      auto clauses = tables::ParseMergeClauses(text);
      if (!clauses) return Fail(std::move(clauses).error());
      statement_.clauses.insert(statement_.clauses.end(), clauses->begin(), clauses->end());
    }
    return Ok();
  }

  // ---- the source

  Status FindSource() {
    const std::string& text = args_.source;
    std::error_code ignored;
    if (const std::string path = PlaceOf(context_, text); !IsSelect(text) && fs::is_regular_file(path, ignored)) return ReadFile(path);
    std::string sql = text;
    if (!IsSelect(text)) {
      SLUICE_TRY(sql, SelectFrom(text));
    }
    auto query = LowerQuery(context_, *table_.session, sql);
    if (!query) return Fail(std::move(query).error());
    source_ = {std::move(query->sql), std::move(query->params)};
    reads_ = std::move(query->tables);
    return Ok();
  }

  // What a file has as text becomes what the table's column of that name is.
  Status ReadFile(const std::string& path) {
    const std::string reader = ReaderOf(path);
    if (reader.empty())
      return Fail(UserError("unknown-format", fmt::format("--using {}: the name does not say how it is to be read", args_.source))
                      .Hint("files end with .csv, .tsv, .parquet, .json, .ndjson or .jsonl, and perhaps .gz"));
    auto columns = connection_->Describe("FROM " + reader);
    if (!columns) return Fail(UserError("unreadable-file", fmt::format("--using {}: {}", args_.source, columns.error().message)));
    reader_ = reader;
    std::vector<std::string> items;
    for (const auto& column : *columns) {
      const contract::Field* field = target_.schema.Find(column.name);
      const std::string name = QuoteIdentifier(column.name);
      const bool is_text = column.duckdb_type == "VARCHAR";
      // What is no text and would be rounded is refused where it is set.
      if (field == nullptr || (!is_text && field->type.is_integer())) {
        items.push_back(name);
        continue;
      }
      const std::string value = is_text ? ExactText(name, field->type) : name;
      items.push_back(fmt::format("CAST({} AS {}) AS {}", value, field->type.ToDuckDb(), name));
      if (is_text && field->type.kind != contract::TypeKind::kString) texts_.push_back(field);
    }
    source_.sql = fmt::format("SELECT {} FROM {}", Join(items, ", "), reader);
    return Ok();
  }

  // A text of a fraction becomes one that is no number where DuckDB would round it.
  static std::string ExactText(const std::string& name, const contract::DataType& type) {
    if (!type.is_integer()) return name;
    return fmt::format("CASE WHEN TRY_CAST({0} AS DOUBLE) <> trunc(TRY_CAST({0} AS DOUBLE)) THEN '~' || {0} ELSE {0} END", name);
  }

  // Fails with the first record of the file that has a text which its column's type does not have.
  Status NameBadText() {
    for (const contract::Field* field : texts_) {
      const std::string name = QuoteIdentifier(field->name);
      const auto rows = connection_->Rows(
          fmt::format("SELECT n, x FROM (SELECT row_number() OVER () AS n, {0} AS x, {1} AS exact FROM {2}) WHERE x IS NOT "
                      "NULL AND TRY_CAST(exact AS {3}) IS NULL ORDER BY n LIMIT 1",
                      name, ExactText(name, field->type), reader_, field->type.ToDuckDb()));
      if (!rows || rows->empty()) continue;
      return Fail(DataError("bad-text",
                            fmt::format("--using {}: record {}: column \"{}\" is {}, which \"{}\" is not", args_.source,
                                        rows->front()[0].value_or(""), field->name, field->type.ToString(), rows->front()[1].value_or("")))
                      .Hint("records are counted from 1, the header not among them"));
    }
    return Ok();
  }

  // A table of the project, or one by path.
  Result<std::string> SelectFrom(const std::string& name) {
    const bool is_path = name.find('/') != std::string::npos;
    if (is_path && ReaderOf(name).empty()) return fmt::format("SELECT * FROM delta_scan({})", QuoteLiteral(name));
    const size_t dot = name.find('.');
    if (dot == std::string::npos || !ReaderOf(name).empty())
      return Fail(UserError("bad-source", fmt::format("--using {}: neither a SELECT, a file that is there, nor a table", name))
                      .Hint("as \"SELECT …\", fixes.csv, silver.fixes or ./path/of/table"));
    return fmt::format("SELECT * FROM {}.{}", QuoteIdentifier(name.substr(0, dot)), QuoteIdentifier(name.substr(dot + 1)));
  }

  Status DescribeSource() {
    auto columns = connection_->Describe(source_.sql, source_.params);
    if (!columns) return Fail(std::move(columns).error());
    // Only the names count here; types that no table has are no matter.
    for (const auto& column : *columns) {
      const auto type = engines::NormaliseType(column.duckdb_type);
      source_schema_.fields.push_back({column.name, type ? *type : contract::DataType::Of(contract::TypeKind::kString), true, {}});
    }
    return Ok();
  }

  // ---- the statement

  Status ReadOn() {
    const auto names = tables::ParseNames(args_.on);
    if (!names) {
      statement_.on = args_.on;
      return Check("--on", args_.on, true);
    }
    statement_.match = *names;
    for (const std::string& name : *names)
      for (const auto& [schema, whose] : {std::pair(&target_.schema, table_.name), std::pair(&source_schema_, std::string("the source"))})
        if (schema->Find(name) == nullptr)
          return Fail(UserError("unknown-column",
                                fmt::format("--on {}: {} has no column \"{}\"{}", args_.on, whose, name, DidYouMean(name, schema->Names())))
                          .Hint("name columns that both have, or write a condition: target.id = source.order_id"));
    return Ok();
  }

  // A clause sees the row of the table, the row of the source, or both.
  Status Check(const std::string& option, const std::string& sql, bool is_condition, When when = When::kMatched) {
    std::vector<NamedSchema> seen;
    if (when != When::kNotMatched) seen.push_back({"target", target_.schema});
    if (when != When::kNotMatchedBySource) seen.push_back({"source", source_schema_});
    return CheckExpression(table_, *connection_, option, sql, seen, is_condition);
  }

  // `*` becomes the columns that it stands for, and everything is looked at before the work begins.
  Status Complete(tables::MergeClause& clause, const std::string& operation_id) {
    if (!clause.condition.empty()) SLUICE_CHECK(Check("--when", clause.condition, true, clause.when));
    if (clause.then == Then::kDelete) return Ok();
    if (clause.set.empty() && clause.when != When::kNotMatchedBySource) SLUICE_CHECK(FillIn(clause, operation_id));
    for (const tables::Assignment& one : clause.set) {
      SLUICE_CHECK(CheckColumn("--when", one.column, table_, target_.schema));
      SLUICE_CHECK(Check("--when: " + tables::PathOf(one) + " =", one.value, false, clause.when));
    }
    return Ok();
  }

  Status FillIn(tables::MergeClause& clause, const std::string& operation_id) {
    for (const contract::Field& field : target_.schema.fields) {
      if (tables::IsGenerated(field)) {
        if (source_schema_.Find(field.name) != nullptr) statement_.brought.insert(field.name);
        continue;
      }
      if (source_schema_.Find(field.name) != nullptr) {
        clause.set.push_back({field.name, "source." + QuoteIdentifier(field.name)});
      } else if (EqualsIgnoreCase(field.name, "_run_id") && clause.then == Then::kInsert && !table_.by_path()) {
        clause.set.push_back({field.name, QuoteLiteral(operation_id)});  // as `table history` names it
      } else if (!contract::IsMetadataColumn(field.name)) {
        return Fail(UserError("bad-merge", fmt::format("* is every column of {}, and the source has no \"{}\"{}", table_.name, field.name,
                                                       DidYouMean(field.name, source_schema_.Names())))
                        .Hint("name the columns: UPDATE SET a = source.a, INSERT (a) VALUES (source.a)"));
      }
    }
    return Ok();
  }

  Context& context_;
  const MergeArgs& args_;
  FoundTable table_;
  tables::TableTarget target_;
  std::unique_ptr<engines::Connection> connection_;
  tables::Source source_;
  std::string reader_;                         // of a file
  std::vector<const contract::Field*> texts_;  // of its columns, those of the table's types that are no texts
  contract::Schema source_schema_;
  std::set<std::string> reads_;
  tables::MergeStatement statement_;
};

}  // namespace

int TableMerge(Context& context, const MergeArgs& args) { return Finish(context, Merging(context, args).Run()); }

}  // namespace sluice::cli
