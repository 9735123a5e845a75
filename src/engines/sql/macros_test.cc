#include "engines/sql/sql_fixture.h"

namespace sluice::engines {
namespace {

class MacroTest : public SqlTest {
 protected:
  std::string Add(const std::string& sql, int line = 1) {
    const Status status = sql_->AddMacros({{sql, {"macros/m.sql", line, 1}}});
    return status ? "ok" : Brief(status.error());
  }
  std::string Expanded(const std::string& sql) {
    const auto tree = Parse(sql);
    return tree ? tree->CanonicalSql() : Brief(tree.error());
  }
};

TEST_F(MacroTest, ScalarMacrosTakePositionalNamedAndDefaultArguments) {
  EXPECT_EQ(Add("create macro net(x, rate := 0.2, digits => 2) as round(x * (1 - rate), digits);"), "ok");
  EXPECT_EQ(Expanded("select net(amount) as n from bronze.orders"), "SELECT round((amount * (1 - 0.2)), 2) AS n FROM bronze.orders");
  EXPECT_EQ(Expanded("select net(amount, digits := 0, rate := r + 1) as n from bronze.orders"),
            "SELECT round((amount * (1 - (r + 1))), 0) AS n FROM bronze.orders");
  EXPECT_EQ(Expanded("select NET(amount) from bronze.orders"), "SELECT round((amount * (1 - 0.2)), 2) AS net FROM bronze.orders");
  EXPECT_EQ(Bound("select net(amount) from bronze.orders where net(amount) > 1"), "net decimal(18,2)");
}

TEST_F(MacroTest, MacrosCallMacrosAndLambdasHideParameters) {
  EXPECT_EQ(Add("CREATE OR REPLACE MACRO twice(x) AS x + x"), "ok");
  EXPECT_EQ(Add("create macro quad(y) as twice(twice(y))"), "ok");
  EXPECT_EQ(Add("create macro each(l, x) as list_transform(l, x -> x + 1)"), "ok");
  EXPECT_EQ(Add("create macro city(a) as upper(a.city)"), "ok");
  EXPECT_EQ(Expanded("select quad(n) as q from bronze.orders"), "SELECT ((n + n) + (n + n)) AS q FROM bronze.orders");
  EXPECT_EQ(Expanded("select each(tags, 7) as q from bronze.orders"),
            "SELECT list_transform(tags, (x -> (x + 1))) AS q FROM bronze.orders");
  EXPECT_EQ(Bound("select city(address) as c, city(o.address) as d from bronze.orders o"), "c string, d string");
}

TEST_F(MacroTest, ArgumentsAreNotTakenForParametersOfTheSameName) {
  EXPECT_EQ(Add("create macro diff(a, b) as a - b"), "ok");
  EXPECT_EQ(Expanded("select diff(b, a) as d from bronze.orders"), "SELECT (b - a) AS d FROM bronze.orders");
  EXPECT_EQ(Add("create macro flip(a, b) as diff(b, a)"), "ok");
  EXPECT_EQ(Expanded("select flip(a, b) as d from bronze.orders"), "SELECT (b - a) AS d FROM bronze.orders");
}

TEST_F(MacroTest, TableMacrosBecomeSubqueriesWhoseTablesAreInputs) {
  EXPECT_EQ(Add("create macro big(least) as table\n  select * from bronze.orders where amount > least"), "ok");
  EXPECT_EQ(Uses("select * from big(10) b join silver.customers using (customer_id)"), "bronze.orders@1:15 silver.customers@1:30");
  EXPECT_EQ(Bound("select b.order_id, big.amount from big(1) b, big(2)"), "order_id string, amount decimal(12,2)");
  EXPECT_EQ(ParseError("select big(1) as x"), "1:8 bad-macro-call: big gives rows: call it in FROM");
}

TEST_F(MacroTest, ErrorsStandAtTheCall) {
  EXPECT_EQ(Add("create macro net(x, rate := 0.2) as x * rate * missing"), "ok");
  EXPECT_EQ(ParseError("select 1 as a,\n  net() as b"), "2:3 bad-macro-call: net needs its argument x");
  EXPECT_EQ(ParseError("select net(1, 2, 3) as b"), "1:8 bad-macro-call: net takes 2 arguments, not 3");
  EXPECT_EQ(ParseError("select net(1, rat := 2) as b"), "1:8 bad-macro-call: net has no parameter rat");
  EXPECT_EQ(ParseError("select net(1, x := 2) as b"), "1:8 bad-macro-call: net gets its parameter x twice");
  EXPECT_EQ(ParseError("select net(distinct 1) as b"),
            "1:8 bad-macro-call: net is a macro: DISTINCT, FILTER and ORDER BY belong inside it");
  EXPECT_EQ(Bound("select order_id,\n  net(amount) as b from bronze.orders"), "2:3 unknown-column: there is no column \"missing\" here");
  EXPECT_EQ(Bound("select net(amont) as b from bronze.orders"),
            "1:12 unknown-column: there is no column \"amont\" here (did you mean \"amount\"?)");
  EXPECT_EQ(Add("create macro dice() as random()"), "ok");
  EXPECT_EQ(ParseError("select dice() as d"), "1:8 nondeterministic: random() gives another value each time");
}

TEST_F(MacroTest, BadMacrosAreRefusedAtTheirPlace) {
  EXPECT_EQ(Add("create macro f(x) as\n  x + + ", 3), "4:8 sql-syntax: syntax error at end of input");
  EXPECT_EQ(Add("create table t (a int)"), "1:8 bad-macro: expected MACRO");
  EXPECT_EQ(Add("create macro f x as 1"), "1:16 bad-macro: expected ( and the parameters");
  EXPECT_EQ(Add("create macro f(x) as 1, 2"), "1:22 bad-macro: expected one expression");
  EXPECT_EQ(Add("create macro f(x y) as 1"), "1:18 bad-macro: expected , or )");
  EXPECT_EQ(Add("create macro ok(x) as x"), "ok");
  EXPECT_EQ(Add("create macro OK(y) as y", 9), "9:1 bad-macro: macro OK is already made at macros/m.sql:1:1");
  EXPECT_EQ(Add("create macro ping(x) as pong(x)"), "ok");
  EXPECT_EQ(Add("create macro pong(x) as ping(x)", 7), "ok");
  EXPECT_EQ(ParseError("select ping(1) as p"), "1:1 bad-macro: macro ping calls itself: ping → pong → ping");
}

TEST_F(MacroTest, FingerprintSeesTheMacrosBody) {
  EXPECT_EQ(Add("create macro f(x) as x + 1"), "ok");
  const std::string before = Parse("select f(a) as b from bronze.orders").value().fingerprint();
  EXPECT_EQ(before, Parse("select a + 1 as b from bronze.orders").value().fingerprint());
  EXPECT_NE(before, Parse("select a + 2 as b from bronze.orders").value().fingerprint());
}

}  // namespace
}  // namespace sluice::engines
