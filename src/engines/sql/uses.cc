#include "engines/sql/uses.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "engines/sql/rules.h"

namespace sluice::engines {
namespace {

bool LooksLikeFile(const std::string& name) {
  if (name.find('/') != std::string::npos || name.find('*') != std::string::npos || name.find(':') != std::string::npos) return true;
  static constexpr std::string_view kEndings[] = {".csv", ".tsv", ".parquet", ".json", ".ndjson", ".jsonl",
                                                  ".gz",  ".zst", ".xlsx",    ".db",   ".duckdb"};
  const std::string lower = ToLower(name);
  return std::any_of(std::begin(kEndings), std::end(kEndings), [&](std::string_view ending) { return lower.ends_with(ending); });
}

bool IsNewOrChanges(const std::string& function) { return function == "new" || function == "changes"; }

// "3" of AT (VERSION => 3), "2024-01-31" of AT (TIMESTAMP => '2024-01-31'), "" without AT. nullopt: no constant of its kind.
std::optional<std::string> AsOf(const Json& ref) {
  const Json clause = ref.value("at_clause", Json());
  if (clause.is_null()) return "";
  const Json* node = &clause["expr"];
  if (IsClass(*node, "CAST")) node = &(*node)["child"];  // TIMESTAMP '…'
  const bool is_version = EqualsIgnoreCase(Text(clause, "unit"), "VERSION");
  if (!IsClass(*node, "CONSTANT") || (*node)["value"].value("is_null", true)) return std::nullopt;
  const Json& value = (*node)["value"]["value"];
  if (is_version && value.is_number_integer()) return std::to_string(value.get<int64_t>());
  if (!is_version && value.is_string()) return value.get<std::string>();
  return std::nullopt;
}

std::optional<TableUse> UseOfBaseTable(const Json& ref, const Scope& scope) {
  const std::string& schema = Text(ref, "schema_name");
  const std::string& name = Text(ref, "table_name");
  if (!schema.empty()) return TableUse{UseMode::kWhole, ToLower(schema), name, {}, AsOf(ref).value_or("")};
  if (scope.contains(ToLower(name))) return std::nullopt;
  if (EqualsIgnoreCase(name, "this")) return TableUse{UseMode::kThis, {}, {}, {}};
  if (EqualsIgnoreCase(name, "batch")) return TableUse{UseMode::kBatch, {}, {}, {}};
  return std::nullopt;
}

constexpr std::string_view kPlaceFunction = "delta_scan";

// The value of a constant, of `version => 3` and of `version = 3`; null otherwise.
const Json* ConstantOf(const Json& argument) {
  const Json& node = IsType(argument, "COMPARE_EQUAL") ? argument["right"] : argument;
  return IsClass(node, "CONSTANT") && !node["value"].value("is_null", true) ? &node["value"]["value"] : nullptr;
}

std::string NameOfArgument(const Json& argument) {
  if (!IsType(argument, "COMPARE_EQUAL")) return ToLower(Text(argument, "alias"));
  const Json& names = argument["left"].value("column_names", Json::array());
  return names.size() == 1 ? ToLower(names[0].get<std::string>()) : "";
}

std::optional<TableUse> UseOfPlace(const Json& call) {
  const Json& arguments = call["children"];
  if (arguments.empty() || arguments.size() > 2) return std::nullopt;
  const Json* place = ConstantOf(arguments[0]);
  if (!place || !place->is_string() || !NameOfArgument(arguments[0]).empty()) return std::nullopt;
  TableUse use{UseMode::kPlace, {}, place->get<std::string>(), {}};
  if (arguments.size() == 1) return use;
  const Json* at = ConstantOf(arguments[1]);
  const std::string named = NameOfArgument(arguments[1]);
  if (at && at->is_number_integer() && named == "version")
    use.at = std::to_string(at->get<int64_t>());
  else if (at && at->is_string() && named == "timestamp_as_of")
    use.at = at->get<std::string>();
  else
    return std::nullopt;
  return use;
}

std::optional<TableUse> UseOfFunction(const Json& call) {
  const std::string function = ToLower(Text(call, "function_name"));
  if (function == kPlaceFunction) return UseOfPlace(call);
  if (!IsNewOrChanges(function) || call["children"].size() != 1) return std::nullopt;
  const Json& argument = call["children"][0];
  if (!IsClass(argument, "COLUMN_REF") || argument["column_names"].size() != 2) return std::nullopt;
  const auto names = argument["column_names"].get<std::vector<std::string>>();
  return TableUse{function == "new" ? UseMode::kNew : UseMode::kChanges, ToLower(names[0]), names[1], {}};
}

class UseFinder {
 public:
  UseFinder(const SourceText& source, const Readable& readable, Diagnostics* diagnostics)
      : source_(source), schemas_(readable.schemas), may_read_freely_(readable.freely), diagnostics_(*diagnostics) {}

  void Look(const Json& ref, const Scope& scope) {
    if (IsType(ref, "BASE_TABLE")) LookAtTable(ref, scope);
    if (IsType(ref, "TABLE_FUNCTION")) LookAtFunction(ref);
    if (IsType(ref, "SHOW_REF"))
      Bad(ref, UserError("not-a-select", "DESCRIBE, SHOW and SUMMARIZE give no rows of a model")
                   .Hint("`sluice show TABLE` tells its columns, `sluice ls` the tables"));
    if (IsType(ref, "COLUMN_DATA_REF") || IsType(ref, "DELIM_GET"))
      Bad(ref, UserError("sql-unsupported", "this kind of FROM cannot be used"));
  }

  std::vector<TableUse> Take() {
    std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) { return a.position < b.position; });
    std::vector<TableUse> uses;
    std::set<std::string> seen;
    for (Found& found : found_)
      if (seen.insert(found.use.id()).second) uses.push_back(std::move(found.use));
    return uses;
  }

 private:
  struct Found {
    uint64_t position;
    TableUse use;
  };

  void LookAtTable(const Json& ref, const Scope& scope) {
    const std::string& schema = Text(ref, "schema_name");
    const std::string& name = Text(ref, "table_name");
    if (!Text(ref, "catalog_name").empty()) {
      Bad(ref, UserError("untracked-read", fmt::format("{}.{}.{} lies in another database", Text(ref, "catalog_name"), schema, name))
                   .Hint("make it a source (load: external), then read bronze.NAME"));
    } else if (schema.empty() && scope.contains(ToLower(name))) {
      return;
    } else if (auto use = UseOfBaseTable(ref, scope)) {
      CheckAt(ref);
      Add(ref, *std::move(use));
    } else if (LooksLikeFile(name)) {
      Bad(ref, UserError("untracked-read", fmt::format("a model may not read the file '{}': what it read could not be told later", name))
                   .Hint("make it a source (sources/*.yml) or a seed (seeds/*.csv), then read bronze.NAME or seed.NAME"));
    } else {
      Bad(ref, UserError("unqualified-table", fmt::format("table \"{}\" needs its layer", name))
                   .Hint(fmt::format("write {0}.{1}; a bare name is one of the WITH names, `this` or `batch`",
                                     schemas_.empty() ? "bronze" : schemas_.front(), name)));
    }
  }

  void CheckAt(const Json& ref) {
    if (ref.value("at_clause", Json()).is_null()) return;
    if (!may_read_freely_)
      Bad(ref, UserError("sql-unsupported", "AT (VERSION …) cannot be used: a run pins the versions that it reads"));
    else if (Text(ref, "schema_name").empty() || !AsOf(ref))
      Bad(ref, UserError("bad-table-use", "AT names a version of a table, or a time")
                   .Hint("write silver.orders AT (VERSION => 3) or silver.orders AT (TIMESTAMP => '2024-01-31')"));
  }

  void LookAtFunction(const Json& ref) {
    const Json& call = ref["function"];
    const std::string name = ToLower(Text(call, "function_name"));
    if (IsNewOrChanges(name)) {
      if (auto use = UseOfFunction(call)) return Add(ref, *std::move(use));
      return Bad(ref,
                 UserError("bad-table-use", fmt::format("{}() takes one table", name)).Hint(fmt::format("write {}(bronze.orders)", name)));
    }
    if (name == kPlaceFunction && may_read_freely_) {
      if (auto use = UseOfPlace(call)) return Add(ref, *std::move(use));
      return Bad(ref, UserError("bad-table-use", "delta_scan() takes the path of a Delta table, and may take a version or a time")
                          .Hint("write delta_scan('path'), delta_scan('path', version => 3) or delta_scan('path', timestamp_as_of => "
                                "'2024-01-31')"));
    }
    if (IsPureTableFunction(name)) return;
    if (IsReadingFunction(name))
      return Bad(ref, UserError("untracked-read", fmt::format("a model may not read with {}(): what it read could not be told later", name))
                          .Hint("make it a source (sources/*.yml) or a seed (seeds/*.csv), then read bronze.NAME or seed.NAME"));
    const std::vector<std::string> known = {"new", "changes", "range", "generate_series", "unnest", "json_each", "json_tree", "repeat"};
    Bad(ref, UserError("unknown-function-of-tables", fmt::format("{}() cannot stand in FROM{}", name, DidYouMean(name, known))));
  }

  void Add(const Json& ref, TableUse use) {
    use.where = source_.At(Position(ref));
    const bool is_qualified = use.mode != UseMode::kThis && use.mode != UseMode::kBatch && use.mode != UseMode::kPlace;
    if (is_qualified && std::find(schemas_.begin(), schemas_.end(), use.schema) == schemas_.end())
      return Bad(ref, UserError("unknown-table", fmt::format("there is no layer \"{}\"{}", use.schema, DidYouMean(use.schema, schemas_)))
                          .Hint(schemas_.empty() ? "an expression is over the row's columns: a check that reads tables is a `sql:` check"
                                                 : fmt::format("layers here: {}", Join(schemas_, ", "))));
    found_.push_back({Position(ref), std::move(use)});
  }

  void Bad(const Json& ref, Error error) {
    const uint64_t position = Position(ref) != kNoPosition ? Position(ref) : FirstPosition(ref);
    diagnostics_.Add(std::move(error).At(source_.At(position == kNoPosition ? 0 : position)));
  }

  const SourceText& source_;
  const std::vector<std::string>& schemas_;
  const bool may_read_freely_;
  Diagnostics& diagnostics_;
  std::vector<Found> found_;
};

}  // namespace

std::string TableUse::id() const {
  switch (mode) {
    case UseMode::kThis:
      return "this";
    case UseMode::kBatch:
      return "batch";
    case UseMode::kNew:
      return fmt::format("new({}.{})", schema, name);
    case UseMode::kChanges:
      return fmt::format("changes({}.{})", schema, name);
    case UseMode::kPlace:
      return at.empty() ? fmt::format("delta_scan({})", QuoteLiteral(name)) : fmt::format("delta_scan({}, {})", QuoteLiteral(name), at);
    case UseMode::kWhole:
      break;
  }
  return at.empty() ? schema + "." + name : fmt::format("{}.{} at {}", schema, name, at);
}

std::optional<TableUse> UseOf(const Json& table_ref, const Scope& scope) {
  if (IsType(table_ref, "BASE_TABLE")) return UseOfBaseTable(table_ref, scope);
  if (IsType(table_ref, "TABLE_FUNCTION")) return UseOfFunction(table_ref["function"]);
  return std::nullopt;
}

std::vector<TableUse> FindUses(const SourceText& source, const Json& statement, const Readable& readable, Diagnostics* diagnostics) {
  UseFinder finder(source, readable, diagnostics);
  Walk(statement, [&](const Json& node, const Scope& scope) {
    finder.Look(node, scope);
    return true;
  });
  return finder.Take();
}

}  // namespace sluice::engines
