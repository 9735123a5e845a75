#include <nlohmann/json.hpp>

#include "engines/sql/sql_fixture.h"

namespace sluice::engines {
namespace {

TEST_F(SqlTest, FindsTablesWhereverTheyStand) {
  EXPECT_EQ(Uses("select * from bronze.orders"), "bronze.orders@1:15");
  EXPECT_EQ(Uses("with c as (select 1 from bronze.orders)\nselect * from c join \"silver\".\"customers\" using (customer_id)"),
            "bronze.orders@1:26 silver.customers@2:22");
  EXPECT_EQ(
      Uses(
          "select (select max(amount) from silver.orders o where o.order_id = b.order_id) from bronze.orders b where exists (from gold.x)"),
      "silver.orders@1:33 bronze.orders@1:85 gold.x@1:120");
  EXPECT_EQ(Uses("select 1 from bronze.a union all (select 2 from bronze.b except select 3 from bronze.c)"),
            "bronze.a@1:15 bronze.b@1:49 bronze.c@1:79");
  EXPECT_EQ(Uses("select * from new(bronze.orders) n, changes(silver.customers), this, batch"),
            "new(bronze.orders)@1:15 changes(silver.customers)@1:37 this@1:64 batch@1:70");
  EXPECT_EQ(Uses("select * from bronze.orders a, bronze.orders b"), "bronze.orders@1:15");
  EXPECT_EQ(Uses("from \"BRONZE\".\"Odd Name\""), "bronze.Odd Name@1:6");
  EXPECT_EQ(Uses("select * from range(10) r(i), generate_series(1, 2), unnest([1]) u(x), (values (1)) v(y)"), "");
}

TEST_F(SqlTest, CteNamesHideTablesOnlyWhereTheyAreSeen) {
  EXPECT_EQ(Uses("with orders as (select * from bronze.orders) select * from orders"), "bronze.orders@1:31");
  EXPECT_EQ(Uses("with recursive r as (select 1 n union all select n + 1 from r where n < 9) select * from r"), "");
  EXPECT_EQ(Uses("with a as (select 1), b as (select * from a) select * from (with c as (select * from b) select * from c)"), "");
  EXPECT_EQ(Uses("with a as (select * from b), b as (select 1) select * from a"), "1:26 unqualified-table: table \"b\" needs its layer");
  EXPECT_EQ(Uses("with a as (select * from a) select * from a"), "1:26 unqualified-table: table \"a\" needs its layer");
  EXPECT_EQ(Uses("select * from (with c as (select 1) select * from c), c"), "1:55 unqualified-table: table \"c\" needs its layer");
  EXPECT_EQ(Uses("with this as (select 1) select * from this"), "");
}

TEST_F(SqlTest, PositionsCountBytesOverLinesCommentsAndUnicode) {
  EXPECT_EQ(Uses("-- müßig\nselect 'ü' as x /* ß */\n  from  bronze.orders\n"), "bronze.orders@3:9");
  EXPECT_EQ(Uses("select 1\u00A0as x from\u2003bronze.orders"), "bronze.orders@1:23");
  EXPECT_EQ(ParseError("select 1 as x\nfrom bronze.orders\nwhere where"), "3:7 sql-syntax: syntax error at or near \"where\"");
  EXPECT_EQ(ParseError("select 'ü',\n  a b c from bronze.orders"), "2:6 sql-syntax: syntax error at or near \"c\"");
}

TEST_F(SqlTest, SqlHasNoTemplates) {
  EXPECT_EQ(ParseError("select '${var:x}' as a\nfrom bronze.orders where b = '${env:HOME}'"),
            "1:9 template-in-sql: SQL has no ${var:x}\n2:31 template-in-sql: SQL has no ${env:HOME}");
  EXPECT_EQ(ParseError("select ${var:x} as a"), "1:8 template-in-sql: SQL has no ${var:x}");
  EXPECT_EQ(ParseError("select 1 as a -- not ${var:x}\n, '${x}' as b, '$var:x' as c"), "parsed");
}

TEST_F(SqlTest, RefusesWhatIsNoSelect) {
  EXPECT_EQ(ParseError("create table t (a int)"), "1:1 not-a-select: a model is one SELECT; this is create");
  EXPECT_EQ(ParseError("-- only a comment\n"), "1:1 not-a-select: there is no SELECT in this file");
  EXPECT_EQ(ParseError("select 1;\nselect 2"), "2:8 not-a-select: there are 2 statements; a model is one SELECT");
  EXPECT_EQ(ParseError("attach 'x.db'"), "1:1 not-a-select: a model is one SELECT; this is attach");
  EXPECT_EQ(ParseError("delete from bronze.orders"), "1:1 not-a-select: a model is one SELECT; this is delete");
  ExpectStart(ParseError("describe bronze.orders"), "1:10 not-a-select:");
  EXPECT_EQ(ParseError("select * from (pivot bronze.orders on customer_id using sum(amount))"),
            "1:16 sql-unsupported: a PIVOT whose columns depend on the data cannot be planned");
  EXPECT_EQ(ParseError("select 1;"), "parsed");
}

TEST_F(SqlTest, RefusesReadsThatAreNotTracked) {
  EXPECT_EQ(ParseError("select *\nfrom 'data/x.csv'"),
            "2:6 untracked-read: a model may not read the file 'data/x.csv': what it read could not be told later");
  ExpectStart(ParseError("select * from read_csv('x.csv')"), "1:15 untracked-read:");
  ExpectStart(ParseError("select * from read_parquet(['s3://b/x.parquet'])"), "1:15 untracked-read:");
  ExpectStart(ParseError("select * from delta_scan('t')"), "1:15 untracked-read:");
  ExpectStart(ParseError("select * from duckdb_tables()"), "1:15 untracked-read:");
  ExpectStart(ParseError("select * from query('select 1')"), "1:15 untracked-read:");
  ExpectStart(ParseError("select * from other.main.t"), "1:15 untracked-read:");
  ExpectStart(ParseError("select getenv('HOME')"), "1:8 untracked-read:");
  ExpectStart(ParseError("select * from information_schema.tables"), "1:15 unknown-table:");
  EXPECT_EQ(ParseError("select * from bronz.orders"), "1:15 unknown-table: there is no layer \"bronz\" (did you mean \"bronze\"?)");
  EXPECT_EQ(ParseError("select * from ranges(3)"),
            "1:15 unknown-function-of-tables: ranges() cannot stand in FROM (did you mean \"range\"?)");
  EXPECT_EQ(ParseError("select * from new(orders)"), "1:15 bad-table-use: new() takes one table");
  EXPECT_EQ(ParseError("select * from new('bronze.orders')"), "1:15 bad-table-use: new() takes one table");
}

TEST_F(SqlTest, RefusesWhatDiffersFromRunToRun) {
  EXPECT_EQ(ParseError("select random() as r"), "1:8 nondeterministic: random() gives another value each time");
  EXPECT_EQ(ParseError("select 1,\n  uuid() as u"), "2:3 nondeterministic: uuid() gives another value each time");
  ExpectStart(ParseError("select order_id from bronze.orders order by gen_random_uuid()"), "1:45 nondeterministic: ");
  ExpectStart(ParseError("select nextval('s')"), "1:8 nondeterministic");
  ExpectStart(ParseError("select * from bronze.orders tablesample 10%"), "1:15 nondeterministic");
  ExpectStart(ParseError("select * from bronze.orders at (version => 3)"), "1:15 sql-unsupported: ");
}

TEST_F(SqlTest, AllErrorsOfATextComeAtOnce) {
  EXPECT_EQ(ParseError("select random(), uuid() from orders, x.y, 'f.csv'"),
            "1:8 nondeterministic: random() gives another value each time\n"
            "1:18 nondeterministic: uuid() gives another value each time\n"
            "1:30 unqualified-table: table \"orders\" needs its layer\n"
            "1:38 unknown-table: there is no layer \"x\"\n"
            "1:43 untracked-read: a model may not read the file 'f.csv': what it read could not be told later");
}

TEST_F(SqlTest, AggregatesStraightOverNewRowsAreRefused) {
  const std::string refused =
      "aggregate-over-new: this aggregate sees only the rows of new(bronze.orders), not the whole groups they belong to";
  EXPECT_EQ(ParseError("select customer_id, sum(amount) from new(bronze.orders) group by 1"), "1:21 " + refused);
  EXPECT_EQ(ParseError("select count(*) from new(bronze.orders) o join silver.customers c using (customer_id)"), "1:8 " + refused);
  EXPECT_EQ(ParseError("with n as (select * from new(bronze.orders) where amount > 0) select max(amount) from n"), "1:70 " + refused);
  EXPECT_EQ(ParseError("select max(x) from (select amount as x from new(bronze.orders))"), "1:8 " + refused);
  EXPECT_EQ(ParseError("select 1 as a union all select count(*) from new(bronze.orders)"), "1:32 " + refused);
  EXPECT_EQ(ParseError("select order_id from new(bronze.orders)"), "parsed");
  EXPECT_EQ(ParseError("with keys as (select distinct customer_id from new(bronze.orders)) "
                       "select customer_id, sum(amount) as total from bronze.orders semi join keys using (customer_id) group by 1"),
            "parsed");
  EXPECT_EQ(ParseError("select customer_id, sum(amount) as total from bronze.orders where customer_id in (select customer_id from "
                       "new(bronze.orders)) group by 1"),
            "parsed");
  EXPECT_EQ(ParseError("select *, row_number() over (partition by order_id order by updated_at) as rn from new(bronze.orders)"), "parsed");
  const auto tree = Parse("select count(*) from changes(bronze.orders)");
  ASSERT_FALSE(tree);
  EXPECT_NE(tree.error().hint.find("SELECT DISTINCT key FROM changes(bronze.orders)"), std::string::npos);
  EXPECT_NE(tree.error().hint.find("FROM bronze.orders WHERE key IN"), std::string::npos);
}

TEST_F(SqlTest, WarnsWhereTheOrderIsLeftOpen) {
  const auto warned = [&](const std::string& sql) {
    warnings_.clear();
    EXPECT_EQ(ParseError(sql), "parsed");
    std::string text;
    for (const Error& w : warnings_) text += (text.empty() ? "" : ", ") + w.where.ToString() + " " + w.code;
    return text;
  };
  EXPECT_EQ(warned("select row_number() over (partition by order_id) as rn from bronze.orders"), "models/m.sql:1:8 window-order");
  EXPECT_EQ(warned("select lag(amount) over (order by 1) as rn from bronze.orders"), "models/m.sql:1:8 window-order");
  EXPECT_EQ(warned("select first_value(amount) over (order by updated_at) as v from bronze.orders"), "");
  EXPECT_EQ(warned("select sum(amount) over (partition by order_id) as v from bronze.orders"), "");
  EXPECT_EQ(warned("select order_id\nfrom bronze.orders limit 10"), "models/m.sql:2:26 limit-order");
  EXPECT_EQ(warned("select order_id from bronze.orders order by 1 limit 10"), "");
  EXPECT_EQ(warned("select distinct on (order_id) * from bronze.orders"), "models/m.sql:1:21 limit-order");
  EXPECT_EQ(warned("select string_agg(order_id, ',') as s, array_agg(order_id order by order_id) as a from bronze.orders"),
            "models/m.sql:1:8 aggregate-order");
}

TEST_F(SqlTest, ClockFunctionsBecomeTheRunsParameters) {
  const auto tree = Parse("select now(), current_date, today() as t, current_timestamp - interval 1 day as y, localtimestamp as l");
  ASSERT_TRUE(tree) << tree.error().ToString();
  EXPECT_EQ(tree->CanonicalSql(),
            "SELECT $run_started_at AS \"now()\", $run_date AS current_date, $run_date AS t, "
            "($run_started_at - to_days(CAST(trunc(CAST(1 AS DOUBLE)) AS INTEGER))) AS y, CAST($run_started_at AS TIMESTAMP) AS l");
  EXPECT_EQ(tree->parameters(), (std::vector<std::string>{"run_started_at", "run_date"}));
  EXPECT_EQ(Bound("select now() as n, current_date, localtimestamp as l from bronze.orders"),
            "n timestamp, current_date date, l timestamp_ntz");
}

TEST_F(SqlTest, ParametersAreListedOnce) {
  const auto tree = Parse("select $start as a, $end as b from bronze.orders where ordered_on >= $start");
  ASSERT_TRUE(tree) << tree.error().ToString();
  EXPECT_EQ(tree->parameters().size(), 2u);
  EXPECT_EQ(ParseError("select ? as a"), "1:8 sql-unsupported: parameters have names: $start");
}

TEST_F(SqlTest, FingerprintIgnoresLayoutAndSeesMeaning) {
  const auto print = [&](const std::string& sql) { return Parse(sql).value().fingerprint(); };
  const std::string base = print("select order_id, sum(amount) as total from bronze.orders where amount > 0 group by 1");
  EXPECT_EQ(base.size(), 16u);
  EXPECT_EQ(base,
            print("-- new words\nSELECT order_id,\n  SUM(amount) AS total /* x */\nFROM bronze.orders\nWHERE amount > 0\nGROUP BY 1"));
  EXPECT_NE(base, print("select order_id, sum(amount) as total from bronze.orders where amount > 1 group by 1"));
  EXPECT_NE(base, print("select order_id, sum(amount) as total from silver.orders where amount > 0 group by 1"));
  EXPECT_NE(base, print("select order_id, sum(amount) as totals from bronze.orders where amount > 0 group by 1"));
}

TEST_F(SqlTest, ExpressionsOfYaml) {
  const Location origin{"models/m.yml", 4, 14};
  EXPECT_EQ(sql_->ParseExpression("status = 'deleted'  or amount<0", origin).value(), "((status = 'deleted') OR (amount < 0))");
  ExpectStart(Brief(sql_->ParseExpression("status = = 'x'", origin).error()), "4:23 sql-syntax:");
  EXPECT_EQ(Brief(sql_->ParseExpression("a, b", origin).error()), "4:14 not-an-expression: expected one expression over the row's columns");
  for (const char* bad : {"a from bronze.t", "(select 1)", "a as b", "row_number() over ()", "*", "a order by 1"})
    EXPECT_FALSE(sql_->ParseExpression(bad, origin)) << bad;
  EXPECT_EQ(sql_->ParseExpression("random() < 1", origin).error().code, "nondeterministic");
  EXPECT_EQ(sql_->BindExpression("amount > 0 and address.city = 'X'", origin, Orders(), {}).value().ToString(), "boolean");
  EXPECT_EQ(Brief(sql_->BindExpression("amount > 0 and\namuont < 5", origin, Orders(), {}).error()),
            "5:1 unknown-column: there is no column \"amuont\" here (did you mean \"amount\"?)");
}

}  // namespace
}  // namespace sluice::engines
