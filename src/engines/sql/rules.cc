#include "engines/sql/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "core/text.h"

namespace sluice::engines {
namespace {

using Names = std::set<std::string, std::less<>>;

const Names kRandom = {"random",       "setseed", "uuid",         "gen_random_uuid",       "uuidv4",           "uuidv7",
                       "nextval",      "currval", "txid_current", "current_connection_id", "current_query_id", "current_transaction_id",
                       "current_query"};
const Names kSurroundings = {"getenv",          "current_setting", "getvariable",  "current_database", "current_schema", "current_schemas",
                             "current_catalog", "current_user",    "session_user", "version",          "read_text",      "read_blob",
                             "in_search_path",  "which_secret",    "current_role", "write_log"};

// How the run's clock gives each of them: which parameter, cast to what ("" = as it is).
struct ClockUse {
  std::string parameter;
  std::vector<std::string> casts;
};
const std::map<std::string, ClockUse> kClock = {
    {"now", {"run_started_at", {}}},
    {"current_timestamp", {"run_started_at", {}}},
    {"get_current_timestamp", {"run_started_at", {}}},
    {"transaction_timestamp", {"run_started_at", {}}},
    {"localtimestamp", {"run_started_at", {"TIMESTAMP"}}},
    {"current_localtimestamp", {"run_started_at", {"TIMESTAMP"}}},
    {"current_time", {"run_started_at", {"TIMESTAMP", "TIME"}}},
    {"get_current_time", {"run_started_at", {"TIMESTAMP", "TIME"}}},
    {"localtime", {"run_started_at", {"TIMESTAMP", "TIME"}}},
    {"current_localtime", {"run_started_at", {"TIMESTAMP", "TIME"}}},
    {"current_date", {"run_date", {}}},
    {"today", {"run_date", {}}},
};
// Those that SQL spells without parentheses.
const Names kBareClock = {"current_timestamp", "localtimestamp", "current_time", "localtime", "current_date"};

const Names kAggregates = {"any_value",
                           "approx_count_distinct",
                           "approx_quantile",
                           "approx_top_k",
                           "arbitrary",
                           "arg_max",
                           "arg_max_null",
                           "arg_min",
                           "arg_min_null",
                           "array_agg",
                           "avg",
                           "bit_and",
                           "bit_or",
                           "bit_xor",
                           "bool_and",
                           "bool_or",
                           "corr",
                           "count",
                           "count_if",
                           "count_star",
                           "countif",
                           "covar_pop",
                           "covar_samp",
                           "entropy",
                           "favg",
                           "first",
                           "fsum",
                           "geomean",
                           "geometric_mean",
                           "group_concat",
                           "histogram",
                           "kahan_sum",
                           "kurtosis",
                           "kurtosis_pop",
                           "last",
                           "list",
                           "listagg",
                           "mad",
                           "max",
                           "max_by",
                           "mean",
                           "median",
                           "min",
                           "min_by",
                           "mode",
                           "product",
                           "quantile",
                           "quantile_cont",
                           "quantile_disc",
                           "percentile_cont",
                           "percentile_disc",
                           "regr_avgx",
                           "regr_avgy",
                           "regr_count",
                           "regr_intercept",
                           "regr_r2",
                           "regr_slope",
                           "regr_sxx",
                           "regr_sxy",
                           "regr_syy",
                           "skewness",
                           "stddev",
                           "stddev_pop",
                           "stddev_samp",
                           "string_agg",
                           "sum",
                           "sum_no_overflow",
                           "sumkahan",
                           "var_pop",
                           "var_samp",
                           "variance"};
const Names kOrderedAggregates = {"first", "last", "any_value", "arbitrary", "list", "array_agg", "string_agg", "group_concat", "listagg"};
const std::map<std::string, std::string> kOrderedWindows = {{"WINDOW_ROW_NUMBER", "row_number"},
                                                            {"WINDOW_FIRST_VALUE", "first_value"},
                                                            {"WINDOW_LAST_VALUE", "last_value"},
                                                            {"WINDOW_NTH_VALUE", "nth_value"},
                                                            {"WINDOW_LEAD", "lead"},
                                                            {"WINDOW_LAG", "lag"},
                                                            {"WINDOW_NTILE", "ntile"}};

const Names kPureTableFunctions = {"range", "generate_series", "unnest", "json_each", "json_tree", "repeat_row", "repeat"};
const Names kReadingFunctions = {
    "glob",         "sniff_csv",     "delta_scan",       "iceberg_scan",   "iceberg_metadata", "iceberg_snapshots",
    "sqlite_scan",  "postgres_scan", "postgres_query",   "mysql_scan",     "mysql_query",      "query",
    "query_table",  "st_read",       "arrow_scan",       "seq_scan",       "sluice_arrow",     "json_execute_serialized_sql",
    "which_secret", "checkpoint",    "force_checkpoint", "test_all_types", "summary",          "icu_calendar_names",
    "storage_info"};

std::optional<ClockUse> ClockOf(const SourceText& source, const Json& node) {
  if (IsClass(node, "FUNCTION") && node["children"].empty()) {
    const auto found = kClock.find(ToLower(Text(node, "function_name")));
    if (found != kClock.end()) return found->second;
  }
  if (IsClass(node, "COLUMN_REF") && node["column_names"].size() == 1) {
    const std::string name = ToLower(node["column_names"][0].get<std::string>());
    const uint64_t at = Position(node);
    const bool is_quoted = at < source.text().size() && source.text()[at] == '"';
    if (kBareClock.contains(name) && !is_quoted) return kClock.at(name);
  }
  return std::nullopt;
}

std::string OwnName(const Json& node) {
  if (IsClass(node, "COLUMN_REF")) return ToLower(node["column_names"][0].get<std::string>());
  return Text(node, "function_name") + "()";
}

Error At(const SourceText& source, const Json& node, Error error) {
  const uint64_t position = Position(node) != kNoPosition ? Position(node) : FirstPosition(node);
  return std::move(error).At(source.At(position == kNoPosition ? 0 : position));
}

void CheckFunction(const SourceText& source, const Json& node, Diagnostics* diagnostics) {
  const std::string name = ToLower(Text(node, "function_name"));
  if (kRandom.contains(name))
    diagnostics->Add(At(source, node,
                        UserError("nondeterministic", fmt::format("{}() gives another value each time", name))
                            .Hint("derive it from the row's own columns, for example md5(order_id) or hash(a, b)")));
  else if (kSurroundings.contains(name))
    diagnostics->Add(At(source, node,
                        UserError("untracked-read", fmt::format("{}() depends on where the SQL runs", name))
                            .Hint("pass the value as a variable: vars in sluice.yml, $name in SQL")));
}

void CheckSample(const SourceText& source, const Json& node, Diagnostics* diagnostics) {
  const auto sample = node.find("sample");
  if (sample == node.end() || sample->is_null()) return;
  diagnostics->Add(At(source, node,
                      UserError("nondeterministic", "a sample has other rows each time")
                          .Hint("take a stable share of the keys: WHERE hash(key) % 10 = 0")));
}

// Which FROM items give the new rows as they are, so that an aggregate over them sees a part of each group.
class NewRows {
 public:
  // The use that gives them ("new(bronze.orders)"), or "".
  std::string Of(const Json& node) const {
    if (IsType(node, "SET_OPERATION_NODE")) {
      for (const Json& child : Branches(node))
        if (std::string use = Of(child); !use.empty()) return use;
      return "";
    }
    if (!IsType(node, "SELECT_NODE")) return "";
    uint64_t unused = 0;
    if (CallsAggregate(node, &unused) || !node["group_expressions"].empty() || IsDistinct(node)) return "";
    NewRows inner = *this;
    inner.Enter(node);
    return inner.OfSource(node["from_table"]);
  }

  std::string OfSource(const Json& ref) const {
    if (IsType(ref, "JOIN")) {
      std::string left = OfSource(ref["left"]);
      const std::string& type = Text(ref, "join_type");
      return !left.empty() || type == "SEMI" || type == "ANTI" ? left : OfSource(ref["right"]);
    }
    if (IsType(ref, "TABLE_FUNCTION")) return OfFunction(ref["function"]);
    if (IsType(ref, "SUBQUERY")) return Of(ref["subquery"]["node"]);
    if (!IsType(ref, "BASE_TABLE") || !Text(ref, "schema_name").empty()) return "";
    const auto cte = ctes_.find(ToLower(Text(ref, "table_name")));
    return cte == ctes_.end() ? "" : cte->second;
  }

  void Enter(const Json& node) {
    for (const Json& entry : node["cte_map"]["map"]) {
      const Json& query = entry["value"]["query"]["node"];
      ctes_[ToLower(Text(entry, "key"))] = Of(query);
    }
  }

 private:
  static std::vector<Json> Branches(const Json& node) {
    if (node.contains("children") && node["children"].is_array()) return node["children"].get<std::vector<Json>>();
    return {node.value("left", Json()), node.value("right", Json())};
  }

  static bool IsDistinct(const Json& node) {
    return std::any_of(node["modifiers"].begin(), node["modifiers"].end(), [](const Json& m) { return IsType(m, "DISTINCT_MODIFIER"); });
  }

  static std::string OfFunction(const Json& call) {
    const std::string name = ToLower(Text(call, "function_name"));
    if ((name != "new" && name != "changes") || call["children"].size() != 1 || !call["children"][0].contains("column_names")) return "";
    const auto names = call["children"][0]["column_names"].get<std::vector<std::string>>();
    return fmt::format("{}({})", name, Join(names, "."));
  }

  std::map<std::string, std::string> ctes_;
};

void CheckSelectOverNew(const SourceText& source, const Json& select, const NewRows& scope, Diagnostics* diagnostics) {
  uint64_t position = kNoPosition;
  if (!CallsAggregate(select, &position)) return;
  const std::string use = scope.OfSource(select["from_table"]);
  if (use.empty()) return;
  const std::string table = use.substr(use.find('(') + 1, use.size() - use.find('(') - 2);
  diagnostics->Add(
      UserError("aggregate-over-new", fmt::format("this aggregate sees only the rows of {}, not the whole groups they belong to", use))
          .At(source.At(position))
          .Hint(fmt::format("aggregate whole groups of the keys seen: WITH keys AS (SELECT DISTINCT key FROM {0}) SELECT key, … FROM {1} "
                            "WHERE key IN (SELECT key FROM keys) GROUP BY key",
                            use, table)));
}

void CheckNewIn(const SourceText& source, const Json& value, const NewRows& outer, Diagnostics* diagnostics) {
  if (value.is_object() && IsQueryNode(value)) {
    NewRows scope = outer;
    scope.Enter(value);
    if (IsType(value, "SELECT_NODE")) CheckSelectOverNew(source, value, scope, diagnostics);
    for (const Json& member : value) CheckNewIn(source, member, scope, diagnostics);
  } else if (value.is_structured()) {
    for (const Json& member : value) CheckNewIn(source, member, outer, diagnostics);
  }
}

// ORDER BY nothing, or only constants: no order.
bool HasOrder(const Json& orders) {
  return std::any_of(orders.begin(), orders.end(), [](const Json& order) { return !IsClass(order["expression"], "CONSTANT"); });
}

void WarnOfWindow(const SourceText& source, const Json& node, Diagnostics* diagnostics) {
  const auto window = kOrderedWindows.find(Text(node, "type"));
  if (window == kOrderedWindows.end() || HasOrder(node["orders"])) return;
  diagnostics->Warn(At(source, node,
                       UserError("window-order", fmt::format("{}() without an ORDER BY may give other rows each run", window->second))
                           .Hint("order by columns that tell any two rows apart, the key last")));
}

void WarnOfAggregate(const SourceText& source, const Json& node, Diagnostics* diagnostics) {
  const std::string name = ToLower(Text(node, "function_name"));
  if (!kOrderedAggregates.contains(name) || !node.contains("order_bys") || !node["order_bys"]["orders"].empty()) return;
  if (!Text(node, "schema").empty()) return;  // put there by the parser, not by the user
  diagnostics->Warn(At(source, node,
                       UserError("aggregate-order", fmt::format("{}() without an ORDER BY may differ from run to run", name))
                           .Hint(fmt::format("say which: {}(x ORDER BY y)", name))));
}

void WarnOfLimit(const SourceText& source, const Json& node, Diagnostics* diagnostics) {
  const Json* limit = nullptr;
  bool ordered = false, distinct_on = false;
  for (const Json& modifier : node["modifiers"]) {
    if (Text(modifier, "type").starts_with("LIMIT")) limit = &modifier;
    if (IsType(modifier, "DISTINCT_MODIFIER")) distinct_on = !modifier.value("distinct_on_targets", Json::array()).empty();
    // ORDER BY 1 names a column here: any ORDER BY is one.
    ordered |= IsType(modifier, "ORDER_MODIFIER");
  }
  if (ordered || (!limit && !distinct_on)) return;
  const char* what = limit ? "LIMIT" : "DISTINCT ON";
  const uint64_t position = limit && FirstPosition(*limit) != kNoPosition ? FirstPosition(*limit) : FirstPosition(node);
  diagnostics->Warn(UserError("limit-order", fmt::format("{} without an ORDER BY may keep other rows each run", what))
                        .At(source.At(position == kNoPosition ? 0 : position))
                        .Hint("order by columns that tell any two rows apart, the key last"));
}

}  // namespace

bool CallsAggregate(const Json& select, uint64_t* position) {
  bool found = false;
  const auto look = [&](const Json& node, const Scope&) {
    if (IsQueryNode(node) || IsClass(node, "WINDOW")) return false;
    if (IsClass(node, "FUNCTION") && !node.value("is_operator", false) && kAggregates.contains(ToLower(Text(node, "function_name")))) {
      if (!found) *position = Position(node);
      found = true;
    }
    return true;
  };
  for (const char* member : {"select_list", "having", "qualify"}) Walk(select[member], look);
  return found;
}

void UseRunClock(const SourceText& source, Json* statement) {
  Walk(*statement, {}, [&](Json& node, const Scope&) {
    if (!IsType(node, "SELECT_NODE")) return true;
    for (Json& item : node["select_list"])
      if (Text(item, "alias").empty() && ClockOf(source, item)) item["alias"] = OwnName(item);
    return true;
  });
  Walk(*statement, {}, [&](Json& node, const Scope&) {
    const auto clock = ClockOf(source, node);
    if (!clock) return true;
    Json value = ParameterNode(clock->parameter, Position(node));
    for (const std::string& type : clock->casts) value = CastNode(std::move(value), type, Position(node));
    value["alias"] = Text(node, "alias");
    node = std::move(value);
    return false;
  });
}

void CheckFunctions(const SourceText& source, const Json& statement, Diagnostics* diagnostics) {
  Walk(statement, [&](const Json& node, const Scope&) {
    CheckSample(source, node, diagnostics);
    if (IsClass(node, "FUNCTION") || IsClass(node, "WINDOW")) CheckFunction(source, node, diagnostics);
    return true;
  });
}

void CheckAggregatesOverNew(const SourceText& source, const Json& statement, Diagnostics* diagnostics) {
  CheckNewIn(source, statement["node"], NewRows(), diagnostics);
}

void WarnOfOrder(const SourceText& source, const Json& statement, Diagnostics* diagnostics) {
  Walk(statement, [&](const Json& node, const Scope&) {
    if (IsClass(node, "WINDOW")) WarnOfWindow(source, node, diagnostics);
    if (IsClass(node, "FUNCTION")) WarnOfAggregate(source, node, diagnostics);
    if (IsQueryNode(node) && node.contains("modifiers")) WarnOfLimit(source, node, diagnostics);
    return true;
  });
}

bool IsPureTableFunction(const std::string& name) { return kPureTableFunctions.contains(name); }

bool IsReadingFunction(const std::string& name) {
  return kReadingFunctions.contains(name) || name.starts_with("read_") || name.starts_with("parquet_") || name.starts_with("duckdb_") ||
         name.starts_with("pragma_") || name.starts_with("pg_");
}

}  // namespace sluice::engines
