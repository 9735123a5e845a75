#include "plan/graph.h"

#include <gtest/gtest.h>

#include "plan/select.h"

namespace sluice::plan {
namespace {

using engines::TableUse;
using engines::UseMode;

// Facts by a toy rule that needs no parser: every word "schema.name" of the text is a table, "$x" a parameter, "this" itself.
Result<SqlFacts> WordFacts(const std::string& sql, const std::string& file) {
  SqlFacts facts;
  facts.fingerprint = sql;
  std::string word;
  int column = 1, start = 1;
  for (char c : sql + " ") {
    if (c != ' ' && c != ',' && c != '(' && c != ')') {
      if (word.empty()) start = column;
      word += c;
    } else {
      const size_t dot = word.find('.');
      if (word.starts_with("$"))
        facts.parameters.push_back(word.substr(1));
      else if (word == "this")
        facts.uses.push_back({UseMode::kThis, "", "", {file, 1, start}});
      else if (dot != std::string::npos && word.find('"') == std::string::npos)
        facts.uses.push_back({UseMode::kWhole, word.substr(0, dot), word.substr(dot + 1), {file, 1, start}});
      word.clear();
    }
    ++column;
  }
  return facts;
}

project::Model MakeModel(const std::string& table, const std::string& sql) {
  project::Model model;
  model.layer = table.substr(0, table.find('.'));
  model.name = table.substr(table.find('.') + 1);
  model.sql = sql;
  model.sql_file = "models/" + model.layer + "/" + model.name + ".sql";
  return model;
}

project::Project Retail() {
  project::Project project;
  project::Source orders;
  orders.name = "orders";
  orders.fingerprint = "f";
  orders.properties.tags = {"daily"};
  project.sources = {orders};
  project.seeds.push_back({"regions", "/x/regions.csv", {}});
  project.models = {MakeModel("gold.sales", "select from silver.orders, seed.regions"),
                    MakeModel("silver.orders", "select from bronze.orders"), MakeModel("silver.refused", "select from quarantine.orders")};
  return project;
}

std::vector<std::string> Names(const Graph& graph, const std::set<size_t>& nodes) {
  std::vector<std::string> names;
  for (size_t node : nodes) names.push_back(graph.nodes[node].table);
  return names;
}

TEST(BuildGraph, OrdersUpstreamFirstAndKnowsQuarantineAsItsSource) {
  const auto project = Retail();
  const auto graph = BuildGraph(project, WordFacts);
  ASSERT_TRUE(graph) << graph.error().ToString();
  std::vector<std::string> order;
  for (const auto& node : graph->nodes) order.push_back(node.table);
  EXPECT_EQ(order, (std::vector<std::string>{"bronze.orders", "seed.regions", "silver.orders", "gold.sales", "silver.refused"}));
  EXPECT_EQ(graph->Find("quarantine.orders")->table, "bronze.orders");
  EXPECT_EQ(graph->Find("silver.refused")->inputs, std::vector<std::string>{"bronze.orders"});
}

TEST(BuildGraph, ReportsEveryUnknownTableAtItsPlaceWithTheNearName) {
  auto project = Retail();
  project.models.push_back(MakeModel("gold.a", "select from silver.ordres"));
  project.models.push_back(MakeModel("gold.b", "select from bronze.nothing"));
  const auto graph = BuildGraph(project, WordFacts);
  ASSERT_FALSE(graph);
  const std::string text = graph.error().ToString();
  EXPECT_NE(
      text.find("models/gold/a.sql:1:13: error[unknown-table]: no table silver.ordres in this project (did you mean \"silver.orders\"?)"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("models/gold/b.sql:1:13: error[unknown-table]"), std::string::npos) << text;
}

TEST(BuildGraph, NamesTheWholeCircle) {
  auto project = Retail();
  project.models.push_back(MakeModel("gold.a", "select from gold.b"));
  project.models.push_back(MakeModel("gold.b", "select from gold.c"));
  project.models.push_back(MakeModel("gold.c", "select from gold.a"));
  const auto graph = BuildGraph(project, WordFacts);
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().code, "cycle");
  EXPECT_EQ(graph.error().message, "models read each other in a circle: gold.a → gold.b → gold.c → gold.a");
}

TEST(BuildGraph, APublishGroupIsOfOnePiece) {
  auto project = Retail();
  project.models.push_back(MakeModel("gold.report", "select from gold.sales"));
  for (const size_t i : {1, 3}) project.models[i].publish = "evening";  // silver.orders and gold.report, not gold.sales between them
  const auto split = BuildGraph(project, WordFacts);
  ASSERT_FALSE(split);
  EXPECT_EQ(split.error().code, "split-publish-group");
  EXPECT_NE(split.error().message.find("silver.orders → gold.sales → gold.report"), std::string::npos) << split.error().message;
  project.models[0].store = project::Store::kView;
  const auto whole = BuildGraph(project, WordFacts);
  ASSERT_TRUE(whole) << whole.error().ToString();
  const auto& nodes = whole->publish_groups.at("evening");
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(whole->nodes[nodes[0]].table, "silver.orders");
  EXPECT_EQ(whole->BatchOf(nodes[1]), nodes);
}

TEST(BuildGraph, ACheckThatReadsDownstreamIsNoCircle) {
  auto project = Retail();
  project::Check check;
  check.name = "all_sold";
  check.sql = "select from this, gold.sales";
  project.models[1].checks.push_back(check);
  const auto graph = BuildGraph(project, WordFacts);
  ASSERT_TRUE(graph) << graph.error().ToString();
  EXPECT_TRUE(graph->Find("silver.orders")->check_inputs.empty());
}

TEST(BuildGraph, WarnsWhereALowerLayerReadsAHigherOne) {
  auto project = Retail();
  project.models.push_back(MakeModel("silver.late", "select from gold.sales"));
  const auto graph = BuildGraph(project, WordFacts);
  ASSERT_TRUE(graph) << graph.error().ToString();
  ASSERT_EQ(graph->warnings.size(), 1u);
  EXPECT_EQ(graph->warnings[0].code, "reads-upward");
}

TEST(BuildGraph, RefusesAParameterNobodyBinds) {
  auto project = Retail();
  project.vars["start"] = "2024-01-01";
  project.models.push_back(MakeModel("gold.a", "select $strat from silver.orders"));
  project.models.push_back(MakeModel("gold.b", "select $window_start from silver.orders"));
  const auto graph = BuildGraph(project, WordFacts);
  ASSERT_FALSE(graph);
  EXPECT_NE(graph.error().ToString().find(
                "models/gold/a.sql:1:8: error[unknown-parameter]: $strat is no variable of this project (did you mean \"start\"?)"),
            std::string::npos)
      << graph.error().ToString();
  EXPECT_NE(graph.error().ToString().find("error[window-outside-interval]"), std::string::npos);
}

TEST(Select, TakesWhatADbtUserTypes) {
  const auto project = Retail();
  const auto graph = *BuildGraph(project, WordFacts);
  const auto select = [&](std::vector<std::string> s, std::vector<std::string> x = {}) { return Names(graph, *Select(graph, {s, x})); };
  using List = std::vector<std::string>;
  EXPECT_EQ(select({}).size(), 5u);
  EXPECT_EQ(select({"gold.sales"}), List{"gold.sales"});
  EXPECT_EQ(select({"sales"}), List{"gold.sales"});
  EXPECT_EQ(select({"+gold.sales"}), (List{"bronze.orders", "seed.regions", "silver.orders", "gold.sales"}));
  EXPECT_EQ(select({"1+gold.sales"}), (List{"seed.regions", "silver.orders", "gold.sales"}));
  EXPECT_EQ(select({"source:orders+"}), (List{"bronze.orders", "silver.orders", "gold.sales", "silver.refused"}));
  EXPECT_EQ(select({"source:orders+1"}), (List{"bronze.orders", "silver.orders", "silver.refused"}));
  EXPECT_EQ(select({"tag:daily"}), List{"bronze.orders"});
  EXPECT_EQ(select({"layer:silver,silver.o*"}), List{"silver.orders"});
  EXPECT_EQ(select({"silver.* seed.*"}, {"refused"}), (List{"seed.regions", "silver.orders"}));
  EXPECT_EQ(select({"path:models/gold"}), List{"gold.sales"});
  EXPECT_EQ(Names(graph, *Select(graph, {{"result:failed"}, {}}, {{"gold.sales", "failed"}})), List{"gold.sales"});
}

TEST(Select, SaysWhatItDoesNotKnow) {
  const auto project = Retail();
  const auto graph = *BuildGraph(project, WordFacts);
  const auto code = [&](const char* term) { return Select(graph, {{term}, {}}).error(); };
  EXPECT_EQ(code("gold.sale").message, "no node \"gold.sale\" (did you mean \"gold.sales\"?)");
  EXPECT_EQ(code("tags:x").message, "no selector method \"tags:\" (did you mean \"tag\"?)");
  EXPECT_EQ(code("@gold.sales").code, "unknown-selector");
}

TEST(CheckSql, SaysWhichRowsViolate) {
  project::Check check;
  check.kind = project::Check::Kind::kMin;
  check.columns = {"total"};
  check.min = "0.5";
  EXPECT_EQ(CheckSql(check, nullptr), "select * from this where ((\"total\" < 0.5)) and true");
  check.kind = project::Check::Kind::kRelationship;
  check.to_table = "silver.customers";
  check.to_column = "id";
  check.columns = {"customer_id"};
  check.where_sql = "total > 1";
  EXPECT_EQ(
      CheckSql(check, nullptr),
      "select checked.* from (select * from this where (total > 1)) as checked where checked.\"customer_id\" is not null and not exists "
      "(select 1 from \"silver\".\"customers\" as referred where referred.\"id\" = checked.\"customer_id\")");
}

}  // namespace
}  // namespace sluice::plan
