#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "engines/sql.h"
#include "engines/sql/bind.h"
#include "engines/sql/lower.h"
#include "engines/sql/macros.h"
#include "engines/sql/rules.h"
#include "engines/sql/templates.h"
#include "engines/sql/tree.h"
#include "engines/sql/uses.h"

namespace sluice::engines {
namespace {

void CollectParameters(const Json& statement, std::vector<std::string>* names) {
  Walk(statement, [&](const Json& node, const Scope&) {
    if (IsClass(node, "PARAMETER") && std::find(names->begin(), names->end(), Text(node, "identifier")) == names->end())
      names->push_back(Text(node, "identifier"));
    return true;
  });
}

// Positional parameters have no meaning in a project.
void CheckNamed(const SourceText& source, const std::vector<std::string>& parameters, Diagnostics* diagnostics) {
  for (const std::string& name : parameters)
    if (!name.empty() && std::isdigit(static_cast<unsigned char>(name[0])))
      return diagnostics->Add(UserError("sql-unsupported", "parameters have names: $start")
                                  .At(source.At(std::min(source.text().find('?'), source.text().find('$')))));
}

// The printed list of parameters: each once, numbered.
Json ParameterMap(const std::vector<std::string>& names) {
  Json map = Json::array();
  for (size_t i = 0; i < names.size(); ++i) map.push_back({{"key", names[i]}, {"value", i + 1}});
  return map;
}

class DuckSqlFrontend : public SqlFrontend {
 public:
  explicit DuckSqlFrontend(std::shared_ptr<SqlParser> parser) : parser_(std::move(parser)) {}

  Status AddMacros(const std::vector<MacroSource>& macros) override {
    Diagnostics diagnostics;
    for (const MacroSource& source : macros) {
      CheckTemplates(SourceText("", source.sql, source.where), &diagnostics);
      auto macro = ParseMacro(*parser_, source.sql, source.where);
      if (!macro) {
        diagnostics.Add(std::move(macro).error());
        continue;
      }
      const auto [at, is_new] = macros_.try_emplace(ToLower(macro->name), *macro);
      if (!is_new)
        diagnostics.Add(UserError("bad-macro", fmt::format("macro {} is already made at {}", macro->name, at->second.where.ToString()))
                            .At(source.where));
    }
    if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
    return Ok();
  }

  Result<SqlTree> ParseModel(const std::string& sql, const std::string& file, const std::vector<std::string>& schemas,
                             std::vector<Error>* warnings) override {
    return ParseText(SourceText("", sql, {file, 1, 1}), {schemas, false}, warnings);
  }

  Result<SqlTree> ParseQuery(const std::string& sql, const std::vector<std::string>& schemas) override {
    return ParseText(SourceText("", sql, {"query", 1, 1}), {schemas, true}, nullptr);
  }

  Result<std::string> ParseExpression(const std::string& sql, const Location& origin) override {
    SLUICE_TRY(const SqlTree tree, ParseText(SourceText("SELECT ", sql, origin), Readable{}, nullptr));
    SLUICE_CHECK(CheckExpression(tree));
    Json statement = tree.impl->statement;
    statement["node"]["select_list"][0]["alias"] = "";  // the name of a macro that was expanded
    SLUICE_TRY(const std::string printed, parser_->Print(statement));
    return printed.substr(std::string_view("SELECT ").size());
  }

  Result<contract::DataType> BindExpression(const std::string& sql, const Location& origin, const contract::Schema& schema,
                                            const std::vector<Parameter>& params) override {
    SLUICE_TRY(SqlTree tree, ParseText(SourceText("SELECT ", sql, origin), Readable{}, nullptr));
    SLUICE_CHECK(CheckExpression(tree));
    auto over = std::make_shared<SqlTree::Impl>(*tree.impl);
    over->statement["node"]["from_table"] = BaseTable("this", "", kNoPosition);
    over->uses = {TableUse{UseMode::kThis, {}, {}, origin}};
    BindOptions options;
    options.named_output = false;
    SLUICE_TRY(contract::Schema bound, BindTree(SqlTree{std::move(over)}, {{"this", schema}}, params, options));
    return std::move(bound.fields.at(0).type);
  }

  Result<contract::Schema> Bind(const SqlTree& tree, const std::map<std::string, contract::Schema>& inputs,
                                const std::vector<Parameter>& params, const BindOptions& options) override {
    return BindTree(tree, inputs, params, options);
  }

  Result<std::string> Lower(const SqlTree& tree, const std::map<std::string, std::string>& relations,
                            const std::map<std::string, contract::Schema>& inputs,
                            const std::map<std::string, int64_t>& known_rows) override {
    SLUICE_TRY(Lowered lowered, LowerTree(tree, relations, inputs, known_rows));
    return std::move(lowered.sql);
  }

 private:
  Result<SqlTree> ParseText(SourceText source, const Readable& readable, std::vector<Error>* warnings) {
    SLUICE_CHECK(RefuseTemplates(source));
    SLUICE_TRY(Json statement, parser_->Parse(source));
    SLUICE_CHECK(ExpandMacros(macros_, source, &statement["node"]));
    Diagnostics diagnostics;
    CheckFunctions(source, statement, &diagnostics);
    UseRunClock(source, &statement);
    std::vector<TableUse> uses = FindUses(source, statement, readable, &diagnostics);
    const bool reads_new =
        std::any_of(uses.begin(), uses.end(), [](const TableUse& u) { return u.mode == UseMode::kNew || u.mode == UseMode::kChanges; });
    if (reads_new) CheckAggregatesOverNew(source, statement, &diagnostics);
    std::vector<std::string> parameters;
    CollectParameters(statement, &parameters);
    CheckNamed(source, parameters, &diagnostics);
    if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
    if (warnings) {
      WarnOfOrder(source, statement, &diagnostics);
      warnings->insert(warnings->end(), diagnostics.warnings.begin(), diagnostics.warnings.end());
    }
    statement["named_param_map"] = ParameterMap(parameters);
    std::string fingerprint = Hex(Fingerprint(statement));
    return SqlTree{std::make_shared<SqlTree::Impl>(
        SqlTree::Impl{parser_, std::move(source), std::move(statement), std::move(uses), std::move(parameters), std::move(fingerprint)})};
  }

  static Status RefuseTemplates(const SourceText& source) {
    Diagnostics diagnostics;
    CheckTemplates(source, &diagnostics);
    if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
    return Ok();
  }

  // A macro's call has the macro's name by itself.
  bool IsUnnamed(const std::string& alias) const { return alias.empty() || macros_.contains(ToLower(alias)); }

  Status CheckExpression(const SqlTree& tree) const {
    const Json& node = tree.impl->statement["node"];
    const bool is_plain = IsType(node, "SELECT_NODE") && node["select_list"].size() == 1 && IsType(node["from_table"], "EMPTY") &&
                          node["where_clause"].is_null() && node["modifiers"].empty() && node["group_expressions"].empty() &&
                          node["having"].is_null() && node["qualify"].is_null() && IsUnnamed(Text(node["select_list"][0], "alias"));
    uint64_t unused = 0;
    bool has_query = is_plain && CallsAggregate(node, &unused);
    if (is_plain)
      Walk(node["select_list"], [&](const Json& inner, const Scope&) {
        has_query |= IsQueryNode(inner) || IsClass(inner, "WINDOW") || IsClass(inner, "STAR");
        return true;
      });
    if (is_plain && !has_query) return Ok();
    return Fail(UserError("not-an-expression", "expected one expression over the row's columns")
                    .At(tree.impl->source.At(0))
                    .Hint("no FROM, subquery, aggregate, window function or alias; a check that needs them is a `sql:` check"));
  }

  std::shared_ptr<SqlParser> parser_;
  MacroMap macros_;
};

}  // namespace

std::string CastTo(const std::string& sql, const contract::Schema& schema) {
  std::vector<std::string> columns;
  for (const contract::Field& field : schema.fields) {
    const std::string name = QuoteIdentifier(field.name);
    columns.push_back(fmt::format("CAST({} AS {}) AS {}", name, field.type.ToDuckDb(), name));
  }
  return fmt::format("SELECT {} FROM ({}\n)", Join(columns, ", "), sql);
}

const std::vector<TableUse>& SqlTree::uses() const { return impl->uses; }
const std::vector<std::string>& SqlTree::parameters() const { return impl->parameters; }
const std::string& SqlTree::file() const { return impl->source.origin().file; }
std::string SqlTree::fingerprint() const { return impl->fingerprint; }
const nlohmann::json& SqlTree::json() const { return impl->statement; }

std::string SqlTree::CanonicalSql() const { return impl->parser->Print(impl->statement).value_or(std::string(impl->source.user_text())); }

std::string SqlFrontend::CastTo(const std::string& sql, const contract::Schema& schema) { return engines::CastTo(sql, schema); }

Result<std::unique_ptr<SqlFrontend>> SqlFrontend::Open(DuckDb& db) {
  SLUICE_TRY(auto connection, db.Connect());
  SLUICE_CHECK(connection->Execute("SET errors_as_json = true"));
  return std::make_unique<DuckSqlFrontend>(std::make_shared<SqlParser>(std::move(connection)));
}

}  // namespace sluice::engines
