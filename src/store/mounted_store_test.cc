#include "store/mounted_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

class MountedStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("mounted-" + std::to_string(::getpid()) + "-" + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_ / "theirs/t/_delta_log");
    std::ofstream(folder_ / "theirs/t/a.parquet") << "rows";
    std::ofstream(folder_ / "theirs/t/_delta_log/0.json") << "their log";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::unique_ptr<ObjectStore> Open(const std::string& place, const std::string& kept = "") {
    auto base = OpenLocalStore((folder_ / "lake").string(), false);
    EXPECT_TRUE(base);
    return NewMountedStore(std::move(*base), {{"bronze/t/", (folder_ / place).string(), kept, kept.empty() ? "" : "_sluice/t/"}});
  }
  static std::vector<std::string> Keys(ObjectStore& store, const std::string& prefix, const std::string& after = "") {
    std::vector<std::string> keys;
    const auto listed = store.List(prefix, after);
    EXPECT_TRUE(listed);
    for (const auto& object : *listed) keys.push_back(object.key);
    return keys;
  }

  fs::path folder_;
};

TEST_F(MountedStoreTest, ShowsThePlaceBelowItsPrefixAndTheRestAsItIs) {
  const auto store = Open("theirs/t");
  ASSERT_TRUE(store->Put("bronze/u/b", "ours"));
  EXPECT_EQ(Keys(*store, "bronze/t/"), (std::vector<std::string>{"bronze/t/_delta_log/0.json", "bronze/t/a.parquet"}));
  EXPECT_EQ(Keys(*store, "bronze/t/", "bronze/t/_delta_log/0.json"), (std::vector<std::string>{"bronze/t/a.parquet"}));
  EXPECT_EQ(Keys(*store, "bronze/u/"), (std::vector<std::string>{"bronze/u/b"}));
  EXPECT_EQ(*store->Get("bronze/t/a.parquet"), "rows");
  EXPECT_EQ(*store->GetRange("bronze/t/a.parquet", 1, 2), "ow");
  EXPECT_EQ(store->Head("bronze/t/a.parquet")->key, "bronze/t/a.parquet");
  EXPECT_EQ(store->Uri("bronze/t/a.parquet"), fs::canonical(folder_ / "theirs/t/a.parquet").string());
}

TEST_F(MountedStoreTest, RefusesEveryWriteBelowThePlace) {
  const auto store = Open("theirs/t");
  EXPECT_EQ(store->Put("bronze/t/a.parquet", "x").error().code, "read-only-place");
  EXPECT_EQ(store->PutIfAbsent("bronze/t/c", "x").error().code, "read-only-place");
  EXPECT_EQ(store->PutIfMatch("bronze/t/a.parquet", "x", "e").error().code, "read-only-place");
  EXPECT_EQ(store->OpenWriter("bronze/t/c").error().code, "read-only-place");
  EXPECT_EQ(store->Delete("bronze/t/a.parquet").error().code, "read-only-place");
  EXPECT_EQ(*store->Get("bronze/t/a.parquet"), "rows");
}

TEST_F(MountedStoreTest, KeepsAPartInTheStoreItself) {
  const auto store = Open("theirs/t", "_delta_log/");
  EXPECT_EQ(Keys(*store, "bronze/t/_delta_log/"), std::vector<std::string>());
  ASSERT_EQ(*store->PutIfAbsent("bronze/t/_delta_log/7.json", "our log"), PutOutcome::kWritten);
  EXPECT_EQ(Keys(*store, "bronze/t/_delta_log/"), (std::vector<std::string>{"bronze/t/_delta_log/7.json"}));
  EXPECT_EQ(*store->Get("_sluice/t/_delta_log/7.json"), "our log");
  EXPECT_EQ(*store->Get("bronze/t/a.parquet"), "rows");
}

TEST_F(MountedStoreTest, APlaceThatIsNotThereIsEmptyUntilItIs) {
  const auto store = Open("theirs/later");
  EXPECT_EQ(Keys(*store, "bronze/t/"), std::vector<std::string>());
  EXPECT_EQ(store->Get("bronze/t/a").error().kind, ErrorKind::kNotFound);
  fs::create_directories(folder_ / "theirs/later");
  std::ofstream(folder_ / "theirs/later/a") << "now";
  EXPECT_EQ(*store->Get("bronze/t/a"), "now");
}

}  // namespace
}  // namespace sluice::store
