// The keys of checks and of contract rules: one vocabulary.
#include "project/keys_common.h"

namespace sluice::project {

using config::Duration;
using config::Either;
using config::ListOf;
using config::Literal;
using config::Mapped;
using config::Object;
using config::OneOrMore;
using config::Sql;

namespace {

config::Type<LengthSpec> ExactOr(const config::Type<LengthSpec>& bounds) {
  const auto exact = Mapped<LengthSpec, Placed<int64_t>>(config::At(config::Integer(0)),
                                                         [](Placed<int64_t> n) { return LengthSpec{n.value, n.value, false, n.where}; });
  return Either(exact, bounds);
}

config::Type<CheckSpec> MakeCheckType() {
  return Object<CheckSpec>(
             "check", "Check",
             "A rule over a whole table, looked at on the staged result before the commit that would show it. Each entry has one of the "
             "rules "
             "`unique`, `not_null`, `column` with `values`, `min`, `max`, `length` or `pattern`, `relationship`, `row_count`, `freshness`, "
             "`accounts_for`, `sql`; the other keys say how it is applied. In the rules of a contract, `column`, `not_null` and `sql` are "
             "allowed, and hold for one row each.")
      .Optional("unique", &CheckSpec::unique, SomeNames("column"), "", "No two rows agree in these columns.")
      .Optional("not_null", &CheckSpec::not_null, SomeNames("column"), "", "None of these columns is NULL.")
      .Optional("column", &CheckSpec::column, Name("column"), "",
                "The column of `values`, `min`, `max`, `length` and `pattern` (one or several of them).")
      .Optional("values", &CheckSpec::values, OneOrMore(Literal()), "",
                "The allowed values of `column`. Also `{ values: COLUMN, in: [a, b] }`.")
      .Optional("in", &CheckSpec::in, ListOf(Literal()), "", "The allowed values, where `values` names the column.")
      .Optional("min", &CheckSpec::min, Literal(), "", "The least value of `column`, inclusive.")
      .Optional("max", &CheckSpec::max, Literal(), "", "The greatest value of `column`, inclusive.")
      .Optional("length", &CheckSpec::length,
                ExactOr(Bounds("length", "Length", "A number of characters (strings), bytes (binary) or items (lists).")), "",
                "The length of `column`.")
      .Optional("pattern", &CheckSpec::pattern, config::PlacedTextOf("pattern", "ORD[0-9]+"), "",
                "What the whole text of `column` must match.")
      .Optional("relationship", &CheckSpec::relationship, Name("column"), "", "Each value of this column, NULL aside, occurs in `to`.")
      .Optional("to", &CheckSpec::to, config::PlacedTextOf("layer.table.column", "silver.customers.customer_id"), "",
                "The column that `relationship` looks into.")
      .Optional("row_count", &CheckSpec::row_count, ExactOr(Bounds("row_count", "Row count", "A number of rows.")), "",
                "How many rows the table has.")
      .Optional("freshness", &CheckSpec::freshness, Name("column"), "", "The greatest value of this column is no older than `within`.")
      .Optional("within", &CheckSpec::within, Duration(), "", "The age that `freshness` allows.")
      .Optional("accounts_for", &CheckSpec::accounts_for, config::PlacedTextOf("table", "bronze.orders"), "",
                "Every `key` of this table comes out of the model.")
      .Optional("key", &CheckSpec::key, SomeNames("column"), "", "The columns that `accounts_for` compares.")
      .Optional("sql", &CheckSpec::sql, Sql("SQL"), "",
                "In a check: a SELECT whose rows are violations; `this` is the table as it will be. In a contract: a predicate that no row "
                "may make false.")
      .Optional("name", &CheckSpec::name, Name("name"), "(made from the rule)", "What reports call it.")
      .Optional("where", &CheckSpec::rule_where, Sql("SQL predicate"), "", "The rule holds only for rows where this is true.")
      .Optional(
          "on_fail", &CheckSpec::on_fail, Name("`block` | `warn` | `quarantine`"), "(`block`; `quarantine` in a contract)",
          "`block`: nothing is published. `warn`: it is published and reported. `quarantine`: in contracts only, the row is set aside.")
      .Optional("tolerate", &CheckSpec::tolerate, config::PlacedTextOf("share or number of rows", "0.1%"), "0",
                "Violations up to this many are no failure.")
      .Optional("description", &CheckSpec::description, config::Text(), "", "Why the rule is there.")
      .Place(&CheckSpec::where)
      .Given(&CheckSpec::given)
      .Broken(&CheckSpec::broken)
      .Slip("accepted_values", "write { column: status, values: [a, b] }")
      .Slip("relationships", "write { relationship: customer_id, to: silver.customers.customer_id }")
      .Slip("severity", "write on_fail: block or on_fail: warn")
      .Slip("expression", "write { sql: \"select * from this where not (…)\" }")
      .Slip("columns", "write the columns behind the rule: { unique: [a, b] }")
      .Example("unique: [order_id]\nname: one_row_per_order")
      .Type();
}

}  // namespace

const config::Type<CheckSpec>& CheckType() {
  static const auto type = MakeCheckType();
  return type;
}

}  // namespace sluice::project
