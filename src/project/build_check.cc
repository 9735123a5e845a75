// Checks: from the one vocabulary of rules to values.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "project/build.h"
#include "project/check_keys.h"
#include "project/names.h"

namespace sluice::project {
namespace {

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

// The checks that one entry with `column` makes: one of each rule in it.
std::vector<Check> ColumnChecks(const CheckSpec& spec, const Check& base, Diagnostics& diagnostics) {
  std::vector<Check> checks;
  const auto add = [&](Check::Kind kind) -> Check& {
    checks.push_back(base);
    checks.back().kind = kind;
    checks.back().columns = {spec.column->value};
    return checks.back();
  };
  if (!CheckSomeValues(spec.given, spec.values, "values", diagnostics)) return {};
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
  if (!CheckSomeValues(spec.given, spec.in, "in", diagnostics)) return {};
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

}  // namespace

std::vector<Check> BuildChecks(const std::vector<CheckSpec>& specs, const CheckScope& scope, Diagnostics& diagnostics) {
  CheckNamesDiffer(specs, diagnostics);
  std::vector<Check> checks;
  for (const CheckSpec& spec : specs)
    for (Check& check : BuildCheck(spec, scope, diagnostics)) checks.push_back(std::move(check));
  return checks;
}

}  // namespace sluice::project
