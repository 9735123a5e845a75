#include "run/accounts_for.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/counted.h"
#include "core/text.h"

namespace sluice::run {
namespace {

using nlohmann::json;

// "o" for `bronze.orders AS o`, "orders" without an alias; nullopt where this leaf is another table.
std::optional<std::string> AliasOf(const json& leaf, const std::string& schema, const std::string& table) {
  const std::string alias = leaf.value("alias", "");
  if (leaf.value("type", "") == "BASE_TABLE" && leaf.value("schema_name", "") == schema && leaf.value("table_name", "") == table)
    return alias.empty() ? table : alias;
  if (leaf.value("type", "") != "TABLE_FUNCTION") return std::nullopt;
  const json& function = leaf["function"];  // new(bronze.orders), changes(…)
  if (function["children"].size() != 1 || !function["children"][0].contains("column_names")) return std::nullopt;
  const json& names = function["children"][0]["column_names"];
  if (names.size() != 2 || names[0] != schema || names[1] != table) return std::nullopt;
  return alias.empty() ? function.value("function_name", "") : alias;
}

// The joins on the way from the root of a FROM down to the table, root first; false: it is not there.
bool PathTo(const json& from, const std::string& schema, const std::string& table, std::vector<const json*>& joins, std::string& alias) {
  if (from.value("type", "") != "JOIN") {
    const auto found = AliasOf(from, schema, table);
    if (found) alias = *found;
    return found.has_value();
  }
  joins.push_back(&from);
  if (PathTo(from["left"], schema, table, joins, alias) || PathTo(from["right"], schema, table, joins, alias)) return true;
  joins.pop_back();
  return false;
}

bool Holds(const json& from, const std::string& schema, const std::string& table) {
  std::vector<const json*> joins;
  std::string alias;
  return PathTo(from, schema, table, joins, alias);
}

std::string NameOf(const json& from) {
  if (from.value("type", "") == "JOIN") return NameOf(from["left"]) + ", " + NameOf(from["right"]);
  if (from.value("type", "") == "SUBQUERY") return "a subquery " + from.value("alias", "");
  const std::string schema = from.value("schema_name", "");
  return (schema.empty() ? "" : schema + ".") + from.value("table_name", from.value("alias", "?"));
}

std::string PlaceOf(const project::Model& model, const json& node) {
  const auto offset = node.value("query_location", UINT64_MAX);
  if (offset >= model.sql.size()) return model.sql_file;
  const auto end = model.sql.begin() + static_cast<long>(offset);
  const auto line = std::count(model.sql.begin(), end, '\n') + 1;
  const size_t start = offset == 0 ? std::string::npos : model.sql.rfind('\n', offset - 1);
  return fmt::format("{}:{}:{}", model.sql_file, line, start == std::string::npos ? offset + 1 : offset - start);
}

class Explainer {
 public:
  Explainer(Session& session, const PinOf& pin_of, engines::Connection& connection, const project::Model& model,
            const project::Check& check, const std::string& missing, const std::vector<engines::Parameter>& params)
      : session_(session), pin_of_(pin_of), connection_(connection), model_(model), check_(check), missing_(missing), params_(params) {}

  Result<std::vector<std::string>> Explain() {
    SLUICE_TRY(const engines::SqlTree tree, session_.sql().Tree(model_.sql, model_.sql_file));
    const json& statement = tree.json();
    outer_ = statement.contains("node") ? statement["node"] : statement;
    const size_t dot = check_.accounts_for.find('.');
    const std::string schema = check_.accounts_for.substr(0, dot), table = check_.accounts_for.substr(dot + 1);
    std::vector<const json*> joins;
    if (outer_.value("type", "") != "SELECT_NODE" || !PathTo(outer_["from_table"], schema, table, joins, alias_))
      return std::vector<std::string>{
          fmt::format("{} is read inside a CTE or subquery: look there for what drops these keys", check_.accounts_for)};
    std::reverse(joins.begin(), joins.end());  // innermost first
    SLUICE_TRY(total_, Count("SELECT * FROM (" + missing_ + ")"));
    std::string before = missing_;
    for (const json* join : joins) {
      SLUICE_TRY(const std::string after, Keys(*join, json()));
      const json& other = Holds((*join)["left"], schema, table) ? (*join)["right"] : (*join)["left"];
      SLUICE_CHECK(Blame(fmt::format("the {} join with {}", ToLower(join->value("join_type", "")), NameOf(other)), *join, before, after));
      before = after;
    }
    SLUICE_CHECK(Filters(before));
    if (explained_ < total_)
      lines_.push_back(Counted(total_ - explained_, "key goes", "keys go") +
                       " elsewhere: several filters together, DISTINCT, GROUP BY, QUALIFY, LIMIT, or the key is changed");
    return lines_;
  }

 private:
  Status Filters(const std::string& before) {
    if (!outer_.contains("where_clause") || outer_["where_clause"].is_null()) return Ok();
    const json& where = outer_["where_clause"];
    std::vector<const json*> conjuncts;
    if (where.value("type", "") == "CONJUNCTION_AND")
      for (const json& child : where["children"]) conjuncts.push_back(&child);
    else
      conjuncts.push_back(&where);
    for (const json* conjunct : conjuncts) {
      SLUICE_TRY(const std::string after, Keys(outer_["from_table"], *conjunct));
      SLUICE_TRY(const std::string text, TextOf(*conjunct));
      SLUICE_CHECK(Blame("the filter " + text, *conjunct, before, after));
    }
    return Ok();
  }

  // Missing keys that are in `before` and not in `after` are laid to `what`.
  Status Blame(const std::string& what, const json& node, const std::string& before, const std::string& after) {
    SLUICE_TRY(const int64_t dropped,
               Count(fmt::format("(SELECT * FROM ({}) INTERSECT SELECT * FROM ({})) EXCEPT SELECT * FROM ({})", missing_, before, after)));
    if (dropped == 0) return Ok();
    explained_ += dropped;
    lines_.push_back(fmt::format("{}: {} drops {} of {}", PlaceOf(model_, node), what, FormatCount(dropped), Counted(total_, "key")));
    return Ok();
  }

  Result<int64_t> Count(const std::string& rows) {
    SLUICE_TRY(const auto text, connection_.Scalar("SELECT count(*) FROM (" + rows + ")", ParametersIn(rows, params_)));
    int64_t n = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), n);
    return n;
  }

  Result<std::string> Print(const json& node) {
    const json whole = {{"error", false}, {"statements", json::array({{{"node", node}}})}};
    SLUICE_TRY(const auto text, connection_.Scalar("SELECT json_deserialize_sql(CAST(" + QuoteLiteral(whole.dump()) + " AS JSON))"));
    return text.value_or("");
  }

  // The model's SELECT cut down to the keys that come out of `from` under one filter.
  Result<std::string> Keys(const json& from, const json& filter) {
    json node = outer_;
    json keys = json::array();
    for (const std::string& column : check_.columns)
      keys.push_back({{"class", "COLUMN_REF"},
                      {"type", "COLUMN_REF"},
                      {"alias", ""},
                      {"query_location", UINT64_MAX},
                      {"column_names", {alias_, column}}});
    node["select_list"] = keys;
    node["from_table"] = from;
    node["where_clause"] = filter;
    for (const char* cleared : {"group_expressions", "group_sets", "modifiers"}) node[cleared] = json::array();
    for (const char* cleared : {"having", "qualify"}) node[cleared] = json();
    SLUICE_TRY(const std::string sql, Print(node));
    SLUICE_TRY(const engines::SqlTree tree, session_.sql().Tree(sql, model_.sql_file));
    SLUICE_TRY(const Relations relations, RelationsFor(session_, pin_of_, tree.uses(), nullptr, {}));
    return LowerSql(session_, tree, relations);
  }

  Result<std::string> TextOf(const json& expression) {
    json node = outer_;
    node["cte_map"] = {{"map", json::array()}};
    node["select_list"] = json::array({expression});
    node["from_table"] = {{"type", "EMPTY"}, {"alias", ""}, {"sample", nullptr}, {"query_location", UINT64_MAX}};
    node["where_clause"] = json();
    for (const char* cleared : {"group_expressions", "group_sets", "modifiers"}) node[cleared] = json::array();
    for (const char* cleared : {"having", "qualify"}) node[cleared] = json();
    SLUICE_TRY(const std::string sql, Print(node));
    return sql.starts_with("SELECT ") ? sql.substr(7) : sql;
  }

  Session& session_;
  const PinOf& pin_of_;
  engines::Connection& connection_;
  const project::Model& model_;
  const project::Check& check_;
  const std::string& missing_;
  const std::vector<engines::Parameter>& params_;
  json outer_;
  std::string alias_;
  int64_t total_ = 0, explained_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace

Result<std::vector<std::string>> ExplainMissingKeys(Session& session, const PinOf& pin_of, engines::Connection& connection,
                                                    const plan::Node& node, const project::Check& check, const std::string& missing_sql,
                                                    const std::vector<engines::Parameter>& params) {
  auto lines = Explainer(session, pin_of, connection, *node.model, check, missing_sql, params).Explain();
  if (!lines) return std::vector<std::string>{"what dropped them could not be told: " + lines.error().message};
  return lines;
}

}  // namespace sluice::run
