#include "engines/sql/sql_fixture.h"

namespace sluice::engines {
namespace {

TEST_F(SqlTest, BindsModelsToNormalisedSchemas) {
  EXPECT_EQ(Bound("select order_id, sum(amount) as total, count(*) as n, max(updated_at) as last from bronze.orders group by all"),
            "order_id string, total decimal(38,2), n bigint, last timestamp");
  EXPECT_EQ(Bound("select sum(customer_id) as s, avg(amount) as a, 'x'::uuid as u, 1::ubigint as ub, 1::uinteger as ui, [1, 2] as l, "
                  "{'a': 1, 'b': [amount]} as st, map {'k': 1} as m, address from bronze.orders group by all"),
            "s bigint, a double, u string, ub decimal(20,0), ui bigint, l list<integer>, st struct<a: integer, b: list<decimal(12,2)>>, "
            "m map<string, integer>, address struct<city: string, zip: string>");
  EXPECT_EQ(
      Bound("select ordered_on + interval 1 day as next, date_trunc('month', ordered_on) as month, $limit_to + 1 as p from bronze.orders"),
      "next timestamp_ntz, month timestamp_ntz, p bigint");
}

TEST_F(SqlTest, MetadataColumnsAreNotPartOfStar) {
  EXPECT_EQ(Bound("select * from silver.customers"), "customer_id bigint, name string, region string");
  EXPECT_EQ(Bound("select c.*, o.order_id from bronze.orders o join silver.customers c using (customer_id)"),
            "customer_id bigint, name string, region string, order_id string");
  ExpectStart(Bound("select *, _file, _row from bronze.orders where region_of(_file) = 'x'"), "1:48 unknown-function");
  EXPECT_EQ(Bound("select * exclude (tags, address, updated_at), _file from bronze.orders"),
            "order_id string, customer_id bigint, amount decimal(12,2), ordered_on date, _file string");
  EXPECT_EQ(Bound("select c.*, o._file, c._run_id from bronze.orders o, silver.customers c"),
            "customer_id bigint, name string, region string, _file string, _run_id string");
  EXPECT_EQ(
      Bound("select * exclude (o.tags, o.address, o.customer_id, _batch_id), o._batch_id as b from bronze.orders o, silver.customers c"),
      "order_id string, amount decimal(12,2), ordered_on date, updated_at timestamp, customer_id bigint, name string, region string, b "
      "bigint");
  EXPECT_EQ(Bound("with x as (select *, _run_id as run from silver.customers) select * from x"),
            "customer_id bigint, name string, region string, run string");
  EXPECT_EQ(Bound("select count(*) as n from silver.customers natural join silver.orders where region = 'x'"), "n bigint");
  EXPECT_EQ(Bound("select * from silver.customers anti join bronze.orders o on o.customer_id = customers.customer_id and o._row > 5"),
            "customer_id bigint, name string, region string");
  EXPECT_EQ(Bound("select min(columns(*)) from silver.customers where _batch_id > 1").find("_batch_id"), std::string::npos);
}

TEST_F(SqlTest, TablesKeepTheNamesTheyWereWrittenWith) {
  EXPECT_EQ(Bound("select orders.order_id, bronze.orders.amount, bronze.orders.address.city from bronze.orders"),
            "order_id string, amount decimal(12,2), city string");
  EXPECT_EQ(Bound("select bronze.orders.order_id, silver.orders.amount from bronze.orders join silver.orders on bronze.orders.order_id = "
                  "silver.orders.order_id"),
            "order_id string, amount decimal(12,2)");
  EXPECT_EQ(Bound("select orders.order_id from new(bronze.orders)"), "order_id string");
  EXPECT_EQ(Bound("select this.name, batch.amount from this, batch"), "name string, amount decimal(12,2)");
  EXPECT_EQ(
      Bound("select (select max(c.name) from silver.customers c where c.customer_id = bronze.orders.customer_id) as n from bronze.orders"),
      "n string");
  EXPECT_EQ(Bound("select o.a from bronze.orders as o(a, b)"), "a string");
  EXPECT_EQ(Bound("select orders.city from (select address.city from bronze.orders) orders"), "city string");
}

struct BadQuery {
  const char* sql;
  const char* error;
};

TEST_F(SqlTest, BinderErrorsPointAtTheUsersText) {
  const BadQuery bad[] = {
      {"select order_idd from bronze.orders", "1:8 unknown-column: there is no column \"order_idd\" here (did you mean \"order_id\"?)"},
      {"select order_id,\n       amuont * 2 as x\nfrom bronze.orders",
       "2:8 unknown-column: there is no column \"amuont\" here (did you mean \"amount\"?)"},
      {"select o.order_idd from bronze.orders o", "1:8 unknown-column: o has no column \"order_idd\" (did you mean \"order_id\"?)"},
      {"select bronze.orders.amout from bronze.orders", "1:8 unknown-column: orders has no column \"amout\" (did you mean \"amount\"?)"},
      {"select 1 as one from bronze.orders where\n amount > 1 and\n statu = 'x'", "3:2 unknown-column: there is no column \"statu\" here"},
      {"select order_id from bronze.orders group by order_id having amounts > 1",
       "1:61 unknown-column: there is no column \"amounts\" here (did you mean \"amount\"?)"},
      {"select order_id from bronze.orders order by amuont",
       "1:45 unknown-column: there is no column \"amuont\" here (did you mean \"amount\"?)"},
      {"with c as (\n  select ordr_id from bronze.orders\n) select * from c",
       "2:10 unknown-column: there is no column \"ordr_id\" here (did you mean \"order_id\"?)"},
      {"with c as (select order_id as id from bronze.orders) select order_id from c",
       "1:61 unknown-column: there is no column \"order_id\" here"},
      {"select * exclude (foo) from silver.customers", "1:19 unknown-column: there is no column \"foo\" here"},
      {"select * replace (1 as foo) from silver.customers", "1:24 unknown-column: there is no column \"foo\" here"},
      {"select 1 as x from bronze.orders join silver.customers using (custmer_id)",
       "1:63 unknown-column: there is no column \"custmer_id\" here (did you mean \"customer_id\"?)"},
      {"select order_id from bronze.orders qualify row_number() over (partition by ordr order by amount) = 1",
       "1:76 unknown-column: there is no column \"ordr\" here"},
      {"select sum(amount) over (order by updted_at) as s from bronze.orders",
       "1:35 unknown-column: there is no column \"updted_at\" here (did you mean \"updated_at\"?)"},
      {"select (select max(nme) from silver.customers) as n from bronze.orders",
       "1:20 unknown-column: there is no column \"nme\" here (did you mean \"name\"?)"},
      {"select case when amount > 0 then ordid else 'x' end as c from bronze.orders",
       "1:34 unknown-column: there is no column \"ordid\" here"},
      {"select address.citi as c from bronze.orders", "1:16 unknown-column: the struct has no field \"citi\""},
      {"select 'ü' as u, x.amount from bronze.orders o", "1:19 unknown-alias: no table in this FROM is called \"x\""},
      {"select ordrs.amount from bronze.orders", "1:8 unknown-alias: no table in this FROM is called \"ordrs\" (did you mean \"orders\"?)"},
      {"select x.* from bronze.orders o", "1:8 unknown-alias: no table in this FROM is called \"x\""},
      {"select\n  coalesc(order_id, 'x') as a from bronze.orders", "2:3 unknown-function: there is no function coalesc()"},
      {"select uper(order_id) as a from bronze.orders", "1:8 unknown-function: there is no function uper() (did you mean \"upper\"?)"},
      {"select 1 as a, summ(amount) as b from bronze.orders", "1:16 unknown-function: there is no function summ()"},
      {"select amount + order_id as a from bronze.orders", "1:15 type-mismatch: "},
      {"select sum(order_id) as a from bronze.orders",
       "1:8 type-mismatch: No function matches the given name and argument types 'sum(VARCHAR)'"},
      {"select 1 as x from bronze.orders where order_id > ordered_on",
       "1:49 type-mismatch: Cannot compare values of type VARCHAR and type DATE"},
      {"select case when amount > 0 then ordered_on else customer_id end as c from bronze.orders", "1:8 type-mismatch: "},
      {"select 1 as x from bronze.orders o join silver.customers c\n  on abs(c.name) = 1", "2:6 type-mismatch: "},
      {"select order_id::datee as d from bronze.orders", "1:18 unknown-type: there is no type \"datee\" (did you mean \"date\"?)"},
      {"select customer_id from bronze.orders o join silver.customers c on true",
       "1:8 ambiguous-column: \"customer_id\" is a column of several tables"},
      {"select order_id, sum(amount) as s from bronze.orders", "1:8 not-grouped: \"order_id\" is neither grouped nor aggregated"},
      {"select order_id, amount, sum(amount) as s from bronze.orders group by order_id",
       "1:18 not-grouped: \"amount\" is neither grouped nor aggregated"},
      {"select order_id, sum(amount) as s\nfrom bronze.orders\ngroup by order_id\norder by customer_id", "4:10 not-grouped"},
      {"select 1 as a from bronze.orders where sum(amount) > 1", "1:40 sql-bind: WHERE clause cannot contain aggregates"},
      {"select sum(sum(amount)) as s from bronze.orders", "1:12 sql-bind: aggregate function calls cannot be nested"},
      {"select order_id from bronze.orders order by 7", "1:45 sql-bind: ORDER term out of range - should be between 1 and 1"},
      {"select order_id from bronze.orders union all select order_id, amount from bronze.orders",
       "1:1 sql-bind: Set operations can only apply to expressions with the same number of result columns"},
      {"select (select order_id, amount from bronze.orders) as a from silver.customers",
       "1:8 sql-bind: Subquery returns 2 columns - expected 1"},
      {"select unnest(amount) as u from bronze.orders", "1:8 type-mismatch: "},
      {"select order_id from bronze.ordrs, silver.custmers",
       "1:22 unknown-table: there is no table bronze.ordrs (did you mean \"bronze.orders\"?)\n1:36 unknown-table: there is no table "
       "silver.custmers (did you mean \"silver.customers\"?)"},
      {"select $limt_to as a, $nothing as b from bronze.orders",
       "1:8 unknown-parameter: there is no parameter $limt_to (did you mean \"limit_to\"?)\n1:23 unknown-parameter: there is no parameter "
       "$nothing"},
      {"select order_id, null as n, [] as l from bronze.orders",
       "1:18 untyped-null: column \"n\": a NULL without a type\n1:35 untyped-null: column \"l\": a NULL without a type"},
      {"select x from (select null as x from bronze.orders) c", "1:8 untyped-null: column \"x\": a NULL without a type"},
      {"with c as (select order_id, null as x from bronze.orders), d as (select * from c)\nselect order_id, x as y from d",
       "2:18 untyped-null: column \"y\": a NULL without a type"},
      {"with c(a, b) as (select 1, {'f': null}) select b from c as c2(u)", "1:48 untyped-null: column \"b\": a NULL without a type"},
      {"with c as (select null as x), r as (with c as (select 1 as x) select x from c)\nselect r.x as one, (select x from c) as two from r",
       "2:20 untyped-null: column \"two\": a NULL without a type"},
      {"select updated_at - updated_at as i,\n '10:00'::time as t from bronze.orders",
       "1:8 unsupported-type: column \"i\": INTERVAL cannot be stored\n2:2 unsupported-type: column \"t\": TIME cannot be stored"},
      {"select order_id, amount as Order_ID from bronze.orders", "1:18 duplicate-column: two columns are called \"Order_ID\""},
      {"select * from silver.customers a join silver.customers b on a.name = b.name",
       "1:8 duplicate-column: two columns are called \"customer_id\"\n1:8 duplicate-column: two columns are called \"name\"\n1:8 "
       "duplicate-column: two columns are called \"region\""},
      {"select order_id, amount * 2 from bronze.orders", "1:18 unnamed-column: the expression (amount * 2) needs a name"},
      {"select amount as \"total (EUR)\" from bronze.orders", "1:8 unnamed-column: \"total (EUR)\" cannot be a column's name"},
  };
  for (const BadQuery& query : bad) {
    const std::string found = Bound(query.sql);
    EXPECT_EQ(found.substr(0, std::string(query.error).size()), query.error) << query.sql << "\n  gives " << found;
  }
}

TEST_F(SqlTest, TypedNullsAndCoalescedOnesPass) {
  EXPECT_EQ(Bound("select cast(null as varchar) as a, null::date as b, coalesce(null, amount) as c, case when amount > 0 then null else 1 "
                  "end as d from bronze.orders"),
            "a string, b date, c decimal(12,2), d integer");
  EXPECT_EQ(Bound("select null as x from bronze.orders union all select order_id from bronze.orders"), "x string");
}

TEST_F(SqlTest, QueriesMayLeaveColumnsUnnamed) {
  const auto tree = Parse("select count(*), count(*) from bronze.orders");
  BindOptions options;
  options.named_output = false;
  EXPECT_EQ(sql_->Bind(*tree, Inputs(), params_, options).value().fields.size(), 2u);
}

TEST_F(SqlTest, NullsThatGetATypeOnTheWayAreNone) {
  EXPECT_EQ(Bound("with c as (select null as x, order_id from bronze.orders) select coalesce(x, 'none') as x from c"), "x string");
  EXPECT_EQ(Bound("with c as (select null as x), d as (select x from c union all select date '2024-01-01') select x from d"), "x date");
  EXPECT_EQ(Bound("with c as (select null as x) select x::bigint as x from c where x is null"), "x bigint");
  EXPECT_EQ(Bound("with recursive r as (select 1 as n, null::string as s union all select n + 1, 'x' from r where n < 3) select * from r"),
            "n integer, s string");
  // Names that double at each step are not copied without end.
  std::string doubling = "with c0 as (select null::bigint as x)";
  for (int i = 1; i < 30; ++i) doubling += fmt::format(", c{0} as (select a.x from c{1} a, c{1} b)", i, i - 1);
  EXPECT_EQ(Bound(doubling + " select x from c29"), "x bigint");
}

TEST_F(SqlTest, StringsAreNotHeldEqualToOtherTypes) {
  const BadQuery bad[] = {
      {"select 1 as x from bronze.orders where order_id = ordered_on",
       "1:49 type-mismatch: order_id (a string) is compared with ordered_on (a date)"},
      {"select 1 as x from bronze.orders o\njoin silver.customers c on c.name = o.customer_id",
       "2:35 type-mismatch: c.name (a string) is compared with o.customer_id (a number)"},
      {"select 1 as x from bronze.orders o\nfull join silver.customers c on o.updated_at = c.name and o.customer_id = c.customer_id",
       "2:46 type-mismatch: o.updated_at (a timestamp) is compared with c.name (a string)"},
      {"select count(*) filter (where order_id is distinct from 1) as n from bronze.orders",
       "1:40 type-mismatch: order_id (a string) is compared with a number"},
      {"select order_id, max(order_id) as m from bronze.orders group by all having max(order_id) <> max(amount)",
       "1:90 type-mismatch: a string is compared with a number"},
      {"select 1 as x from bronze.orders where order_id in ('a', 7)", "1:49 type-mismatch: order_id (a string) is compared with a number"},
      {"select case order_id when 1 then 'one' end as x from bronze.orders",
       "1:13 type-mismatch: order_id (a string) is compared with a number"},
      {"select (select max(name) from silver.customers c where c.region = o.amount) as x from bronze.orders o",
       "1:65 type-mismatch: c.region (a string) is compared with o.amount (a number)"},
      {"with c as (select name as customer_id from silver.customers)\nselect order_id from bronze.orders join c using (customer_id)",
       "2:36 type-mismatch: bronze.orders.customer_id (a number) is compared with c.customer_id (a string)"},
  };
  for (const BadQuery& query : bad) EXPECT_EQ(Bound(query.sql), query.error) << query.sql;
}

TEST_F(SqlTest, WhatCanBeHeldEqualIs) {
  EXPECT_EQ(Bound("select order_id from bronze.orders where ordered_on = '2024-01-01' and customer_id <> '5' and updated_at in "
                  "('2024-01-01T00:00:00Z', now())"),
            "order_id string");
  EXPECT_EQ(Bound("select order_id from bronze.orders where ordered_on = $run_date and updated_at = ordered_on and amount = customer_id"),
            "order_id string");
  EXPECT_EQ(Bound("select order_id = '1' as same, count(*) as n from bronze.orders group by order_id = '1', amount = 1"),
            "same boolean, n bigint");
  EXPECT_EQ(Bound("select customer_id = 1 as same, count(*) as n from bronze.orders group by customer_id = 1"), "same boolean, n bigint");
  EXPECT_EQ(Bound("select order_id from bronze.orders o semi join silver.customers using (customer_id) where order_id is not distinct from "
                  "null"),
            "order_id string");
}

TEST(NormaliseType, FollowsTheTableOfTheDesign) {
  const auto text = [](const std::string& type) {
    const auto normalised = NormaliseType(type);
    return normalised ? normalised->ToString() : normalised.error().code;
  };
  EXPECT_EQ(text("HUGEINT"), "bigint");
  EXPECT_EQ(text("UBIGINT"), "decimal(20,0)");
  EXPECT_EQ(text("UTINYINT"), "smallint");
  EXPECT_EQ(text("USMALLINT"), "integer");
  EXPECT_EQ(text("UINTEGER"), "bigint");
  EXPECT_EQ(text("DECIMAL(38,10)"), "decimal(38,10)");
  EXPECT_EQ(text("TIMESTAMP WITH TIME ZONE"), "timestamp");
  EXPECT_EQ(text("TIMESTAMP"), "timestamp_ntz");
  EXPECT_EQ(text("TIMESTAMP_NS"), "unsupported-type");
  EXPECT_EQ(text("TIME WITH TIME ZONE"), "unsupported-type");
  EXPECT_EQ(text("ENUM('a', 'b, c')"), "string");
  EXPECT_EQ(text("ENUM('a')[]"), "list<string>");
  EXPECT_EQ(text("INTEGER[3][]"), "list<list<integer>>");
  EXPECT_EQ(text("STRUCT(a HUGEINT, \"b c\" MAP(VARCHAR, UUID[]))"), "struct<a: bigint, \"b c\": map<string, list<string>>>");
  EXPECT_EQ(text("STRUCT(INTEGER, VARCHAR)"), "unsupported-type");
  EXPECT_EQ(text("STRUCT(a \"NULL\")"), "untyped-null");
  EXPECT_EQ(text("UNION(a INTEGER, b VARCHAR)"), "unsupported-type");
  EXPECT_EQ(text("BIT"), "unsupported-type");
  EXPECT_EQ(text("INTERVAL"), "unsupported-type");
  EXPECT_EQ(text("JSON"), "string");
  EXPECT_EQ(text("BLOB"), "binary");
}

}  // namespace
}  // namespace sluice::engines
