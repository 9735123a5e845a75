#include "cli/retail/retail.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/retail/money.h"

namespace sluice::cli::retail {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

class RetailTest : public testing::Test {
 protected:
  RetailTest() : dir_(fs::temp_directory_path() / ("sluice-retail-" + std::to_string(getpid()))) { fs::remove_all(dir_); }
  ~RetailTest() override { fs::remove_all(dir_); }

  Files Generate(RetailOptions options) {
    fs::remove_all(dir_);
    return GenerateOver(std::move(options));
  }
  Files GenerateOver(RetailOptions options) {
    options.out_dir = dir_.string();
    const Status done = GenerateRetail(options);
    EXPECT_TRUE(done.has_value());
    Files files;
    for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::stringstream bytes;
      bytes << in.rdbuf();
      files[fs::relative(entry.path(), dir_).string()] = bytes.str();
    }
    return files;
  }
  static nlohmann::json TruthOf(const Files& files) { return nlohmann::json::parse(files.at("truth.json")); }

  fs::path dir_;
};

RetailOptions Small() {
  RetailOptions options;
  options.orders = 2000;
  options.events = 1500;
  options.crm = 800;
  options.seed = 7;
  return options;
}

TEST_F(RetailTest, SameSeedGivesTheSameBytes) {
  const Files first = Generate(Small());
  EXPECT_EQ(first, Generate(Small()));
  RetailOptions other = Small();
  other.seed = 8;
  EXPECT_NE(first.at("truth.json"), Generate(other).at("truth.json"));
}

TEST_F(RetailTest, EveryRecordIsKeptRefusedOrADuplicate) {
  for (int part = 0; part <= kDeliveries; ++part) {
    RetailOptions options = Small();
    options.part = part;
    const nlohmann::json truth = TruthOf(Generate(options));
    for (const auto& [name, source] : truth["sources"].items()) {
      const int64_t accounted =
          source["bronze"].get<int64_t>() + source["quarantined"].get<int64_t>() + source["deduplicated"].get<int64_t>();
      EXPECT_EQ(source["records"].get<int64_t>(), accounted) << name << " part " << part;
      EXPECT_GT(accounted, 0) << name;
    }
  }
}

TEST_F(RetailTest, DeliveriesTogetherHoldTheFilesOfAll) {
  const Files all = Generate(Small());
  fs::remove_all(dir_);
  Files parts;
  for (int part = 1; part <= kDeliveries; ++part) {
    RetailOptions options = Small();
    options.part = part;
    parts = GenerateOver(options);
  }
  for (const auto& [path, bytes] : all) {
    if (path == "truth.json") continue;
    EXPECT_EQ(bytes, parts[path]) << path;
  }
  EXPECT_EQ(all.size(), parts.size());
  EXPECT_EQ(TruthOf(all)["facts"], TruthOf(parts)["facts"]);  // how it arrived does not change what is true in the end
}

TEST_F(RetailTest, PlantedRecordsStandWhereTheTruthSays) {
  const Files files = Generate(Small());
  int64_t looked_at = 0;
  const nlohmann::json truth = TruthOf(files);
  for (const auto& planted : truth["sources"]["customer_orders"]["planted"]) {
    if (planted["column"] != "order_date" || planted["rule"] != "type") continue;
    std::istringstream lines(files.at(planted["file"].get<std::string>()));
    std::string line;
    for (int64_t i = 0; i < planted["line"].get<int64_t>(); ++i) std::getline(lines, line);
    EXPECT_NE(line.find("2026-02-30"), std::string::npos) << line;
    ++looked_at;
  }
  EXPECT_GT(looked_at, 0);
}

TEST_F(RetailTest, TinyScalesWork) {
  RetailOptions options;
  options.orders = options.events = options.crm = 1;
  options.days = 3;
  EXPECT_TRUE(Generate(options).contains("warehouse/product_catalog.csv"));
}

TEST_F(RetailTest, RefusesOptionsThatMakeNoSense) {
  RetailOptions options = Small();
  options.out_dir = dir_.string();
  options.part = 4;
  const Status refused = GenerateRetail(options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "bad-option");
  EXPECT_FALSE(fs::exists(dir_));
}

TEST(MoneyTest, RoundsHalfAwayFromZeroAsSqlDoes) {
  EXPECT_EQ(ToUsdCents(1, 500'000), 1);
  EXPECT_EQ(ToUsdCents(-1, 500'000), -1);
  EXPECT_EQ(ToUsdCents(1, 499'999), 0);
  EXPECT_EQ(ToUsdCents(123'456'789'012, 6'721), 829'753'079);
}

TEST(MoneyTest, SpellsAmountsAsPeopleDo) {
  EXPECT_EQ(MoneyText(5), "0.05");
  EXPECT_EQ(MoneyText(-123456), "-1234.56");
  EXPECT_EQ(ContinentalMoneyText(123456789), "1.234.567,89");
  EXPECT_EQ(ContinentalMoneyText(-123456), "-1.234,56");
  EXPECT_EQ(ContinentalMoneyText(99999), "999,99");
}

}  // namespace
}  // namespace sluice::cli::retail
