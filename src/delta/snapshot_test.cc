#include "delta/snapshot.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "delta/commit.h"
#include "delta/log_files.h"
#include "store/faulty_store.h"

namespace sluice::delta {
namespace {

constexpr const char* kRoot = "t";
constexpr const char* kProtocol = R"({"protocol":{"minReaderVersion":1,"minWriterVersion":2}})";
constexpr const char* kMetadata =
    R"({"metaData":{"id":"id","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{}}})";

std::string AddLine(const std::string& path) {
  return R"({"add":{"path":")" + path + R"(","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}})";
}
std::string RemoveLine(const std::string& path) {
  return R"({"remove":{"path":")" + path + R"(","deletionTimestamp":1,"dataChange":true}})";
}
std::string Dv(const std::string& id) {
  return R"("deletionVector":{"storageType":"u","pathOrInlineDv":")" + id + R"(","offset":1,"sizeInBytes":1,"cardinality":1})";
}

class SnapshotTest : public testing::Test {
 protected:
  void Write(int64_t version, std::initializer_list<std::string> lines) {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    ASSERT_TRUE(store_->Put(LogKey(kRoot, CommitFileName(version)), text));
    clock_.SleepMillis(1000);
  }
  void Start() { Write(0, {kProtocol, kMetadata, AddLine("f0")}); }
  // Versions 0 to 4, each adding f<version>; a checkpoint of 2.
  void StartWithCheckpoint() {
    Start();
    for (int64_t v = 1; v <= 4; ++v) Write(v, {AddLine("f" + std::to_string(v))});
    ASSERT_TRUE(WriteCheckpoint(*store_, kRoot, *LoadSnapshot(*store_, kRoot, 2), clock_));
  }
  void Clean(int64_t upto) {
    for (int64_t v = 0; v <= upto; ++v) ASSERT_TRUE(store_->Delete(LogKey(kRoot, CommitFileName(v))));
  }
  std::vector<std::string> Paths(std::optional<int64_t> version = std::nullopt) {
    auto snapshot = LoadSnapshot(*store_, kRoot, version);
    EXPECT_TRUE(snapshot) << snapshot.error().ToString();
    std::vector<std::string> paths;
    if (snapshot)
      for (const Add& add : snapshot->files) paths.push_back(add.path);
    return paths;
  }
  Error ErrorOf(std::optional<int64_t> version = std::nullopt) {
    auto snapshot = LoadSnapshot(*store_, kRoot, version);
    EXPECT_FALSE(snapshot);
    return snapshot ? Error{} : snapshot.error();
  }

  FixedClock clock_{Instant{1'700'000'000'000'000}};
  std::unique_ptr<store::ObjectStore> store_ = store::NewMemoryStore(clock_);
};
using Strings = std::vector<std::string>;

TEST_F(SnapshotTest, NoTableIsNotFound) {
  EXPECT_EQ(ErrorOf().code, "no-such-table");
  EXPECT_EQ(ErrorOf().kind, ErrorKind::kNotFound);
  EXPECT_EQ(*LoadSnapshotIfExists(*store_, kRoot), std::nullopt);
  ASSERT_TRUE(store_->Put("t/_delta_log/readme.txt", "x"));
  EXPECT_EQ(ErrorOf().code, "no-such-table");
}

TEST_F(SnapshotTest, LaterActionsReplaceEarlierOnes) {
  Write(0, {kProtocol, kMetadata, AddLine("b"), AddLine("a"), R"({"txn":{"appId":"x","version":9}})",
            R"({"domainMetadata":{"domain":"d","configuration":"1","removed":false}})",
            R"({"domainMetadata":{"domain":"e","configuration":"2","removed":false}})"});
  Write(1, {RemoveLine("a"), R"({"txn":{"appId":"x","version":3}})",
            R"({"domainMetadata":{"domain":"d","configuration":"1","removed":true}})"});
  const auto snapshot = LoadSnapshot(*store_, kRoot);
  EXPECT_EQ(Paths(), Strings({"b"}));
  ASSERT_EQ(snapshot->tombstones.size(), 1U);
  EXPECT_EQ(snapshot->tombstones[0].path, "a");
  EXPECT_EQ(snapshot->TxnVersion("x"), 3);  // the latest, not the highest
  EXPECT_EQ(snapshot->TxnVersion("y"), std::nullopt);
  EXPECT_EQ(snapshot->domains.size(), 1U);
  EXPECT_EQ(snapshot->domains.at("e").configuration, "2");
  EXPECT_EQ(snapshot->schema.Names(), Strings({"a"}));
  EXPECT_EQ(Paths(0), Strings({"a", "b"}));
}

TEST_F(SnapshotTest, FileReAddedIsLive) {
  Start();
  Write(1, {RemoveLine("f0")});
  Write(2, {AddLine("f0")});
  EXPECT_EQ(Paths(), Strings({"f0"}));
  EXPECT_TRUE(LoadSnapshot(*store_, kRoot)->tombstones.empty());
}

TEST_F(SnapshotTest, OneFileIsTheSameHoweverItsPathIsSpelt) {
  Write(0, {kProtocol, kMetadata, AddLine("a%20b"), AddLine("/abs/c"), AddLine("d%2520e"), AddLine("p@%23h")});
  Write(1, {RemoveLine("a b"), RemoveLine("file:///abs/c"), RemoveLine("d e"), RemoveLine("p%40%23h")});
  EXPECT_EQ(Paths(), Strings({"d%2520e"}));  // decoded once it is "d%20e", another file than "d e"
}

TEST_F(SnapshotTest, DeletionVectorsTellLogicalFilesApart) {
  const std::string with = R"({"add":{"path":"f0","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true,)" + Dv("x") + "}}";
  Start();
  Write(1, {with, RemoveLine("f0")});  // in either order: they are two logical files
  auto snapshot = LoadSnapshot(*store_, kRoot);
  ASSERT_EQ(snapshot->files.size(), 1U);
  EXPECT_TRUE(snapshot->files[0].deletion_vector);
  Write(2, {R"({"remove":{"path":"f0","dataChange":true,)" + Dv("x") + "}}", AddLine("g")});
  EXPECT_EQ(Paths(), Strings({"g"}));
  EXPECT_EQ(LoadSnapshot(*store_, kRoot)->tombstones.size(), 2U);
}

TEST_F(SnapshotTest, GapsAreErrors) {
  Start();
  Write(2, {AddLine("f2")});
  EXPECT_EQ(ErrorOf().code, "bad-delta-log");
  EXPECT_NE(ErrorOf().message.find("has no version 1"), std::string::npos);
  EXPECT_EQ(Paths(0), Strings({"f0"}));
  EXPECT_EQ(ErrorOf(3).code, "no-such-version");
}

TEST_F(SnapshotTest, ProtocolAndMetadataAreRequired) {
  Write(0, {kMetadata});
  EXPECT_NE(ErrorOf().message.find("no protocol"), std::string::npos);
  Write(0, {kProtocol});
  EXPECT_NE(ErrorOf().message.find("no metaData"), std::string::npos);
}

TEST_F(SnapshotTest, UnknownReaderFeaturesAreRefusedByName) {
  Write(
      0,
      {R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["catalogManaged","deletionVectors","variantType"],"writerFeatures":[]}})",
       kMetadata});
  EXPECT_EQ(ErrorOf().code, "unsupported-feature");
  EXPECT_NE(ErrorOf().message.find("catalogManaged, variantType to be read"), std::string::npos) << ErrorOf().message;
  Write(0, {R"({"protocol":{"minReaderVersion":4,"minWriterVersion":7}})", kMetadata});
  EXPECT_NE(ErrorOf().message.find("reader version 4"), std::string::npos);
}

TEST_F(SnapshotTest, BrokenCommitNamesFileAndLine) {
  Start();
  Write(1, {"{}", "{\"add\":"});
  EXPECT_EQ(ErrorOf().code, "bad-delta-log");
  EXPECT_NE(ErrorOf().message.find("00000000000000000001.json: line 2"), std::string::npos) << ErrorOf().message;
}

TEST_F(SnapshotTest, CheckpointStandsForTheCommitsBeforeIt) {
  StartWithCheckpoint();
  Clean(2);
  EXPECT_EQ(Paths(), Strings({"f0", "f1", "f2", "f3", "f4"}));
  EXPECT_EQ(Paths(2), Strings({"f0", "f1", "f2"}));
  EXPECT_EQ(ErrorOf(1).code, "no-such-version");
}

TEST_F(SnapshotTest, OnlyACheckpointIsLeft) {
  StartWithCheckpoint();
  Clean(4);
  const auto snapshot = LoadSnapshot(*store_, kRoot);
  ASSERT_TRUE(snapshot) << snapshot.error().ToString();
  EXPECT_EQ(snapshot->version, 2);
  EXPECT_EQ(snapshot->head_etag, "");
}

TEST_F(SnapshotTest, TheHintMayBeMissingStaleOrNonsense) {
  StartWithCheckpoint();
  const Strings all = {"f0", "f1", "f2", "f3", "f4"};
  const std::string hint = LogKey(kRoot, "_last_checkpoint");
  for (const char* text : {"", "{", "[]", "{\"version\":\"2\"}", "{\"version\":-3}", "{\"version\":1}", "{\"version\":3,\"size\":1}",
                           "{\"version\":99}", "{\"version\":2,\"parts\":7}"}) {
    ASSERT_TRUE(store_->Put(hint, text));
    EXPECT_EQ(Paths(), all) << text;
    EXPECT_EQ(Paths(1), Strings({"f0", "f1"})) << text;
  }
  ASSERT_TRUE(store_->Delete(hint));
  EXPECT_EQ(Paths(), all);
}

TEST_F(SnapshotTest, IncompleteMultiPartCheckpointsAreIgnored) {
  Start();
  Write(1, {AddLine("f1")});
  const std::string part = LogKey(kRoot, "00000000000000000001.checkpoint.0000000001.0000000002.parquet");
  ASSERT_TRUE(store_->Put(part, "half"));
  EXPECT_EQ(Paths(), Strings({"f0", "f1"}));
}

TEST_F(SnapshotTest, ABrokenCheckpointIsPassedOverWhileItsCommitsAreThere) {
  StartWithCheckpoint();
  ASSERT_TRUE(WriteCheckpoint(*store_, kRoot, *LoadSnapshot(*store_, kRoot), clock_));
  const std::string older = LogKey(kRoot, "00000000000000000002.checkpoint.parquet"),
                    newer = LogKey(kRoot, "00000000000000000004.checkpoint.parquet");
  ASSERT_TRUE(store_->Put(newer, store_->Get(newer)->substr(0, 500)));
  const Strings all = {"f0", "f1", "f2", "f3", "f4"};
  EXPECT_EQ(Paths(), all);
  EXPECT_EQ(Paths(4), all);
  ASSERT_TRUE(store_->Put(older, ""));
  EXPECT_EQ(Paths(), all);  // from the first commit on
  Clean(2);
  EXPECT_EQ(ErrorOf().code, "bad-delta-log");
}

TEST_F(SnapshotTest, BrokenCheckpointIsNamed) {
  StartWithCheckpoint();
  ASSERT_TRUE(store_->Put(LogKey(kRoot, "00000000000000000002.checkpoint.parquet"), "no parquet at all"));
  Clean(2);
  EXPECT_EQ(ErrorOf().code, "bad-delta-log");
  EXPECT_NE(ErrorOf().message.find("00000000000000000002.checkpoint.parquet: broken checkpoint"), std::string::npos) << ErrorOf().message;
}

TEST_F(SnapshotTest, V2CheckpointInJsonNamesItsSidecars) {
  StartWithCheckpoint();
  // The classic checkpoint becomes a sidecar: it holds the same columns.
  const std::string classic = LogKey(kRoot, "00000000000000000002.checkpoint.parquet");
  ASSERT_TRUE(store_->Put(LogKey(kRoot, "_sidecars/side one.parquet"), *store_->Get(classic)));
  ASSERT_TRUE(store_->Delete(classic));
  ASSERT_TRUE(store_->Put(LogKey(kRoot, "00000000000000000002.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"),
                          std::string(R"({"checkpointMetadata":{"version":2}})") + "\n" + kProtocol + "\n" + kMetadata + "\n" +
                              R"({"sidecar":{"path":"side%20one.parquet","sizeInBytes":1,"modificationTime":1}})" + "\n"));
  Clean(2);
  EXPECT_EQ(Paths(), Strings({"f0", "f1", "f2", "f3", "f4"}));
}

TEST_F(SnapshotTest, TimestampIsTheCommitFilesUnlessTheCommitCarriesOne) {
  Start();
  EXPECT_EQ(LoadSnapshot(*store_, kRoot)->timestamp, 1'700'000'000'000);
  std::string enabled = kMetadata;
  enabled.replace(enabled.find("\"configuration\":{}"), 18, R"("configuration":{"delta.enableInCommitTimestamps":"true"})");
  Write(1, {R"({"commitInfo":{"inCommitTimestamp":1234}})", enabled});
  EXPECT_EQ(LoadSnapshot(*store_, kRoot)->timestamp, 1234);
  ASSERT_TRUE(WriteCheckpoint(*store_, kRoot, *LoadSnapshot(*store_, kRoot), clock_));
  EXPECT_EQ(LoadSnapshot(*store_, kRoot)->timestamp, 1234);  // though no commit is replayed now
}

// ---- Refresh and ReadCommits

TEST_F(SnapshotTest, RefreshEqualsLoadingAfresh) {
  StartWithCheckpoint();
  const auto base = *LoadSnapshot(*store_, kRoot, 3);
  Write(5, {RemoveLine("f1"), AddLine("a"), R"({"txn":{"appId":"x","version":1}})"});
  const auto refreshed = Refresh(*store_, kRoot, base);
  const auto loaded = LoadSnapshot(*store_, kRoot);
  ASSERT_TRUE(refreshed) << refreshed.error().ToString();
  EXPECT_EQ(refreshed->version, 5);
  EXPECT_EQ(refreshed->files, loaded->files);
  EXPECT_EQ(refreshed->tombstones, loaded->tombstones);
  EXPECT_EQ(refreshed->txns, loaded->txns);
  EXPECT_EQ(refreshed->head_etag, loaded->head_etag);
  EXPECT_EQ(Refresh(*store_, kRoot, *loaded)->version, 5);
}

template <typename File>
std::vector<std::string> KeysOf(const FileList<File>& files) {
  std::vector<std::string> keys;
  for (const File& file : files) keys.push_back(LogicalKey(file.path, file.deletion_vector));
  return keys;
}

// Whatever comes, and however a path is spelt: a snapshot held over many commits is the one loaded afresh, with or without a checkpoint.
TEST_F(SnapshotTest, AHeldSnapshotNeverDrifts) {
  Start();
  Snapshot held = *LoadSnapshot(*store_, kRoot);
  std::mt19937 random(11);
  for (int64_t version = 1; version <= 120; ++version) {
    std::map<std::string, std::string> lines;  // one action a path
    for (int i = 0; i < 8; ++i) {
      const std::string number = std::to_string(random() % 400), path = random() % 4 == 0 ? "a%20b/" + number : "p" + number;
      std::string line = random() % 3 == 0 ? RemoveLine(path) : AddLine(path);
      if (random() % 3 == 0) line.insert(line.size() - 2, "," + Dv("v" + std::to_string(random() % 2)));
      lines[path] = line;
    }
    if (version % 7 == 0) lines["txn"] = fmt::format(R"({{"txn":{{"appId":"app","version":{}}}}})", version);
    if (version % 9 == 0)
      lines["d"] = fmt::format(R"({{"domainMetadata":{{"domain":"d","configuration":"{}","removed":{}}}}})", version, version % 2 == 0);
    std::string text;
    for (const auto& [path, line] : lines) text += line + "\n";
    ASSERT_TRUE(store_->Put(LogKey(kRoot, CommitFileName(version)), text));
    held = *Refresh(*store_, kRoot, held);
    const Snapshot loaded = *LoadSnapshot(*store_, kRoot);
    ASSERT_EQ(held.version, version);
    ASSERT_EQ(KeysOf(held.files), KeysOf(loaded.files)) << version;
    ASSERT_EQ(held.txns, loaded.txns);
    ASSERT_EQ(held.domains, loaded.domains);
    if (version == 60) {
      ASSERT_TRUE(WriteCheckpoint(*store_, kRoot, held, clock_));
    } else if (version < 60) {
      ASSERT_EQ(KeysOf(held.tombstones), KeysOf(loaded.tombstones)) << version;
    }
  }
}

TEST_F(SnapshotTest, RefreshSeesThatTheTableWasMadeAgain) {
  Start();
  Write(1, {AddLine("f1")});
  const auto base = *LoadSnapshot(*store_, kRoot);
  Clean(1);
  Write(0, {kProtocol, kMetadata, AddLine("new")});
  EXPECT_EQ(Refresh(*store_, kRoot, base)->version, 0);
  Write(1, {AddLine("newer")});
  Write(2, {AddLine("newest")});
  EXPECT_EQ(Refresh(*store_, kRoot, base)->files.size(), 3U);
}

TEST_F(SnapshotTest, RefreshSurvivesCleanUp) {
  StartWithCheckpoint();
  const auto base = *LoadSnapshot(*store_, kRoot, 0);
  Clean(2);
  EXPECT_EQ(Refresh(*store_, kRoot, base)->files.size(), 5U);
}

TEST_F(SnapshotTest, ReadCommitsGivesARangeAndSaysWhetherItIsWhole) {
  StartWithCheckpoint();
  auto range = *ReadCommits(*store_, kRoot, 1);
  EXPECT_TRUE(range.complete);
  EXPECT_EQ(range.head, 4);
  ASSERT_EQ(range.commits.size(), 3U);
  EXPECT_EQ(range.commits[0].version, 2);
  EXPECT_EQ(std::get<Add>(range.commits[0].actions[0]).path, "f2");

  range = *ReadCommits(*store_, kRoot, 1, 3);
  EXPECT_EQ(range.commits.size(), 2U);
  EXPECT_EQ(range.head, 4);
  EXPECT_TRUE(ReadCommits(*store_, kRoot, 4)->complete);

  Clean(2);
  EXPECT_FALSE(ReadCommits(*store_, kRoot, 1)->complete);
  EXPECT_TRUE(ReadCommits(*store_, kRoot, 2)->complete);
  range = *ReadCommits(*store_, kRoot, 9);
  EXPECT_FALSE(range.complete);
  EXPECT_EQ(range.head, 4);
  EXPECT_EQ(ReadCommits(*store_, "nothing", -1)->head, -1);
  EXPECT_TRUE(ReadCommits(*store_, "nothing", -1)->complete);
}

// Somebody cleans the log after it was listed, up to a checkpoint that he has just written.
class CleanedMeanwhile {
 public:
  CleanedMeanwhile(store::ObjectStore& store, Clock& clock, int64_t upto) {
    store::FaultyOptions options;
    options.before = [this, &store, &clock, upto](const store::Operation& operation) {
      if (cleaned_ || operation.kind != store::OperationKind::kGet || !operation.key.ends_with(".json")) return;
      cleaned_ = true;
      ASSERT_TRUE(WriteCheckpoint(store, kRoot, *LoadSnapshot(store, kRoot, upto), clock));
      for (int64_t v = 0; v < upto; ++v) ASSERT_TRUE(store.Delete(LogKey(kRoot, CommitFileName(v))));
    };
    seen_ = std::make_unique<store::FaultyStore>(store, std::move(options));
  }
  store::ObjectStore& store() { return *seen_; }
  bool cleaned() const { return cleaned_; }

 private:
  bool cleaned_ = false;
  std::unique_ptr<store::FaultyStore> seen_;
};

TEST_F(SnapshotTest, ALogThatIsCleanedWhileItIsReadIsListedAgain) {
  Start();
  for (int64_t v = 1; v <= 4; ++v) Write(v, {AddLine("f" + std::to_string(v))});
  CleanedMeanwhile other(*store_, clock_, 4);
  const auto snapshot = LoadSnapshot(other.store(), kRoot);
  ASSERT_TRUE(snapshot) << snapshot.error().ToString();
  EXPECT_TRUE(other.cleaned());
  EXPECT_EQ(snapshot->version, 4);
  EXPECT_EQ(snapshot->files.size(), 5U);
}

TEST_F(SnapshotTest, CommitsThatAreCleanedWhileTheyAreReadAreToldAsGone) {
  Start();
  for (int64_t v = 1; v <= 4; ++v) Write(v, {AddLine("f" + std::to_string(v))});
  CleanedMeanwhile other(*store_, clock_, 4);
  const auto range = ReadCommits(other.store(), kRoot, 0);
  ASSERT_TRUE(range) << range.error().ToString();
  EXPECT_TRUE(other.cleaned());
  EXPECT_FALSE(range->complete);
}

TEST_F(SnapshotTest, RefreshFallsBackWhereTheLogIsCleanedMeanwhile) {
  Start();
  const auto base = *LoadSnapshot(*store_, kRoot);
  for (int64_t v = 1; v <= 4; ++v) Write(v, {AddLine("f" + std::to_string(v))});
  CleanedMeanwhile other(*store_, clock_, 4);
  const auto refreshed = Refresh(other.store(), kRoot, base);
  ASSERT_TRUE(refreshed) << refreshed.error().ToString();
  EXPECT_EQ(refreshed->files.size(), 5U);
}

TEST_F(SnapshotTest, ARangeWhoseStartWasCleanedIsNotAnchored) {
  StartWithCheckpoint();
  EXPECT_TRUE(ReadCommits(*store_, kRoot, 1)->anchored);
  Clean(1);
  Write(1, {AddLine("late")});  // into a cleaned slot: no reader of the table sees it
  EXPECT_TRUE(ReadCommits(*store_, kRoot, 0)->complete);
  EXPECT_FALSE(ReadCommits(*store_, kRoot, 0)->anchored);
  EXPECT_TRUE(ReadCommits(*store_, "nothing", -1)->anchored);
}

// A listing that overlooks some names, as one of a folder may while files come into it.
class Overlooking : public store::FaultyStore {
 public:
  Overlooking(store::ObjectStore& inner, std::vector<std::string> keys) : FaultyStore(inner), keys_(std::move(keys)) {}
  Result<std::vector<store::ObjectMeta>> List(std::string_view prefix, std::string_view start_after) override {
    SLUICE_TRY(auto objects, FaultyStore::List(prefix, start_after));
    std::erase_if(objects, [&](const auto& object) { return std::find(keys_.begin(), keys_.end(), object.key) != keys_.end(); });
    return objects;
  }

 private:
  std::vector<std::string> keys_;
};

TEST_F(SnapshotTest, CommitsThatAListingOverlookedAreAskedFor) {
  StartWithCheckpoint();
  Overlooking store(*store_, {LogKey(kRoot, CommitFileName(1)), LogKey(kRoot, CommitFileName(3))});
  EXPECT_EQ(LoadSnapshot(store, kRoot)->files.size(), 5u);
  EXPECT_EQ(LoadSnapshot(store, kRoot, 1)->files.size(), 2u);
  const auto range = ReadCommits(store, kRoot, 0);
  EXPECT_TRUE(range->complete);
  EXPECT_EQ(range->commits.size(), 4u);
  EXPECT_EQ(Refresh(store, kRoot, *LoadSnapshot(*store_, kRoot, 2))->version, 4);
  // What is really gone stays so.
  ASSERT_TRUE(store_->Delete(LogKey(kRoot, CommitFileName(3))));
  EXPECT_FALSE(ReadCommits(store, kRoot, 2)->complete);
  EXPECT_EQ(LoadSnapshot(store, kRoot).error().code, "bad-delta-log");
}

}  // namespace
}  // namespace sluice::delta
