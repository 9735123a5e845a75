// Checks and contract rules: from the one vocabulary to values.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "project/build.h"
#include "project/names.h"
#include "project/pattern.h"

namespace sluice::project {
namespace {

using contract::ColumnContract;
using contract::SqlRule;

// The keys that start a rule; each entry has exactly one.
const std::vector<std::string> kRules = {"unique",    "not_null",  "column",       "values", "relationship",
                                         "row_count", "freshness", "accounts_for", "sql"};

// The further keys that each rule takes.
bool TakesKey(std::string_view rule, std::string_view key) {
  if (key == rule || key == "name" || key == "on_fail" || key == "description") return true;
  if (key == "tolerate" || key == "where") return rule != "sql" ? true : key == "tolerate";
  if (rule == "column") return key == "values" || key == "min" || key == "max" || key == "length" || key == "pattern";
  if (rule == "values") return key == "in";
  if (rule == "relationship") return key == "to";
  if (rule == "freshness") return key == "within";
  if (rule == "accounts_for") return key == "key";
  return false;
}

const config::GivenKey* FindGiven(const CheckSpec& spec, std::string_view name) {
  for (const auto& key : spec.given)
    if (key.name == name) return &key;
  return nullptr;
}

// The rule's key, or "" with an error.
std::string RuleOf(const CheckSpec& spec, Diagnostics& diagnostics) {
  std::string rule;
  for (const std::string& candidate : kRules) {
    if (!FindGiven(spec, candidate) || (candidate == "values" && rule == "column")) continue;
    if (!rule.empty()) {
      diagnostics.Add(UserError("several-rules", fmt::format("one check has both \"{}\" and \"{}\"", rule, candidate))
                          .At(FindGiven(spec, candidate)->where)
                          .Hint("make two entries of it"));
      return "";
    }
    rule = candidate;
  }
  if (rule.empty()) {
    const bool lacks_column = FindGiven(spec, "min") || FindGiven(spec, "max") || FindGiven(spec, "pattern") || FindGiven(spec, "length");
    diagnostics.Add(UserError("no-rule", "this check has no rule")
                        .At(spec.where)
                        .Hint(lacks_column ? "add column: NAME" : "it needs one of " + Join(kRules, ", ")));
  }
  return rule;
}

bool HasOnlyItsKeys(const CheckSpec& spec, const std::string& rule, Diagnostics& diagnostics) {
  bool good = true;
  for (const auto& key : spec.given) {
    if (TakesKey(rule, key.name)) continue;
    good = false;
    diagnostics.Add(UserError("key-of-another-rule", fmt::format("\"{}\" does not belong to the rule \"{}\"", key.name, rule))
                        .At(key.where)
                        .Hint(key.name == "where" ? "write the condition in the SQL" : "remove it, or make another entry"));
  }
  return good;
}

bool Needs(const CheckSpec& spec, bool has, const std::string& rule, const std::string& example, Diagnostics& diagnostics) {
  if (!has)
    diagnostics.Add(
        UserError("missing-key", fmt::format("the rule \"{}\" says too little", rule)).At(spec.where).Hint("write it as " + example));
  return has;
}

Severity BuildSeverity(const CheckSpec& spec, Diagnostics& diagnostics) {
  if (!spec.on_fail || spec.on_fail->value == "block") return Severity::kBlock;
  if (spec.on_fail->value == "warn") return Severity::kWarn;
  const std::vector<std::string> choices = {"block", "warn"};
  const bool quarantine = spec.on_fail->value == "quarantine";
  diagnostics.Add(UserError("bad-choice", quarantine ? "a check cannot quarantine: its table is staged as a whole"
                                                     : fmt::format("\"on_fail\" must be block or warn, found \"{}\"{}", spec.on_fail->value,
                                                                   DidYouMean(spec.on_fail->value, choices)))
                      .At(spec.on_fail->where)
                      .Hint(quarantine ? "rules of a source's contract quarantine; here write on_fail: block or on_fail: warn"
                                       : "choose one of: block, warn"));
  return Severity::kBlock;
}

void BuildTolerance(const CheckSpec& spec, Check& check, Diagnostics& diagnostics) {
  if (!spec.tolerate) return;
  const std::string& text = spec.tolerate->value;
  const std::string_view number = text.ends_with('%') ? Trim(std::string_view(text).substr(0, text.size() - 1)) : std::string_view(text);
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  const bool is_number = error == std::errc() && end == number.data() + number.size() && value >= 0;
  if (is_number && text.ends_with('%') && value <= 100)
    check.tolerate_share = value / 100;
  else if (is_number && !text.ends_with('%') && value == static_cast<double>(static_cast<int64_t>(value)))
    check.tolerate_rows = static_cast<int64_t>(value);
  else
    diagnostics.Add(UserError("wrong-type", fmt::format("\"tolerate\" must be a percentage or a number of rows, found \"{}\"", text))
                        .At(spec.tolerate->where)
                        .Hint("write 0.1% or 5"));
}

std::optional<std::string> TextOf(const std::optional<int64_t>& number) {
  return number ? std::optional(std::to_string(*number)) : std::nullopt;
}

bool CheckBounds(const LengthSpec& bounds, std::string_view what, Diagnostics& diagnostics) {
  if (bounds.broken) return false;
  if (!bounds.min && !bounds.max) {
    diagnostics.Add(UserError("missing-key", fmt::format("\"{}\" has neither min nor max", what))
                        .At(bounds.where)
                        .Hint("write a number, or { min: 1, max: 10 }"));
    return false;
  }
  if (!bounds.min || !bounds.max || *bounds.min <= *bounds.max) return true;
  diagnostics.Add(UserError("empty-range", fmt::format("\"{}\": the min {} is above the max {}", what, *bounds.min, *bounds.max))
                      .At(bounds.where)
                      .Hint("swap them"));
  return false;
}

void CheckPatternAt(const PlacedText& pattern, Diagnostics& diagnostics) {
  if (auto status = CheckPattern(pattern.value); !status) diagnostics.Add(std::move(status).error().At(pattern.where));
}

// The checks that one entry with `column` makes: one of each rule in it.
std::vector<Check> ColumnChecks(const CheckSpec& spec, const Check& base, Diagnostics& diagnostics) {
  std::vector<Check> checks;
  const auto add = [&](Check::Kind kind) -> Check& {
    checks.push_back(base);
    checks.back().kind = kind;
    checks.back().columns = {spec.column->value};
    return checks.back();
  };
  if (!spec.values.empty()) add(Check::Kind::kValues).values = TextsOf(spec.values);
  if (spec.min) add(Check::Kind::kMin).min = spec.min->value;
  if (spec.max) add(Check::Kind::kMax).max = spec.max->value;
  if (spec.length && CheckBounds(*spec.length, "length", diagnostics)) {
    Check& check = add(Check::Kind::kLength);
    check.min = TextOf(spec.length->min);
    check.max = TextOf(spec.length->max);
  }
  if (spec.pattern) {
    CheckPatternAt(*spec.pattern, diagnostics);
    add(Check::Kind::kPattern).pattern = spec.pattern->value;
  }
  if (checks.empty()) Needs(spec, false, "column", "{ column: total, min: 0 }, with values, min, max, length or pattern", diagnostics);
  return checks;
}

std::vector<Check> ValuesCheck(const CheckSpec& spec, Check check, Diagnostics& diagnostics) {
  const bool good = spec.values.size() == 1 && !spec.in.empty();
  if (!Needs(spec, good, "values", "{ column: status, values: [a, b] } or { values: status, in: [a, b] }", diagnostics)) return {};
  check.kind = Check::Kind::kValues;
  check.columns = TextsOf(spec.values);
  check.values = TextsOf(spec.in);
  return {check};
}

std::vector<Check> RelationshipCheck(const CheckSpec& spec, Check check, Diagnostics& diagnostics) {
  if (!Needs(spec, spec.to.has_value(), "relationship", "{ relationship: customer_id, to: silver.customers.customer_id }", diagnostics))
    return {};
  const std::vector<std::string> parts = Split(spec.to->value, '.');
  if (parts.size() != 3 || std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); })) {
    diagnostics.Add(UserError("bad-relationship", fmt::format("\"{}\" names no column of a table", spec.to->value))
                        .At(spec.to->where)
                        .Hint("write to: LAYER.TABLE.COLUMN"));
    return {};
  }
  check.kind = Check::Kind::kRelationship;
  check.columns = {spec.relationship->value};
  check.to_table = parts[0] + "." + parts[1];
  check.to_column = parts[2];
  return {check};
}

std::vector<Check> Lowered(const CheckSpec& spec, const std::string& rule, Check check, Diagnostics& diagnostics) {
  if (rule == "column") return ColumnChecks(spec, check, diagnostics);
  if (rule == "values") return ValuesCheck(spec, std::move(check), diagnostics);
  if (rule == "relationship") return RelationshipCheck(spec, std::move(check), diagnostics);
  if (rule == "unique" || rule == "not_null") {
    const Texts& columns = rule == "unique" ? spec.unique : spec.not_null;
    if (!Needs(spec, !columns.empty(), rule, "{ " + rule + ": [order_id] }", diagnostics)) return {};
    check.kind = rule == "unique" ? Check::Kind::kUnique : Check::Kind::kNotNull;
    check.columns = TextsOf(columns);
  } else if (rule == "row_count") {
    if (!CheckBounds(*spec.row_count, "row_count", diagnostics)) return {};
    check.kind = Check::Kind::kRowCount;
    check.min = TextOf(spec.row_count->min);
    check.max = TextOf(spec.row_count->max);
  } else if (rule == "freshness") {
    if (!Needs(spec, spec.within.has_value(), rule, "{ freshness: updated_at, within: 24h }", diagnostics)) return {};
    check.kind = Check::Kind::kFreshness;
    check.columns = {spec.freshness->value};
    check.within_micros = spec.within;
  } else if (rule == "accounts_for") {
    if (!Needs(spec, !spec.key.empty(), rule, "{ accounts_for: bronze.orders, key: [order_id] }", diagnostics)) return {};
    check.kind = Check::Kind::kAccountsFor;
    check.accounts_for = spec.accounts_for->value;
    check.columns = TextsOf(spec.key);
  } else {
    check.kind = Check::Kind::kSql;
    check.sql = spec.sql->value;
    check.sql_where = spec.sql->where;
  }
  return {check};
}

std::string MadeName(const Check& check) {
  const std::string columns = Join(check.columns, ", ");
  switch (check.kind) {
    case Check::Kind::kNotNull:
      return "not_null(" + columns + ")";
    case Check::Kind::kUnique:
      return "unique(" + columns + ")";
    case Check::Kind::kValues:
      return "values(" + columns + ")";
    case Check::Kind::kMin:
      return "min(" + columns + ")";
    case Check::Kind::kMax:
      return "max(" + columns + ")";
    case Check::Kind::kLength:
      return "length(" + columns + ")";
    case Check::Kind::kPattern:
      return "pattern(" + columns + ")";
    case Check::Kind::kRelationship:
      return "relationship(" + columns + ")";
    case Check::Kind::kRowCount:
      return "row_count";
    case Check::Kind::kFreshness:
      return "freshness(" + columns + ")";
    case Check::Kind::kAccountsFor:
      return "accounts_for(" + check.accounts_for + ")";
    case Check::Kind::kSql:
      return fmt::format("sql:{}", check.where.line);
  }
  return "";
}

std::vector<Check> BuildCheck(const CheckSpec& spec, const CheckScope& scope, Diagnostics& diagnostics) {
  if (spec.broken) return {};
  const std::string rule = RuleOf(spec, diagnostics);
  if (rule.empty() || !HasOnlyItsKeys(spec, rule, diagnostics)) return {};
  Check base;
  base.where = spec.where;
  base.description = spec.description;
  base.on_fail = BuildSeverity(spec, diagnostics);
  if (spec.rule_where) base.where_sql = spec.rule_where->value;
  BuildTolerance(spec, base, diagnostics);
  std::vector<Check> checks = Lowered(spec, rule, base, diagnostics);
  for (Check& check : checks) {
    Texts columns;
    for (const std::string& column : check.columns) columns.push_back({column, spec.where});
    if (!scope.columns.empty()) CheckColumns(columns, scope.columns, "column", scope.table, diagnostics);
    check.name = !spec.name ? MadeName(check) : checks.size() == 1 ? spec.name->value : spec.name->value + ": " + MadeName(check);
  }
  return checks;
}

void CheckNamesDiffer(const std::vector<CheckSpec>& specs, Diagnostics& diagnostics) {
  Texts names;
  for (const CheckSpec& spec : specs)
    if (spec.name) names.push_back(*spec.name);
  CheckDistinct(names, "duplicate-check", "a check named", diagnostics);
}

// ---- rules of a contract ----

const ColumnContract* FindColumn(const std::vector<ColumnContract>& columns, const std::string& name) {
  for (const ColumnContract& column : columns)
    if (EqualsIgnoreCase(column.name, name)) return &column;
  return nullptr;
}

// A literal of the column's type in DuckDB's SQL.
std::string SqlLiteral(const PlacedText& text, const ColumnContract& column) {
  return fmt::format("CAST({} AS {})", QuoteLiteral(text.value), column.type.ToDuckDb());
}

std::string LengthPredicate(const LengthSpec& length, const ColumnContract& column) {
  const std::string name = QuoteIdentifier(column.name);
  const std::string measure = fmt::format("{}({})", column.type.kind == contract::TypeKind::kBinary ? "octet_length" : "length", name);
  std::vector<std::string> parts;
  if (length.min) parts.push_back(fmt::format("{} >= {}", measure, *length.min));
  if (length.max) parts.push_back(fmt::format("{} <= {}", measure, *length.max));
  return Join(parts, " AND ");
}

std::string ColumnPredicate(const CheckSpec& spec, const ColumnContract& column, Diagnostics& diagnostics) {
  const std::string name = QuoteIdentifier(column.name);
  std::vector<std::string> parts;
  if (!spec.values.empty()) {
    std::vector<std::string> literals;
    for (const PlacedText& value : spec.values) literals.push_back(SqlLiteral(value, column));
    parts.push_back(fmt::format("{} IN ({})", name, Join(literals, ", ")));
  }
  if (spec.min) parts.push_back(fmt::format("{} >= {}", name, SqlLiteral(*spec.min, column)));
  if (spec.max) parts.push_back(fmt::format("{} <= {}", name, SqlLiteral(*spec.max, column)));
  if (spec.length && CheckBounds(*spec.length, "length", diagnostics)) parts.push_back(LengthPredicate(*spec.length, column));
  if (spec.pattern) {
    CheckPatternAt(*spec.pattern, diagnostics);
    parts.push_back(fmt::format("regexp_full_match({}, {})", name, QuoteLiteral(spec.pattern->value)));
  }
  if (parts.empty()) Needs(spec, false, "column", "{ column: total, min: 0 }, with values, min, max, length or pattern", diagnostics);
  return Join(parts, " AND ");
}

std::string NotNullPredicate(const CheckSpec& spec) {
  std::vector<std::string> parts;
  for (const PlacedText& column : spec.not_null) parts.push_back(QuoteIdentifier(column.value) + " IS NOT NULL");
  return Join(parts, " AND ");
}

contract::OnFail BuildOnFail(const CheckSpec& spec, Diagnostics& diagnostics) {
  if (!spec.on_fail || spec.on_fail->value == "quarantine") return contract::OnFail::kQuarantine;
  if (spec.on_fail->value == "block") return contract::OnFail::kBlock;
  if (spec.on_fail->value == "warn") return contract::OnFail::kWarn;
  const std::vector<std::string> choices = {"quarantine", "block", "warn"};
  diagnostics.Add(UserError("bad-choice", fmt::format("\"on_fail\" must be quarantine, block or warn, found \"{}\"{}", spec.on_fail->value,
                                                      DidYouMean(spec.on_fail->value, choices)))
                      .At(spec.on_fail->where)
                      .Hint("choose one of: quarantine, block, warn"));
  return contract::OnFail::kQuarantine;
}

std::optional<SqlRule> BuildRule(const CheckSpec& spec, const std::vector<ColumnContract>& columns, Diagnostics& diagnostics) {
  if (spec.broken) return std::nullopt;
  const std::string kind = RuleOf(spec, diagnostics);
  if (kind.empty()) return std::nullopt;
  if (kind != "sql" && kind != "column" && kind != "not_null") {
    diagnostics.Add(UserError("not-a-row-rule", fmt::format("\"{}\" is a rule over a whole table, not over one row", kind))
                        .At(FindGiven(spec, kind)->where)
                        .Hint(kind == "unique" ? "write unique: [COLUMN] beside columns:" : "write it in the source's checks:"));
    return std::nullopt;
  }
  if (!HasOnlyItsKeys(spec, kind, diagnostics)) return std::nullopt;
  if (spec.tolerate)
    diagnostics.Add(UserError("key-of-another-rule", "rules of a contract tolerate nothing")
                        .At(spec.tolerate->where)
                        .Hint("write max_quarantined: in the contract"));
  Texts names = spec.not_null;
  if (spec.column) names.push_back(*spec.column);
  std::vector<std::string> known;
  for (const ColumnContract& column : columns) known.push_back(column.name);
  const size_t before = diagnostics.errors.size();
  CheckColumns(names, known, "column", "this contract", diagnostics);
  if (diagnostics.errors.size() > before) return std::nullopt;
  SqlRule rule{"", "", BuildOnFail(spec, diagnostics), spec.description, spec.sql ? spec.sql->where : spec.where};
  if (kind == "sql")
    rule.predicate = spec.sql->value;
  else if (kind == "not_null")
    rule.predicate = NotNullPredicate(spec);
  else
    rule.predicate = ColumnPredicate(spec, *FindColumn(columns, spec.column->value), diagnostics);
  // Where the condition is not true the CASE is NULL, which breaks no rule.
  if (spec.rule_where) rule.predicate = fmt::format("CASE WHEN {} THEN {} END", spec.rule_where->value, rule.predicate);
  rule.name = spec.name            ? spec.name->value
              : spec.column        ? "rule(" + spec.column->value + ")"
              : kind == "not_null" ? "not_null(" + Join(TextsOf(spec.not_null), ", ") + ")"
                                   : fmt::format("line_{}", spec.where.line);
  return rule;
}

}  // namespace

std::vector<Check> BuildChecks(const std::vector<CheckSpec>& specs, const CheckScope& scope, Diagnostics& diagnostics) {
  CheckNamesDiffer(specs, diagnostics);
  std::vector<Check> checks;
  for (const CheckSpec& spec : specs)
    for (Check& check : BuildCheck(spec, scope, diagnostics)) checks.push_back(std::move(check));
  return checks;
}

std::vector<SqlRule> BuildRules(const std::vector<CheckSpec>& specs, const std::vector<ColumnContract>& columns, Diagnostics& diagnostics) {
  CheckNamesDiffer(specs, diagnostics);
  std::vector<SqlRule> rules;
  for (const CheckSpec& spec : specs)
    if (auto rule = BuildRule(spec, columns, diagnostics)) rules.push_back(*std::move(rule));
  return rules;
}

}  // namespace sluice::project
