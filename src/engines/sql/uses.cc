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

std::optional<TableUse> UseOfBaseTable(const Json& ref, const Scope& scope) {
  const std::string& schema = Text(ref, "schema_name");
  const std::string& name = Text(ref, "table_name");
  if (!schema.empty()) return TableUse{UseMode::kWhole, ToLower(schema), name, {}};
  if (scope.contains(ToLower(name))) return std::nullopt;
  if (EqualsIgnoreCase(name, "this")) return TableUse{UseMode::kThis, {}, {}, {}};
  if (EqualsIgnoreCase(name, "batch")) return TableUse{UseMode::kBatch, {}, {}, {}};
  return std::nullopt;
}

std::optional<TableUse> UseOfFunction(const Json& call) {
  const std::string function = ToLower(Text(call, "function_name"));
  if (!IsNewOrChanges(function) || call["children"].size() != 1) return std::nullopt;
  const Json& argument = call["children"][0];
  if (!IsClass(argument, "COLUMN_REF") || argument["column_names"].size() != 2) return std::nullopt;
  const auto names = argument["column_names"].get<std::vector<std::string>>();
  return TableUse{function == "new" ? UseMode::kNew : UseMode::kChanges, ToLower(names[0]), names[1], {}};
}

class UseFinder {
 public:
  UseFinder(const SourceText& source, const std::vector<std::string>& schemas, Diagnostics* diagnostics)
      : source_(source), schemas_(schemas), diagnostics_(*diagnostics) {}

  void Look(const Json& ref, const Scope& scope) {
    if (IsType(ref, "BASE_TABLE")) LookAtTable(ref, scope);
    if (IsType(ref, "TABLE_FUNCTION")) LookAtFunction(ref);
    if (IsType(ref, "SHOW_REF")) Bad(ref, UserError("not-a-select", "DESCRIBE, SHOW and SUMMARIZE give no rows of a model"));
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

  void LookAtFunction(const Json& ref) {
    const Json& call = ref["function"];
    const std::string name = ToLower(Text(call, "function_name"));
    if (IsNewOrChanges(name)) {
      if (auto use = UseOfFunction(call)) return Add(ref, *std::move(use));
      return Bad(ref,
                 UserError("bad-table-use", fmt::format("{}() takes one table", name)).Hint(fmt::format("write {}(bronze.orders)", name)));
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
    const bool is_qualified = use.mode != UseMode::kThis && use.mode != UseMode::kBatch;
    if (is_qualified && std::find(schemas_.begin(), schemas_.end(), use.schema) == schemas_.end())
      return Bad(ref, UserError("unknown-table", fmt::format("there is no layer \"{}\"{}", use.schema, DidYouMean(use.schema, schemas_)))
                          .Hint(fmt::format("layers here: {}", Join(schemas_, ", "))));
    found_.push_back({Position(ref), std::move(use)});
  }

  void Bad(const Json& ref, Error error) {
    const uint64_t position = Position(ref) != kNoPosition ? Position(ref) : FirstPosition(ref);
    diagnostics_.Add(std::move(error).At(source_.At(position == kNoPosition ? 0 : position)));
  }

  const SourceText& source_;
  const std::vector<std::string>& schemas_;
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
    case UseMode::kWhole:
      break;
  }
  return schema + "." + name;
}

std::optional<TableUse> UseOf(const Json& table_ref, const Scope& scope) {
  if (IsType(table_ref, "BASE_TABLE")) return UseOfBaseTable(table_ref, scope);
  if (IsType(table_ref, "TABLE_FUNCTION")) return UseOfFunction(table_ref["function"]);
  return std::nullopt;
}

std::vector<TableUse> FindUses(const SourceText& source, const Json& statement, const std::vector<std::string>& schemas,
                               Diagnostics* diagnostics) {
  UseFinder finder(source, schemas, diagnostics);
  Walk(statement, [&](const Json& node, const Scope& scope) {
    finder.Look(node, scope);
    return true;
  });
  return finder.Take();
}

}  // namespace sluice::engines
