#include "engines/row_conditions.h"

#include <fmt/format.h>

#include "core/text.h"
#include "engines/sql/sql_fixture.h"

namespace sluice::engines {
namespace {

class RowConditionsTest : public SqlTest {
 protected:
  // "bronze.orders: [a >= 1; b = 2 | b = 3]" of each table, sets of places joined by " or ".
  std::string Of(const std::string& sql) {
    const auto tree = Parse(sql);
    if (!tree) return Brief(tree.error());
    std::vector<std::string> tables;
    for (const auto& [id, any] : RowConditions(*tree)) {
      std::vector<std::string> sets;
      for (const Conditions& all : any) sets.push_back("[" + TextOf(all) + "]");
      tables.push_back(id + ": " + Join(sets, " or "));
    }
    return Join(tables, ", ");
  }

 private:
  static std::string TextOf(const Conditions& all) {
    static const char* const kOps[] = {"=", "<", "<=", ">", ">="};
    std::vector<std::string> items;
    for (const Condition& condition : all) {
      std::vector<std::string> sides;
      for (const Comparison& c : condition)
        sides.push_back(fmt::format("{} {} {}{}", c.column, kOps[static_cast<int>(c.op)], c.value, c.is_text ? " (text)" : ""));
      items.push_back(Join(sides, " | "));
    }
    return Join(items, "; ");
  }
};

TEST_F(RowConditionsTest, ReadsEveryKindOfComparison) {
  EXPECT_EQ(Of("select * from bronze.orders where customer_id = 5 and 7 > amount and order_id in ('a', 'b')"),
            "bronze.orders: [customer_id = 5; amount < 7; order_id = 'a' (text) | order_id = 'b' (text)]");
  EXPECT_EQ(
      Of("select * from bronze.orders o where o.amount between -1.50 and 0.05 and o.ordered_on >= date '2024-01-01' - interval 3 days"),
      "bronze.orders: [amount >= -1.50; amount <= 0.05; ordered_on >= (CAST('2024-01-01' AS DATE) - "
      "to_days(CAST(trunc(CAST(3 AS DOUBLE)) AS INTEGER)))]");
  EXPECT_EQ(Of("select * from bronze.orders where bronze.orders.customer_id <= $limit_to"), "bronze.orders: [customer_id <= $limit_to]");
  EXPECT_EQ(Of("select * from bronze.orders where customer_id = 1 or (customer_id > 9 and amount > 0)"),
            "bronze.orders: [customer_id = 1 | customer_id > 9]");
}

TEST_F(RowConditionsTest, LeavesOutWhatDoesNotTell) {
  EXPECT_EQ(Of("select * from bronze.orders"), "");
  EXPECT_EQ(Of("select * from bronze.orders where customer_id is null"), "");
  EXPECT_EQ(Of("select * from bronze.orders where not (customer_id = 5)"), "");
  EXPECT_EQ(Of("select * from bronze.orders where customer_id = 5 or amount = customer_id"), "");
  EXPECT_EQ(Of("select * from bronze.orders where customer_id + 1 = 5 and customer_id = amount"), "");
  EXPECT_EQ(Of("select * from bronze.orders where try_cast('x' as bigint) = customer_id and customer_id = null"), "");
  EXPECT_EQ(Of("select * from bronze.orders as o(a, b) where a = 5"), "");
  // A filter of groups is none of rows.
  EXPECT_EQ(Of("select customer_id, sum(amount) s from bronze.orders group by 1 having customer_id > 3"), "");
}

TEST_F(RowConditionsTest, EveryPlaceOfATableCounts) {
  EXPECT_EQ(Of("select * from bronze.orders where customer_id = 1 union all select * from bronze.orders where customer_id = 2"),
            "bronze.orders: [customer_id = 1] or [customer_id = 2]");
  EXPECT_EQ(Of("select * from bronze.orders where customer_id = 1 union all select * from bronze.orders"), "");
  EXPECT_EQ(Of("with w as (select * from bronze.orders where amount > 3) select * from w where customer_id = 9"),
            "bronze.orders: [amount > 3]");
}

TEST_F(RowConditionsTest, ReachesThroughJoinsThatOnlyPairRows) {
  const std::string where = " where o.amount > 3 and c.customer_id = 7 and region = 'x'";
  const std::string both = "bronze.orders: [amount > 3], silver.customers: [customer_id = 7]";
  EXPECT_EQ(Of("select 1 from bronze.orders o join silver.customers c on true" + where), both);
  EXPECT_EQ(Of("select 1 from bronze.orders o left join silver.customers c on true" + where), both);
  EXPECT_EQ(Of("select 1 from bronze.orders o, silver.customers c" + where), both);
  EXPECT_EQ(Of("select 1 from bronze.orders o semi join silver.customers c using (customer_id) where o.amount > 3"),
            "bronze.orders: [amount > 3]");
  // The nearest row of those left could be another.
  EXPECT_EQ(Of("select 1 from bronze.orders o asof join silver.customers c on o.customer_id >= c.customer_id" + where), "");
  EXPECT_EQ(Of("select 1 from bronze.orders o positional join silver.customers c" + where), "");
  // `orders` names two tables.
  EXPECT_EQ(Of("select 1 from bronze.orders join silver.orders on true where bronze.orders.amount > 3 and silver.orders.amount < 1"),
            "bronze.orders: [amount > 3], silver.orders: [amount < 1]");
}

class CountsTest : public SqlTest {
 protected:
  std::string Lowered(const std::string& sql) {
    const auto tree = Parse(sql);
    if (!tree) return Brief(tree.error());
    return sql_->Lower(*tree, {{"bronze.orders", "(rows)"}, {"silver.customers", "(more)"}}, {}, {{"bronze.orders", 42}}).value();
  }
};

TEST_F(CountsTest, AnswersWhatAsksForNothingElse) {
  EXPECT_EQ(Lowered("select count(*) from bronze.orders"), "SELECT CAST('42' AS BIGINT) AS \"count_star()\"");
  EXPECT_EQ(Lowered("select count(*) + 1 as n, 'x' as t from bronze.orders o"), "SELECT (CAST('42' AS BIGINT) + 1) AS n, 'x' AS t");
  EXPECT_EQ(Lowered("select (select count(*) from bronze.orders) as n from silver.customers").find("(rows)"), std::string::npos);
}

TEST_F(CountsTest, ReadsWhereMoreIsAsked) {
  for (const char* sql :
       {"select count(*) from bronze.orders where amount > 3", "select count(amount) from bronze.orders",
        "select count(*) from bronze.orders group by customer_id", "select 1 as n from bronze.orders",
        "select count(*) filter (amount > 1) from bronze.orders", "select count(*) from bronze.orders limit 0",
        "select count(*), max(amount) from bronze.orders", "select count(*) over () as n from bronze.orders",
        "select count(*) from bronze.orders having count(*) > 50", "select distinct count(*) from bronze.orders, silver.customers"})
    EXPECT_NE(Lowered(sql).find("(rows)"), std::string::npos) << Lowered(sql);
  EXPECT_NE(Lowered("select count(*) from silver.customers").find("(more)"), std::string::npos);
}

}  // namespace
}  // namespace sluice::engines
