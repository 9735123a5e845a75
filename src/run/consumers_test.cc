// Who has read which version of a table: a small project, run step by step.
#include "run/consumers.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "run/executor.h"

namespace sluice::run {
namespace {

namespace fs = std::filesystem;

class ConsumersTest : public ::testing::Test {
 protected:
  ConsumersTest() : folder_(fs::temp_directory_path() / ("sluice-consumers-" + std::to_string(getpid()))) {
    Write("sluice.yml", "project: shop\nlake: ./lake\nconnections:\n  drop: { type: files, path: ./landing }\n");
    Write("sources/orders.yml",
          "connection: drop\nread: { files: \"*.csv\", header: true, delimiter: \",\" }\ncontract:\n  columns:\n    - { name: id, type: "
          "bigint }\n"
          "    - { name: day, type: date }\n");
    Write("models/silver/orders.sql", "select id, day from new(bronze.orders)");
    Write("models/silver/orders.yml", "store: append\n");
    Write("models/silver/days.sql", "select day from silver.orders");
    Write("models/silver/days.yml", "store: view\n");
    Write("models/gold/daily.sql",
          "select day, count(*) as n from silver.days where day >= $window_start and day < $window_end group by day");
    Write("models/gold/daily.yml", "store: interval\ncolumn: day\nstart: 2024-01-01\nevery: year\n");
    Write("models/gold/total.sql", "select count(*) as n from silver.orders");
    Write("models/gold/journal.sql", "select id from new(silver.orders)");
    Write("models/gold/journal.yml", "store: append\npublish: evening\n");
    Write("landing/1.csv", "id,day\n1,2024-01-01\n");
  }
  ~ConsumersTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  std::unique_ptr<Session> Open() {
    auto project = project::LoadProject({.dir = folder_.string()});
    EXPECT_TRUE(project) << project.error().ToString();
    auto session = Session::Open(*std::move(project), {.memory_bytes = 1LL << 30, .threads = 1, .cache = false}, {});
    EXPECT_TRUE(session) << session.error().ToString();
    return *std::move(session);
  }
  void Run(const std::set<std::string>& tables) {
    const auto session = Open();
    const plan::Graph* graph = *session->graph();
    RunOptions options;
    options.parallel = 1;
    for (const std::string& table : tables) options.nodes.insert(graph->index.at(table));
    const auto report = RunNodes(*session, options);
    ASSERT_TRUE(report) << report.error().ToString();
    for (const auto& node : report->nodes) EXPECT_EQ(node.status, NodeStatus::kOk) << node.table;
  }
  // "gold.journal 3 by change" …
  std::vector<std::string> Told(const std::string& table) {
    const auto session = Open();
    const auto consumers = ConsumersOf(*session, table);
    EXPECT_TRUE(consumers) << consumers.error().ToString();
    std::vector<std::string> told;
    for (const Consumer& one : *consumers) {
      EXPECT_EQ(one.table_id.empty(), one.version < 0);
      if (!one.table_id.empty()) {
        EXPECT_EQ(one.table_id, (*session->Pin(table))->metadata.id);
      }
      told.push_back(one.node + " " + std::to_string(one.version) + (one.by_change ? " by change" : "") + (one.decided ? " decided" : ""));
    }
    return told;
  }

  const fs::path folder_;
};

TEST_F(ConsumersTest, EachModelThatReadsATableAndItsVersion) {
  EXPECT_EQ(Told("silver.orders"), (std::vector<std::string>{"gold.daily -1 by change", "gold.journal -1 by change", "gold.total -1"}));
  Run({"bronze.orders", "silver.orders", "gold.daily", "gold.journal", "gold.total"});
  EXPECT_EQ(Told("silver.orders"), (std::vector<std::string>{"gold.daily 0 by change", "gold.journal 0 by change", "gold.total 0"}));
  Write("landing/2.csv", "id,day\n2,2024-01-02\n");
  Run({"bronze.orders", "silver.orders", "gold.total"});
  EXPECT_EQ(Told("silver.orders"), (std::vector<std::string>{"gold.daily 0 by change", "gold.journal 0 by change", "gold.total 1"}));
  EXPECT_EQ(Told("bronze.orders"), (std::vector<std::string>{"silver.orders 1 by change"}));
  EXPECT_TRUE(Told("gold.total").empty());
  EXPECT_TRUE(Told("gold.unknown").empty());
}

TEST_F(ConsumersTest, ADecidedBatchReadsItsVersionUntilItIsDone) {
  Run({"bronze.orders", "silver.orders", "gold.journal"});
  const auto done = folder_ / "lake/_sluice/batches/publish.evening";
  size_t dropped = 0;
  for (const auto& entry : fs::directory_iterator(done))
    if (entry.path().filename().string().find("done") != std::string::npos) dropped += fs::remove(entry.path());
  ASSERT_EQ(dropped, 1u);
  EXPECT_EQ(Told("silver.orders"),
            (std::vector<std::string>{"gold.daily -1 by change", "gold.journal -1 by change", "gold.journal 0 decided", "gold.total -1"}));
}

}  // namespace
}  // namespace sluice::run
