// The rules of a contract: predicates over one row.
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "project/build.h"
#include "project/check_keys.h"
#include "project/names.h"

namespace sluice::project {
namespace {

using contract::ColumnContract;
using contract::SqlRule;

const ColumnContract* FindColumn(const std::vector<ColumnContract>& columns, const std::string& name) {
  for (const ColumnContract& column : columns)
    if (EqualsIgnoreCase(column.name, name)) return &column;
  return nullptr;
}

// Are the rule's values, min and max exact values of the column's type? A cast would round what is not.
void CheckLiterals(const CheckSpec& spec, const ColumnContract& column, Diagnostics& diagnostics) {
  if (column.type.is_nested()) return;
  for (const PlacedText& value : spec.values) CheckLiteral(value, column.type, "UTC", "the value", diagnostics);
  if (spec.min) CheckLiteral(*spec.min, column.type, "UTC", "min", diagnostics);
  if (spec.max) CheckLiteral(*spec.max, column.type, "UTC", "max", diagnostics);
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
  if (!CheckSomeValues(spec.given, spec.values, "values", diagnostics)) return "";
  CheckLiterals(spec, column, diagnostics);
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

// "min, max(total)": what reports call a rule that has no name.
std::string MadeName(const CheckSpec& spec, const std::string& kind) {
  if (kind == "sql") return fmt::format("sql:{}", spec.where.line);
  if (kind == "not_null") return "not_null(" + Join(TextsOf(spec.not_null), ", ") + ")";
  std::vector<std::string> parts;
  for (const char* part : {"values", "min", "max", "length", "pattern"})
    if (FindGiven(spec, part)) parts.emplace_back(part);
  return Join(parts, ", ") + "(" + spec.column->value + ")";
}

// What a quarantined record says of the rule, in the words of the file.
std::string MadeMessage(const CheckSpec& spec, const std::string& kind, const SqlRule& rule) {
  std::string text;
  if (kind == "sql") {
    text = "breaks " + rule.predicate;
  } else if (kind == "not_null") {
    text = Join(TextsOf(spec.not_null), ", ") + " must not be NULL";
  } else {
    std::vector<std::string> parts;
    if (!spec.values.empty()) parts.push_back("one of " + Join(TextsOf(spec.values), ", "));
    if (spec.min) parts.push_back("at least " + spec.min->value);
    if (spec.max) parts.push_back("at most " + spec.max->value);
    if (spec.length) parts.emplace_back("of the length");
    if (spec.pattern) parts.push_back("like " + spec.pattern->value);
    text = spec.column->value + " must be " + Join(parts, " and ");
  }
  return spec.rule_where ? text + " where " + spec.rule_where->value : text;
}

// The names by which ingest reports whole records that it could not read or place; a rule of the same name would be taken for them.
void CheckRuleName(const PlacedText& name, Diagnostics& diagnostics) {
  static const std::vector<std::string> kTaken = {"type", "fields", "quote", "encoding", "json", "length", "unique", "new_column"};
  if (std::find(kTaken.begin(), kTaken.end(), name.value) != kTaken.end())
    diagnostics.Add(UserError("bad-name", fmt::format("\"{}\" is what reports call a record that breaks Sluice's own rule", name.value))
                        .At(name.where)
                        .Hint("choose another name"));
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
  if (rule.description.empty()) rule.description = MadeMessage(spec, kind, rule);
  // Where the condition is not true the CASE is NULL, which breaks no rule.
  if (spec.rule_where) rule.predicate = fmt::format("CASE WHEN {} THEN {} END", spec.rule_where->value, rule.predicate);
  if (spec.name) CheckRuleName(*spec.name, diagnostics);
  rule.name = spec.name ? spec.name->value : MadeName(spec, kind);
  return rule;
}

}  // namespace

std::vector<SqlRule> BuildRules(const std::vector<CheckSpec>& specs, const std::vector<ColumnContract>& columns, Diagnostics& diagnostics) {
  CheckNamesDiffer(specs, diagnostics);
  std::vector<SqlRule> rules;
  for (const CheckSpec& spec : specs)
    if (auto rule = BuildRule(spec, columns, diagnostics)) rules.push_back(*std::move(rule));
  return rules;
}

}  // namespace sluice::project
