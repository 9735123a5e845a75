#include <fmt/format.h>

#include <charconv>

#include "core/text.h"
#include "plan/graph.h"

namespace sluice::plan {
namespace {

using project::Check;

std::string Column(const std::string& name) { return QuoteIdentifier(name); }

std::string Columns(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const auto& name : names) quoted.push_back(Column(name));
  return Join(quoted, ", ");
}

// Every column against one predicate with {} for it, joined by `by`.
std::string Each(const std::vector<std::string>& columns, std::string_view by,
                 const std::function<std::string(const std::string&)>& predicate) {
  std::vector<std::string> parts;
  for (const auto& column : columns) parts.push_back(predicate(Column(column)));
  return Join(parts, by);
}

// Numbers stand bare, all else as a text literal that DuckDB casts to the column's type.
std::string Literal(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? text : QuoteLiteral(text);
}

std::string Where(const Check& check) { return check.where_sql.empty() ? "true" : "(" + check.where_sql + ")"; }

std::string Violating(const Check& check, const std::string& predicate) {
  return fmt::format("select * from this where ({}) and {}", predicate, Where(check));
}

std::string Bounds(const Check& check, const std::string& value) {
  std::vector<std::string> parts;
  if (check.min) parts.push_back(value + " < " + Literal(*check.min));
  if (check.max) parts.push_back(value + " > " + Literal(*check.max));
  return "(" + Join(parts, " or ") + ")";
}

std::string Values(const Check& check) {
  std::vector<std::string> literals;
  for (const auto& value : check.values) literals.push_back(QuoteLiteral(value));
  return Join(literals, ", ");
}

std::string Table(const std::string& name) {
  const size_t dot = name.find('.');
  return dot == std::string::npos ? Column(name) : Column(name.substr(0, dot)) + "." + Column(name.substr(dot + 1));
}

}  // namespace

std::string CheckSql(const Check& check, const project::Model*) {
  switch (check.kind) {
    case Check::Kind::kNotNull:
      return Violating(check, Each(check.columns, " or ", [](const auto& c) { return c + " is null"; }));
    case Check::Kind::kUnique:
      return fmt::format("select {}, count(*) as copies from this where {} and {} group by {} having count(*) > 1", Columns(check.columns),
                         Each(check.columns, " and ", [](const auto& c) { return c + " is not null"; }), Where(check),
                         Columns(check.columns));
    case Check::Kind::kValues:
      return Violating(check, Each(check.columns, " or ",
                                   [&](const auto& c) { return fmt::format("cast({} as varchar) not in ({})", c, Values(check)); }));
    case Check::Kind::kMin:
    case Check::Kind::kMax:
      return Violating(check, Each(check.columns, " or ", [&](const auto& c) { return Bounds(check, c); }));
    case Check::Kind::kLength:
      return Violating(check, Each(check.columns, " or ", [&](const auto& c) { return Bounds(check, "length(" + c + ")"); }));
    case Check::Kind::kPattern:
      return Violating(check, Each(check.columns, " or ", [&](const auto& c) {
                         return fmt::format("not regexp_full_match({}, {})", c, QuoteLiteral(check.pattern));
                       }));
    case Check::Kind::kRelationship:
      return fmt::format(
          "select checked.* from (select * from this where {}) as checked where checked.{} is not null and not exists (select 1 from {} as "
          "referred where referred.{} = checked.{})",
          Where(check), Column(check.columns[0]), Table(check.to_table), Column(check.to_column), Column(check.columns[0]));
    case Check::Kind::kRowCount:
      return fmt::format("select row_count from (select count(*) as row_count from this where {}) as counted where {}", Where(check),
                         Bounds(check, "row_count"));
    case Check::Kind::kFreshness:
      return fmt::format(
          "select newest from (select max({}) as newest from this where {}) as found where newest is null or cast(newest as timestamptz) < "
          "now() - to_microseconds({})",
          Column(check.columns[0]), Where(check), check.within_micros.value_or(0));
    case Check::Kind::kAccountsFor:
      return fmt::format("select distinct {0} from {1} where {2} except select {0} from this", Columns(check.columns),
                         Table(check.accounts_for), Where(check));
    case Check::Kind::kSql:
      return check.sql;
  }
  return check.sql;
}

std::string CheckedRowsSql(const Check& check) {
  const bool own_rows = check.kind != Check::Kind::kAccountsFor;
  return fmt::format("select count(*) from {} where {}", own_rows ? "this" : Table(check.accounts_for),
                     check.kind == Check::Kind::kSql ? "true" : Where(check));
}

}  // namespace sluice::plan
