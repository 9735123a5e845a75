// The contract of ObjectStore, run over every implementation.
#include "store/object_store.h"

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include "store/faulty_store.h"
#include "store/posix_file.h"
#include "store/s3/test_gateway.h"

namespace sluice::store {
namespace {

// A folder of its own for each test, removed with it.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice-store-test-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Implementation {
  std::string name;
  std::function<std::unique_ptr<ObjectStore>(const std::string& folder)> open;
};

std::unique_ptr<ObjectStore> Memory(const std::string&) { return NewMemoryStore(SystemClock()); }
std::unique_ptr<ObjectStore> Durable(const std::string& folder) { return OpenLocalStore(folder).value(); }
std::unique_ptr<ObjectStore> Quick(const std::string& folder) { return OpenLocalStore(folder, false).value(); }
std::unique_ptr<ObjectStore> Faultless(const std::string& folder) { return std::make_unique<FaultyStore>(Quick(folder)); }

// One server for the whole program, a prefix for each test.
std::unique_ptr<ObjectStore> S3(const std::string& folder) {
  static const ScratchFolder scratch;
  static const TestGateway gateway(scratch.path());
  return OpenStore("s3://lake" + folder, gateway.Options()).value();
}
std::unique_ptr<ObjectStore> FaultlessS3(const std::string& folder) { return std::make_unique<FaultyStore>(S3(folder)); }

class ObjectStoreContract : public testing::TestWithParam<Implementation> {
 protected:
  bool on_s3() const { return GetParam().name.find("S3") != std::string::npos; }
  void SetUp() override {
    if (on_s3() && !TestGateway::Installed()) GTEST_SKIP() << "no S3 server at " << SLUICE_VERSITYGW << ": run scripts/setup test";
    store = GetParam().open(folder.path() + "/root");
  }

  std::vector<std::string> Keys(std::string_view prefix, std::string_view after = "") {
    std::vector<std::string> keys;
    const auto found = store->List(prefix, after);
    EXPECT_TRUE(found) << found.error().ToString();
    for (const auto& meta : *found) keys.push_back(meta.key);
    return keys;
  }
  void Put(std::string_view key, std::string_view bytes = "x") { ASSERT_TRUE(store->Put(key, bytes)); }

  ScratchFolder folder;
  std::unique_ptr<ObjectStore> store;
};

using Names = std::vector<std::string>;

TEST_P(ObjectStoreContract, GivesBackWhatWasPut) {
  const std::string bytes("a\0b\n", 4);
  Put("a/b/c.bin", bytes);
  EXPECT_EQ(store->Get("a/b/c.bin").value(), bytes);
  const ObjectMeta meta = store->Head("a/b/c.bin").value();
  EXPECT_EQ(meta.key, "a/b/c.bin");
  EXPECT_EQ(meta.size, 4);
  EXPECT_FALSE(meta.etag.empty());
  EXPECT_GT(meta.modified.micros, 1'700'000'000'000'000);
}

TEST_P(ObjectStoreContract, EmptyObjectsExist) {
  Put("empty", "");
  EXPECT_EQ(store->Get("empty").value(), "");
  EXPECT_EQ(store->GetRange("empty", 0, 10).value(), "");
  EXPECT_EQ(store->Head("empty")->size, 0);
}

TEST_P(ObjectStoreContract, AbsentObjectIsNotFound) {
  Put("a/b");
  for (const char* key : {"nothing", "no/such/folder", "a", "a/b/c"}) {
    for (const Error& error : {store->Get(key).error(), store->Head(key).error(), store->GetRange(key, 0, 1).error()}) {
      EXPECT_EQ(error.kind, ErrorKind::kNotFound) << key;
      EXPECT_EQ(error.code, "no-such-object") << key;
      EXPECT_NE(error.message.find(key), std::string::npos) << error.message;
    }
  }
}

TEST_P(ObjectStoreContract, RefusesKeysThatLeaveTheStore) {
  for (const std::string& key : Names{"", "/abs", "a//b", "../up", "a/../../up", "a/.", "a/", std::string("nul\0x", 5)}) {
    EXPECT_EQ(store->Put(key, "x").error().code, "bad-key") << key;
    EXPECT_EQ(store->PutIfAbsent(key, "x").error().code, "bad-key") << key;
    EXPECT_EQ(store->Get(key).error().code, "bad-key") << key;
    EXPECT_EQ(store->OpenWriter(key).error().code, "bad-key") << key;
    EXPECT_EQ(store->Delete(key).error().code, "bad-key") << key;
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/up"));
}

TEST_P(ObjectStoreContract, ReadsRanges) {
  Put("r", "0123456789");
  EXPECT_EQ(store->GetRange("r", 2, 3).value(), "234");
  EXPECT_EQ(store->GetRange("r", 8, 100).value(), "89");
  EXPECT_EQ(store->GetRange("r", 10, 5).value(), "");
  EXPECT_EQ(store->GetRange("r", 50, 5).value(), "");
  EXPECT_EQ(store->GetRange("r", -4, 4).value(), "6789");
  EXPECT_EQ(store->GetRange("r", -4, 2).value(), "67");
  EXPECT_EQ(store->GetRange("r", -40, 3).value(), "012");
  EXPECT_EQ(store->GetRange("r", 3, 0).value(), "");
}

TEST_P(ObjectStoreContract, ListsSortedBytewiseOverAllLevels) {
  // '-' < '.' < '/' < '0': a folder's objects stand between its neighbours.
  for (const char* key : {"t/a/2", "t/a.x", "t/a-x", "t/a0", "t/a/10", "t/B", "t/\xC3\xA9", "u/1", "t2"}) Put(key);
  EXPECT_EQ(Keys("t/"), (Names{"t/B", "t/a-x", "t/a.x", "t/a/10", "t/a/2", "t/a0", "t/\xC3\xA9"}));
  EXPECT_EQ(Keys("t/a/"), (Names{"t/a/10", "t/a/2"}));
  EXPECT_EQ(Keys("").size(), 9u);
}

TEST_P(ObjectStoreContract, APrefixNeedNotEndAtAFolder) {
  for (const char* key : {"log/0001.json", "log/0002.json", "log/0010.json", "log/000/x", "logs"}) Put(key);
  EXPECT_EQ(Keys("log/000"), (Names{"log/000/x", "log/0001.json", "log/0002.json"}));
  EXPECT_EQ(Keys("log"), (Names{"log/000/x", "log/0001.json", "log/0002.json", "log/0010.json", "logs"}));
  EXPECT_EQ(Keys("log/0001.json"), (Names{"log/0001.json"}));
}

TEST_P(ObjectStoreContract, ListsOnlyAfterAKey) {
  for (const char* key : {"n/1", "n/2", "n/2/x", "n/3", "n/a/1", "n/a/2", "n/b/1"}) {
    if (std::string_view(key) != "n/2/x") Put(key);
  }
  EXPECT_EQ(Keys("n/", "n/2"), (Names{"n/3", "n/a/1", "n/a/2", "n/b/1"}));
  EXPECT_EQ(Keys("n/", "n/a/1"), (Names{"n/a/2", "n/b/1"}));
  EXPECT_EQ(Keys("n/", "n/az"), (Names{"n/b/1"}));
  EXPECT_EQ(Keys("n/", "n/b/1"), Names{});
  EXPECT_EQ(Keys("n/", "m"), (Names{"n/1", "n/2", "n/3", "n/a/1", "n/a/2", "n/b/1"}));
}

TEST_P(ObjectStoreContract, NothingListsAsNothing) {
  EXPECT_EQ(Keys(""), Names{});
  Put("a");
  EXPECT_EQ(Keys("nothing/here/"), Names{});
  EXPECT_EQ(Keys("a/"), Names{});
}

TEST_P(ObjectStoreContract, ListAndHeadAgree) {
  Put("x/1", "abc");
  const auto listed = store->List("x/").value();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0], store->Head("x/1").value());
}

TEST_P(ObjectStoreContract, PutReplacesAndChangesTheEtag) {
  Put("k", "one");
  const std::string before = store->Head("k")->etag;
  EXPECT_EQ(store->Head("k")->etag, before);
  Put("k", "two");
  EXPECT_EQ(store->Get("k").value(), "two");
  EXPECT_NE(store->Head("k")->etag, before);
}

TEST_P(ObjectStoreContract, EtagsOfManyQuickWritesDiffer) {
  std::set<std::string> etags;
  for (int i = 10; i < 60; ++i) {
    Put("k", std::to_string(i));
    etags.insert(store->Head("k")->etag);
  }
  EXPECT_EQ(etags.size(), 50u);
}

TEST_P(ObjectStoreContract, PutIfAbsentKeepsTheFirst) {
  EXPECT_EQ(store->PutIfAbsent("d/k", "first").value(), PutOutcome::kWritten);
  EXPECT_EQ(store->PutIfAbsent("d/k", "second").value(), PutOutcome::kExists);
  EXPECT_EQ(store->Get("d/k").value(), "first");
  EXPECT_EQ(Keys("d/"), (Names{"d/k"}));
}

TEST_P(ObjectStoreContract, OneOfManyPutIfAbsentWins) {
  constexpr int kWriters = 8, kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = "race/" + std::to_string(round);
    std::atomic<int> won{0}, winner{-1};
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&, i] {
        if (store->PutIfAbsent(key, std::to_string(i)).value() == PutOutcome::kWritten) {
          ++won;
          winner = i;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(store->Get(key).value(), std::to_string(winner));
  }
}

TEST_P(ObjectStoreContract, PutIfMatchReplacesOnlyWhatWasSeen) {
  EXPECT_EQ(store->PutIfMatch("k", "v", "any").value(), PutOutcome::kExists);
  Put("k", "one");
  const std::string seen = store->Head("k")->etag;
  EXPECT_EQ(store->PutIfMatch("k", "two", seen).value(), PutOutcome::kWritten);
  EXPECT_EQ(store->PutIfMatch("k", "three", seen).value(), PutOutcome::kExists);
  EXPECT_EQ(store->Get("k").value(), "two");
}

TEST_P(ObjectStoreContract, PutIfMatchCountsWithoutLosingOne) {
  constexpr int kWriters = 4, kIncrements = 25;
  Put("counter", "0");
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&] {
      for (int done = 0; done < kIncrements;) {
        // The etag is read first: if the value is newer than it, the put fails.
        const std::string etag = store->Head("counter").value().etag;
        const int value = std::stoi(store->Get("counter").value());
        if (store->PutIfMatch("counter", std::to_string(value + 1), etag).value() == PutOutcome::kWritten) ++done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store->Get("counter").value(), std::to_string(kWriters * kIncrements));
}

TEST_P(ObjectStoreContract, ReadersNeverSeeHalfAnObject) {
  const std::string a(300'000, 'a'), b(200'000, 'b');
  Put("k", a);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(store->Put("k", i % 2 ? a : b));
    stop = true;
  });
  while (!stop) {
    const std::string seen = store->Get("k").value();
    EXPECT_TRUE(seen == a || seen == b) << seen.size();
  }
  writer.join();
}

TEST_P(ObjectStoreContract, AStreamedObjectAppearsWhenClosed) {
  auto writer = store->OpenWriter("big/file").value();
  std::string whole;
  for (int i = 0; i < 30; ++i) {
    const std::string piece(i % 3 ? 1000 : 700'000, static_cast<char>('a' + i % 26));
    whole += piece;
    ASSERT_TRUE(writer->Write(piece));
  }
  EXPECT_EQ(Keys(""), Names{});
  EXPECT_EQ(store->Head("big/file").error().kind, ErrorKind::kNotFound);
  ASSERT_TRUE(writer->Close());
  EXPECT_EQ(Keys(""), (Names{"big/file"}));
  EXPECT_EQ(store->Get("big/file").value(), whole);
  EXPECT_FALSE(writer->Close());
  EXPECT_FALSE(writer->Write("more"));
}

TEST_P(ObjectStoreContract, AStreamWithoutCloseLeavesNothing) {
  {
    auto writer = store->OpenWriter("big/file").value();
    ASSERT_TRUE(writer->Write(std::string(3'000'000, 'x')));
  }
  EXPECT_EQ(Keys(""), Names{});
  EXPECT_EQ(store->Get("big/file").error().kind, ErrorKind::kNotFound);
}

TEST_P(ObjectStoreContract, KeysMayHaveAnyCharacter) {
  const Names keys = {"k/!$&'()*,:;=@", "k/%41", "k/+", "k/<&>\"", "k/a b", "k/month=2024-01/x", "k/~", "k/\xC3\xA9\xE2\x82\xAC"};
  for (const std::string& key : keys) Put(key, key);
  for (const std::string& key : keys) EXPECT_EQ(store->Get(key).value(), key);
  EXPECT_EQ(Keys("k/"), keys);
  EXPECT_EQ(Keys("k/", "k/a b"), (Names{keys.begin() + 5, keys.end()}));
  EXPECT_TRUE(DeleteAll(*store, keys));
  EXPECT_EQ(Keys("k/"), Names{});
}

TEST_P(ObjectStoreContract, ListsMoreThanFitsOneAnswer) {
  Names keys;
  for (int i = 0; i < 1100; ++i) keys.push_back("many/" + std::to_string(10'000 + i));
  for (const std::string& key : keys) Put(key, "");
  EXPECT_EQ(Keys("many/"), keys);
  EXPECT_EQ(Keys("many/", keys[49]), (Names{keys.begin() + 50, keys.end()}));
  EXPECT_TRUE(DeleteAll(*store, keys));
  EXPECT_EQ(Keys("many/"), Names{});
}

TEST_P(ObjectStoreContract, ALargeObjectComesBackInRanges) {
  std::string whole;
  for (int i = 0; whole.size() < 20'000'000; ++i) whole += std::to_string(i);
  auto writer = store->OpenWriter("large").value();
  for (size_t at = 0; at < whole.size(); at += 700'001) ASSERT_TRUE(writer->Write(std::string_view(whole).substr(at, 700'001)));
  ASSERT_TRUE(writer->Close());
  EXPECT_EQ(store->Head("large")->size, static_cast<int64_t>(whole.size()));
  EXPECT_EQ(store->GetRange("large", 8'388'600, 100).value(), whole.substr(8'388'600, 100));
  EXPECT_EQ(store->GetRange("large", -5, 5).value(), whole.substr(whole.size() - 5));
  EXPECT_TRUE(store->Get("large").value() == whole);
}

TEST_P(ObjectStoreContract, DeletingIsIdempotent) {
  Put("a/b");
  EXPECT_TRUE(store->Delete("a/b"));
  EXPECT_TRUE(store->Delete("a/b"));
  EXPECT_TRUE(store->Delete("never/was"));
  EXPECT_EQ(Keys(""), Names{});
}

INSTANTIATE_TEST_SUITE_P(All, ObjectStoreContract,
                         testing::Values(Implementation{"Memory", Memory}, Implementation{"Local", Durable},
                                         Implementation{"LocalNotDurable", Quick}, Implementation{"FaultyWithoutFaults", Faultless},
                                         Implementation{"S3", S3}, Implementation{"FaultyS3WithoutFaults", FaultlessS3}),
                         [](const auto& info) { return info.param.name; });

// What only a folder on a disk can show.
class LocalStoreTest : public testing::Test {
 protected:
  ScratchFolder folder;
  std::unique_ptr<ObjectStore> store = OpenLocalStore(folder.path(), false).value();
};

TEST_F(LocalStoreTest, LeavesNoTemporaryFileBehind) {
  ASSERT_TRUE(store->Put("d/a", "1"));
  ASSERT_TRUE(store->PutIfAbsent("d/b", "1"));
  ASSERT_TRUE(store->PutIfAbsent("d/b", "2"));
  ASSERT_TRUE(store->PutIfMatch("d/b", "3", store->Head("d/b")->etag));
  {
    ASSERT_TRUE(store->OpenWriter("d/c").value()->Write("x"));
  }
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path() + "/d")) ++files;
  EXPECT_EQ(files, 2);
}

TEST_F(LocalStoreTest, DoesNotListTheTemporaryFileOfADeadWriter) {
  auto writer = store->OpenWriter("d/c").value();
  ASSERT_TRUE(writer->Write(std::string(2'000'000, 'x')));
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path() + "/d")) ++files;
  EXPECT_EQ(files, 1);
  EXPECT_TRUE(store->List("").value().empty());
}

TEST_F(LocalStoreTest, FollowsLinksButNotInCircles) {
  ASSERT_TRUE(store->Put("real/x", "1"));
  std::filesystem::create_directory_symlink(folder.path() + "/real", folder.path() + "/alias");
  std::filesystem::create_directory_symlink(folder.path(), folder.path() + "/real/loop");
  std::filesystem::create_symlink(folder.path() + "/nowhere", folder.path() + "/real/broken");
  std::vector<std::string> keys;
  const auto listed = store->List("").value();
  for (const auto& meta : listed) keys.push_back(meta.key);
  EXPECT_EQ(keys, (Names{"alias/x", "real/x"}));
}

TEST_F(LocalStoreTest, SaysWhereItMayNotWrite) {
  ASSERT_TRUE(store->Put("d/a", "1"));
  ASSERT_EQ(::chmod((folder.path() + "/d").c_str(), 0500), 0);
  const bool root = ::geteuid() == 0;  // root may write everywhere: this thread is nobody for a moment
  if (root) ::setfsuid(65534);
  const Error error = store->Put("d/b", "1").error();
  if (root) ::setfsuid(0);
  ::chmod((folder.path() + "/d").c_str(), 0700);
  EXPECT_EQ(error.code, "permission-denied");
  EXPECT_EQ(error.kind, ErrorKind::kUser);
  EXPECT_NE(error.message.find("/d"), std::string::npos);
  EXPECT_FALSE(error.hint.empty());
}

TEST_F(LocalStoreTest, SaysThatAFileStandsWhereAFolderShould) {
  ASSERT_TRUE(store->Put("a", "1"));
  EXPECT_EQ(store->Put("a/b", "1").error().code, "bad-path");
  EXPECT_EQ(store->PutIfAbsent("a/b", "1").error().code, "bad-path");
}

TEST_F(LocalStoreTest, SaysThatTheDiskIsFull) {
  const Error error = FileError(ENOSPC, "write into", "/lake/bronze");
  EXPECT_EQ(error.code, "disk-full");
  EXPECT_EQ(error.kind, ErrorKind::kRetryable);
  EXPECT_NE(error.message.find("/lake/bronze"), std::string::npos);
}

TEST_F(LocalStoreTest, AStreamThatFailedOnceIsNeverPublished) {
  struct rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  auto writer = store->OpenWriter("w").value();
  const struct rlimit small{3'000'000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Status first = writer->Write(std::string(2'000'000, 'x'));
  const Status second = writer->Write(std::string(2'000'000, 'y'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, ignored);
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  EXPECT_FALSE(writer->Write("z"));
  EXPECT_FALSE(writer->Close());
  EXPECT_TRUE(store->List("")->empty());
}

TEST_F(LocalStoreTest, NamesObjectsByTheirPath) {
  EXPECT_EQ(store->Uri("a/b c"), folder.path() + "/a/b c");
  EXPECT_EQ(OpenLocalStore(folder.path() + "/x/../y/").value()->Uri("k"), folder.path() + "/y/k");
}

TEST(OpenStore, OpensPathsAndRefusesOtherSchemes) {
  ScratchFolder folder;
  ASSERT_TRUE(OpenStore("file://" + folder.path()).value()->Put("a", "1"));
  EXPECT_EQ(OpenStore(folder.path()).value()->Get("a").value(), "1");
  for (const char* location : {"gs://bucket", "ABFS://x"}) {
    const Error error = OpenStore(location).error();
    EXPECT_EQ(error.code, "unsupported-store");
    EXPECT_EQ(error.kind, ErrorKind::kUser);
    EXPECT_NE(error.message.find(location), std::string::npos);
  }
  EXPECT_EQ(OpenStore("").error().code, "bad-path");
}

}  // namespace
}  // namespace sluice::store
