#include <arrow/api.h>

#include "engines/engine.h"
#include "engines/sql/sql_fixture.h"

namespace sluice::engines {
namespace {

using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

// Runs what the frontend lowers, over two small tables.
class LowerTest : public SqlTest {
 protected:
  void SetUp() override {
    SqlTest::SetUp();
    connection_ = db_->Connect().value();
    relations_ = {
        {"bronze.orders",
         "(SELECT * FROM (VALUES ('a', 1, 10.50, 'f1', 7), ('b', 2, 20.00, 'f2', 8), ('c', 9, 1.00, 'f2', 9)) AS v(order_id, customer_id, "
         "amount, _file, _row))"},
        {"new(bronze.orders)", "(SELECT 'c' AS order_id, 9 AS customer_id, 1.00 AS amount, 'f2' AS _file, 9 AS _row)"},
        {"silver.orders", "(SELECT 'b' AS order_id, 3 AS customer_id, 5.00 AS amount, 'f9' AS _file, 1 AS _row)"},
        {"silver.customers", "(SELECT * FROM (VALUES (1, 'Ann', 'run1'), (2, 'Bob', 'run2')) AS v(customer_id, name, _run_id))"},
    };
    contract::Schema orders{{Column("order_id", "string"), Column("customer_id", "integer"), Column("amount", "decimal(4,2)"),
                             Column("_file", "string"), Column("_row", "bigint")}};
    inputs_ = {{"bronze.orders", orders},
               {"new(bronze.orders)", orders},
               {"silver.orders", orders},
               {"silver.customers", {{Column("customer_id", "integer"), Column("name", "string"), Column("_run_id", "string")}}}};
  }

  Rows Run(const std::string& sql) {
    const auto tree = Parse(sql);
    if (!tree) return {{"error: " + Brief(tree.error())}};
    const auto lowered = sql_->Lower(*tree, relations_, inputs_);
    if (!lowered) return {{"error: " + Brief(lowered.error())}};
    const auto rows = connection_->Rows(*lowered, params_);
    return rows ? *rows : Rows{{"error: " + rows.error().message + "\n" + *lowered}};
  }

  std::unique_ptr<Connection> connection_;
  std::map<std::string, std::string> relations_;
  std::map<std::string, contract::Schema> inputs_;
};

TEST_F(LowerTest, StarsLeaveOutMetadataUnlessItIsNamed) {
  EXPECT_EQ(Run("select * from silver.customers order by 1"), (Rows{{"1", "Ann"}, {"2", "Bob"}}));
  EXPECT_EQ(Run("select *, _file from bronze.orders where _row = 8"), (Rows{{"b", "2", "20.00", "f2"}}));
  EXPECT_EQ(Run("select o.*, c._run_id from bronze.orders o join silver.customers c using (customer_id) where o._file = 'f1'"),
            (Rows{{"a", "1", "10.50", "run1"}}));
  EXPECT_EQ(Run("select * from bronze.orders o join silver.customers c on o.customer_id = c.customer_id and o._row > 7"),
            (Rows{{"b", "2", "20.00", "2", "Bob"}}));
  EXPECT_EQ(Run("select * from bronze.orders natural join silver.orders"), (Rows{}));
  EXPECT_EQ(Run("select bronze.orders.* from bronze.orders").at(0).at(0)->substr(0, 16), "error: 1:22 sql-");
}

TEST_F(LowerTest, UsesReadTheirOwnRelations) {
  EXPECT_EQ(
      Run("select o.order_id, n.order_id is not null from bronze.orders o left join new(bronze.orders) n using (order_id) order by 1"),
      (Rows{{"a", "false"}, {"b", "false"}, {"c", "true"}}));
  EXPECT_EQ(Run("select bronze.orders.order_id, silver.orders.amount from bronze.orders join silver.orders on silver.orders.order_id = "
                "bronze.orders.order_id"),
            (Rows{{"b", "5.00"}}));
  EXPECT_EQ(Run("with customers as (select 7 as customer_id) select customer_id from customers union all select customer_id from "
                "silver.customers order by 1"),
            (Rows{{"1"}, {"2"}, {"7"}}));
}

TEST_F(LowerTest, JoinsKeepTheirShapeAroundCommas) {
  // DuckDB's printer alone would write: bronze.orders o , silver.customers c LEFT JOIN …, which joins something else.
  EXPECT_EQ(Run("select o.order_id, c.name, x.k from bronze.orders o cross join silver.customers c left join (values (1)) x(k) "
                "on x.k = o.customer_id and x.k = c.customer_id where o.order_id = 'a' order by 2"),
            (Rows{{"a", "Ann", "1"}, {"a", "Bob", std::nullopt}}));
  EXPECT_EQ(Run("select o.order_id, c.name from bronze.orders o left join (silver.customers c cross join (select 1 as one) q) on "
                "c.customer_id = o.customer_id order by 1"),
            (Rows{{"a", "Ann"}, {"b", "Bob"}, {"c", std::nullopt}}));
  EXPECT_EQ(Run("select o.order_id, u.x from bronze.orders o, unnest([o.customer_id, 100]) as u(x) where o.order_id = 'a' order by 2"),
            (Rows{{"a", "1"}, {"a", "100"}}));
}

TEST_F(LowerTest, ConstantsKeepTheirTypes) {
  EXPECT_EQ(Run("select typeof(1e3), 1e3, typeof(1.50), typeof(1), typeof(99999999999), typeof('x'), typeof(x) from (values (1e-7)) v(x)"),
            (Rows{{"DOUBLE", "1000.0", "DECIMAL(3,2)", "INTEGER", "BIGINT", "VARCHAR", "DOUBLE"}}));
  EXPECT_EQ(Run("select 'it''s \"sluice:bronze.orders\"', e'a\\nb', -1, true"),
            (Rows{{"it's \"sluice:bronze.orders\"", "a\nb", "-1", "true"}}));
}

TEST_F(LowerTest, PrintsTheDialectFaithfully) {
  const char* queries[] = {
      "select order_id, row_number() over w as rn from bronze.orders window w as (partition by customer_id order by amount desc nulls "
      "last) qualify rn = 1",
      "select sum(amount) filter (where amount > 1), string_agg(order_id, ',' order by order_id desc), quantile_cont(amount, 0.5) from "
      "bronze.orders",
      "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select * from r",
      "select * from (select order_id from bronze.orders union all select order_id from silver.orders except select 'a') order by 1 limit "
      "5 offset 0",
      "select list_transform([1, 2], x -> x + 1), list_filter([1, 2], lambda y: y > 1), [x for x in [1, 2] if x > 1], {'a': 1}.a, map "
      "{'k': 1}['k']",
      "select case customer_id when 1 then 'x' else 'y' end, try_cast(order_id as integer), amount between 1 and 2, order_id not in ('a', "
      "'b') from bronze.orders",
      "select grouping(customer_id), customer_id, sum(amount) from bronze.orders group by rollup (customer_id) order by all",
      "select extract(year from date '2024-01-01'), date '2024-01-31' + interval 1 month, timestamp '2024-01-01 00:00' at time zone 'UTC', "
      "position('b' in 'abc')",
      "select a.order_id from bronze.orders a asof join silver.orders b on a.order_id = b.order_id and a.amount >= b.amount - 100",
      "select * from (from bronze.orders select order_id, amount) pivot (sum(amount) for order_id in ('a', 'b'))",
      "unpivot (select customer_id, amount::integer as a, customer_id as b from bronze.orders) on a, b into name what value v",
      "select columns('a.*') from bronze.orders",
      "select distinct on (customer_id) * from bronze.orders order by customer_id, amount desc",
      "select x from (values (1, 'a'), (2, 'b')) v(x, y) where (x, y) in (select 1, 'a')",
      "values (1, 'a'), (2, 'b')",
      "select order_id like 'a%', order_id similar to '[a-c]', regexp_matches(order_id, '^a'), order_id ilike 'A', not (order_id = 'a' or "
      "amount is null) from bronze.orders",
  };
  for (const char* sql : queries) {
    const Rows rows = Run(sql);
    ASSERT_FALSE(rows.empty()) << sql;
    EXPECT_FALSE(rows[0][0] && rows[0][0]->starts_with("error: ")) << sql << "\n" << *rows[0][0];
  }
}

TEST_F(LowerTest, ClockAndParametersAreBound) {
  EXPECT_EQ(Run("select now(), current_date + 1, $limit_to * 2"), (Rows{{"2024-05-06 07:08:09+00", "2024-05-07", "20"}}));
}

TEST_F(LowerTest, CastToChecksValuesAndOrdersColumns) {
  const contract::Schema schema{{Column("b", "string"), Column("a", "bigint")}};
  EXPECT_EQ(connection_->Rows(sql_->CastTo("SELECT 1::HUGEINT AS a, 'x' AS b -- c", schema)).value(), (Rows{{"x", "1"}}));
  const auto overflow = connection_->Rows(sql_->CastTo("SELECT 9223372036854775808::HUGEINT AS a, 'x' AS b", schema));
  ASSERT_FALSE(overflow);
  EXPECT_NE(overflow.error().message.find("Conversion Error"), std::string::npos);
}

TEST_F(LowerTest, EngineGivesExactlyTheStepsTypes) {
  const auto engine = NewDuckDbEngine(*db_);
  Step step{"gold.x",
            "SELECT 'a'::ENUM('a', 'b') AS e, 12::HUGEINT AS h, '00000000-0000-0000-0000-000000000001'::UUID AS u, $run_started_at AS t",
            params_,
            {{Column("e", "string"), Column("h", "bigint"), Column("u", "string"), Column("t", "timestamp")}}};
  const auto reader = engine->Compute(step);
  ASSERT_TRUE(reader) << reader.error().ToString();
  EXPECT_EQ((*reader)->schema()->ToString(), "e: string\nh: int64\nu: string\nt: timestamp[us, tz=UTC]");
  EXPECT_EQ((*reader)->ToTable().ValueOrDie()->num_rows(), 1);
  step.sql = "SELECT nothing";
  EXPECT_EQ(engine->Compute(step).error().code, "sql");
}

}  // namespace
}  // namespace sluice::engines
