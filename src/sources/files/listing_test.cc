#include "sources/files/listing.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <map>

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

// What objects hold, by key; asking for another one fails the test.
Result<Offer> Select(const std::vector<store::ObjectMeta>& listed, const Read& read, const Ledger& ingested, Instant now,
                     const std::map<std::string, std::string>& hashes = {}) {
  return sources::Select(listed, read, ingested, now, [&](const store::ObjectMeta& object) -> Result<std::string> {
    const auto found = hashes.find(object.key);
    if (found == hashes.end()) ADD_FAILURE() << object.key << " need not be read";
    return found == hashes.end() ? "" : found->second;
  });
}

std::vector<std::string> KnownOf(const Offer& offer) {
  std::vector<std::string> keys;
  for (const auto& known : offer.known) keys.push_back(known.key + "=" + known.seen.rows_of);
  return keys;
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

TEST(Select, SkipsAFileOfTheSameContentsAndNotesItsNewEtag) {
  const Ledger ingested = {{"a.csv", {10, "e1", "h"}}, {"b.csv", {10, "e1", "h"}}};
  auto offer = Select({Object("a.csv", 10, "e2"), Object("b.csv", 11, "e2")}, Reading("*.csv", OnChangedFile::kIngest), ingested, Instant{},
                      {{"a.csv", "h"}});  // b.csv has another size: it is not read to know that it changed
  ASSERT_TRUE(offer);
  EXPECT_EQ(Keys(*offer), (std::vector<std::string>{"b.csv"}));
  ASSERT_EQ(offer->known.size(), 1u);
  EXPECT_EQ(offer->known[0].seen, (Seen{10, "e2", "h", ""}));
  EXPECT_EQ(offer->unchanged, 1);
}

TEST(Select, AFileOfTheSameSizeAndOtherContentsHasChanged) {
  const Ledger ingested = {{"a.csv", {10, "e1", "h"}}};
  auto offer = Select({Object("a.csv", 10, "e2")}, Reading("*.csv"), ingested, Instant{}, {{"a.csv", "other"}});
  EXPECT_EQ(offer.error().code, "changed-file");
}

TEST(Select, SkipsARenamedFileUnlessTold) {
  const Ledger ingested = {{"old.csv", {10, "e1", "h"}}, {"there.csv", {10, "e1", "h2"}}};
  const std::vector<store::ObjectMeta> listed = {Object("copy.csv"), Object("long.csv", 11), Object("new.csv"), Object("there.csv")};
  const std::map<std::string, std::string> hashes = {{"new.csv", "h"}, {"copy.csv", "h2"}};
  auto offer = Select(listed, Reading("*.csv"), ingested, Instant{}, hashes);
  ASSERT_TRUE(offer);
  EXPECT_EQ(KnownOf(*offer), (std::vector<std::string>{"new.csv=old.csv"}));
  EXPECT_EQ(Keys(*offer), (std::vector<std::string>{"copy.csv", "long.csv"}));

  Read read = Reading("*.csv");
  read.on_renamed_file = OnKnownContents::kIngest;
  EXPECT_EQ(Keys(*Select(listed, read, ingested, Instant{})).size(), 3u);  // and reads none of them for it
  read.on_copied_file = OnKnownContents::kSkip;
  EXPECT_EQ(KnownOf(*Select(listed, read, ingested, Instant{}, hashes)), (std::vector<std::string>{"copy.csv=there.csv"}));
}

TEST(Select, OfCopiesInOneBatchTheFirstIsTaken) {
  Read read = Reading("*.csv");
  read.on_copied_file = OnKnownContents::kSkip;
  const std::vector<store::ObjectMeta> listed = {Object("a.csv"), Object("b.csv"), Object("c.csv"), Object("d.csv", 11), Object("e.csv")};
  auto offer = Select(listed, read, {}, Instant{}, {{"a.csv", "1"}, {"b.csv", "2"}, {"c.csv", "1"}, {"e.csv", "2"}});
  ASSERT_TRUE(offer);
  EXPECT_EQ(Keys(*offer), (std::vector<std::string>{"a.csv", "b.csv", "d.csv"}));
  EXPECT_EQ(KnownOf(*offer), (std::vector<std::string>{"c.csv=a.csv", "e.csv=b.csv"}));
}

TEST(Select, EmptyFilesAreNoCopiesOfEachOther) {
  Read read = Reading("*.csv");
  read.on_copied_file = OnKnownContents::kSkip;
  EXPECT_EQ(Keys(*Select({Object("a.csv", 0), Object("b.csv", 0)}, read, {{"old.csv", {0, "e", "h"}}}, Instant{})).size(), 2u);
}

TEST(Select, ReplacesTheRowsOfAChangedFileAndOfTheNameItHadBefore) {
  const Ledger ingested = {{"new.csv", {10, "e1", "h", "old.csv"}}, {"old.csv", {10, "e1", "h"}}};
  const auto replaced = [&](const std::vector<store::ObjectMeta>& listed, const Ledger& before) {
    auto offer = Select(listed, Reading("*.csv", OnChangedFile::kReplace), before, Instant{});
    return offer ? offer->replaced : std::vector<std::string>{offer.error().message};
  };
  EXPECT_EQ(replaced({Object("new.csv", 12, "e2")}, ingested), (std::vector<std::string>{"new.csv", "old.csv"}));
  // The file of the old name is back, or another stands for its rows too: they stay.
  EXPECT_EQ(replaced({Object("new.csv", 12, "e2"), Object("old.csv")}, ingested), (std::vector<std::string>{"new.csv"}));
  Ledger two = ingested;
  two["too.csv"] = {10, "e1", "h", "old.csv"};
  EXPECT_EQ(replaced({Object("new.csv", 12, "e2"), Object("too.csv")}, two), (std::vector<std::string>{"new.csv"}));
}

TEST(Select, WaitsForADoneMarkerWhichIsNoFileToIngest) {
  Read read = Reading("d/*");
  read.done_marker = "{name}.done";
  auto offer = Select({Object("d/a.csv"), Object("d/a.csv.done"), Object("d/b.csv")}, read, {}, Instant{});
  ASSERT_TRUE(offer);
  EXPECT_EQ(Keys(*offer), (std::vector<std::string>{"d/a.csv"}));
  EXPECT_EQ(offer->waiting, 1);
  ASSERT_EQ(offer->skipped.size(), 1u);
  EXPECT_EQ(offer->skipped[0].why, "not done yet: its marker d/b.csv.done is not there");

  read.done_marker = "_SUCCESS";
  EXPECT_EQ(Keys(*Select({Object("d/_SUCCESS"), Object("d/a.csv"), Object("e/b.csv")}, read, {}, Instant{})).size(), 1u);
}

TEST(Select, AnOldMarkerDoesNotMarkAFileThatCameAgain) {
  Read read = Reading("*.csv", OnChangedFile::kIngest);
  read.done_marker = "{stem}.ok";
  const Ledger ingested = {{"a.csv", {9, "e1", "h"}}};
  EXPECT_EQ(Select({Object("a.csv", 10, "e2", 100), Object("a.ok", 0, "e", 90)}, read, ingested, Instant{})->waiting, 1);
  EXPECT_EQ(Keys(*Select({Object("a.csv", 10, "e2", 100), Object("a.ok", 0, "e", 101)}, read, ingested, Instant{})).size(), 1u);
}

TEST(Select, OrdersByTimeWhereTold) {
  Read read = Reading("*.csv");
  const std::vector<store::ObjectMeta> listed = {Object("a.csv", 1, "e", 30), Object("b.csv", 1, "e", 10), Object("c.csv", 1, "e", 10)};
  EXPECT_EQ(Keys(*Select(listed, read, {}, Instant{})), (std::vector<std::string>{"a.csv", "b.csv", "c.csv"}));
  read.order = FileOrder::kModified;
  EXPECT_EQ(Keys(*Select(listed, read, {}, Instant{})), (std::vector<std::string>{"b.csv", "c.csv", "a.csv"}));
}

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * 4096;
}

// What is compared per file is a few hundred bytes, and no step looks at files once more for each other file.
TEST(Select, AMillionFilesAreDecidedWithinSeconds) {
  const int count = 1'000'000;
  const auto key = [](int i) { return fmt::format("landing/day={:03}/part-{:07}.csv", i / 4000, i); };
  std::vector<store::ObjectMeta> listed;
  Ledger ingested;
  const int64_t before = ResidentBytes();
  for (int i = 0; i < count; ++i) {
    const std::string etag = fmt::format("65b{:05x}.{:x}-2710-{:x}", i, i * 7, i);
    listed.push_back(Object(key(i), 10000, etag, i));
    if (i % 4 == 0) continue;  // new; of those the ledger has, a third was touched, and another one had another name
    ingested.emplace_hint(ingested.end(),
                          i % 4 == 1   ? key(i)
                          : i % 4 == 2 ? key(i) + ".gone"
                                       : key(i),
                          Seen{10000, i % 4 == 3 ? "other" : etag, fmt::format("xxh3:{:032x}", i)});
  }
  const int64_t held = ResidentBytes();
  Read read = Reading("landing/**/*.csv");
  read.on_copied_file = OnKnownContents::kSkip;
  const auto start = std::chrono::steady_clock::now();
  const auto offer = sources::Select(listed, read, ingested, Instant{}, [](const store::ObjectMeta& object) -> Result<std::string> {
    return fmt::format("xxh3:{:032x}", std::stoi(object.key.substr(object.key.size() - 11, 7)));
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ASSERT_TRUE(offer) << offer.error().ToString();
  std::cout << fmt::format("{:.1f} s; listing and ledger {} MiB, deciding {} MiB more\n", seconds, (held - before) >> 20,
                           (ResidentBytes() - held) >> 20);
  EXPECT_EQ(offer->files.size(), 250'000u);
  EXPECT_EQ(offer->known.size(), 500'000u);  // touched, and renamed
  EXPECT_LT(seconds, 60);
  EXPECT_LT(ResidentBytes() - before, int64_t{1500} << 20);
}

TEST(MarkerOf, StandsBesideTheFile) {
  EXPECT_EQ(MarkerOf("{name}.done", "a/b/x.csv.gz"), "a/b/x.csv.gz.done");
  EXPECT_EQ(MarkerOf("{stem}.done", "x.csv"), "x.done");
  EXPECT_EQ(MarkerOf("done/{stem}", "a/x"), "a/done/x");
  EXPECT_EQ(MarkerOf("_SUCCESS", "a/x.csv"), "a/_SUCCESS");
}

TEST(Select, NotesFilesThatAreGone) {
  auto offer =
      Select({Object("a.csv")}, Reading("*.csv"), {{"a.csv", {10, "e1"}}, {"z.csv", {1, "e"}}, {"other/z.csv", {1, "e"}}}, Instant{});
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->gone, (std::vector<std::string>{"z.csv"}));
}

}  // namespace
}  // namespace sluice::sources
