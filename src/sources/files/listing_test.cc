#include "sources/files/listing.h"

#include <gtest/gtest.h>

namespace sluice::sources {
namespace {

constexpr int64_t kSecond = 1000000;

store::ObjectMeta Object(std::string key, int64_t size = 10, std::string etag = "e1", int64_t modified_seconds = 0) {
  return {std::move(key), size, std::move(etag), Instant{modified_seconds * kSecond}};
}

Read Reading(std::string glob, OnChangedFile policy = OnChangedFile::kFail) {
  Read read;
  read.files = std::move(glob);
  read.on_changed_file = policy;
  return read;
}

std::vector<std::string> Keys(const Offer& offer) {
  std::vector<std::string> keys;
  for (const InputFile& file : offer.files) keys.push_back(file.object.key);
  return keys;
}

TEST(GlobPrefix, IsTheFolderBeforeTheFirstWildcard) {
  EXPECT_EQ(GlobPrefix("orders/2024/*.csv"), "orders/2024/");
  EXPECT_EQ(GlobPrefix("orders/o_{a,b}.csv"), "orders/");
  EXPECT_EQ(GlobPrefix("*.csv"), "");
  EXPECT_EQ(GlobPrefix("orders/a.csv"), "orders/a.csv");
}

TEST(Select, TakesNewFilesByKeyThatMatchTheGlob) {
  auto offer = Select({Object("a/1.csv"), Object("a/2.csv"), Object("a/2.json"), Object("a/b/3.csv")}, Reading("a/*.csv"), {}, Instant{});
  ASSERT_TRUE(offer);
  EXPECT_EQ(Keys(*offer), (std::vector<std::string>{"a/1.csv", "a/2.csv"}));
  auto deep = Select({Object("a/1.csv"), Object("a/b/3.csv")}, Reading("a/**/*.csv"), {}, Instant{});
  EXPECT_EQ(Keys(*deep).size(), 2u);
}

TEST(Select, LeavesHiddenAndUnfinishedFilesAndSaysWhy) {
  auto offer = Select({Object(".hidden.csv"), Object("a.csv.part"), Object("b.csv.TMP"), Object("c.csv~"), Object("d.csv")}, Reading("*"),
                      {}, Instant{});
  ASSERT_TRUE(offer);
  EXPECT_EQ(Keys(*offer), (std::vector<std::string>{"d.csv"}));
  ASSERT_EQ(offer->skipped.size(), 4u);
  EXPECT_EQ(offer->skipped[1].key, "a.csv.part");
  EXPECT_EQ(offer->skipped[1].why, "unfinished: a name that ends in .part");
}

TEST(Select, LeavesFilesThatHaveNotSettled) {
  Read read = Reading("*.csv");
  read.settle_micros = 60 * kSecond;
  const std::vector<store::ObjectMeta> listed = {Object("new.csv", 1, "e", 100), Object("old.csv", 1, "e", 40)};
  EXPECT_EQ(Keys(*Select(listed, read, {}, Instant{100 * kSecond})), (std::vector<std::string>{"old.csv"}));
  EXPECT_EQ(Keys(*Select(listed, read, {}, Instant{160 * kSecond})).size(), 2u);
}

TEST(Select, DoesNotOfferWhatWasIngested) {
  auto offer = Select({Object("a.csv"), Object("b.csv")}, Reading("*.csv"), {{"a.csv", {10, "e1"}}}, Instant{});
  ASSERT_TRUE(offer);
  EXPECT_EQ(Keys(*offer), (std::vector<std::string>{"b.csv"}));
  EXPECT_EQ(offer->unchanged, 1);
}

TEST(Select, FollowsThePolicyForFilesThatChanged) {
  const std::vector<store::ObjectMeta> listed = {Object("a.csv", 11), Object("b.csv", 10, "e2"), Object("c.csv")};
  const Ledger ingested = {{"a.csv", {10, "e1"}}, {"b.csv", {10, "e1"}}, {"c.csv", {10, "e1"}}};
  auto refused = Select(listed, Reading("*.csv"), ingested, Instant{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "changed-file");
  EXPECT_EQ(refused.error().kind, ErrorKind::kData);
  EXPECT_EQ(refused.error().message, "files changed since they were ingested: a.csv, b.csv");

  auto taken = Select(listed, Reading("*.csv", OnChangedFile::kIngest), ingested, Instant{});
  ASSERT_TRUE(taken);
  EXPECT_EQ(Keys(*taken), (std::vector<std::string>{"a.csv", "b.csv"}));
  EXPECT_EQ(taken->changed, Keys(*taken));

  auto ignored = Select(listed, Reading("*.csv", OnChangedFile::kIgnore), ingested, Instant{});
  ASSERT_TRUE(ignored);
  EXPECT_TRUE(ignored->files.empty());
  EXPECT_EQ(ignored->skipped.size(), 2u);
}

TEST(Select, NotesFilesThatAreGone) {
  auto offer =
      Select({Object("a.csv")}, Reading("*.csv"), {{"a.csv", {10, "e1"}}, {"z.csv", {1, "e"}}, {"other/z.csv", {1, "e"}}}, Instant{});
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->gone, (std::vector<std::string>{"z.csv"}));
}

}  // namespace
}  // namespace sluice::sources
