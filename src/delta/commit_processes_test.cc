// Several processes commit to one table at once, on a local disk and on a real S3 server: every commit lands exactly once.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>

#include "delta/commit.h"
#include "store/s3/test_gateway.h"

namespace sluice::delta {
namespace {

constexpr int kProcesses = 4, kCommits = 20;
constexpr const char* kRoot = "silver/t";

PreparedCommit Creation() {
  PreparedCommit commit{.table_id = "id", .operation = "CREATE TABLE"};
  commit.actions = {Protocol{}, Metadata{.id = "id", .schema_string = R"({"type":"struct","fields":[]})"}};
  return commit;
}

std::string FileOf(int process, int n) { return "part-" + std::to_string(process) + "-" + std::to_string(n); }

CommitStamp StampOf(std::string id) { return {.commit_id = std::move(id), .now = SystemClock().Now(), .engine_info = "sluice/test"}; }

// A process's life: appends one file after the other. Its exit code tells whether all went well.
int AppendAll(store::ObjectStore& store, int process) {
  for (int n = 0; n < kCommits; ++n) {
    PreparedCommit commit{.table_id = "id", .operation = "WRITE"};
    commit.read_version = 0;
    commit.actions = {Add{.path = FileOf(process, n), .size = 1}};
    const auto outcome = Commit(store, kRoot, commit, StampOf(FileOf(process, n)), SystemClock(), Isolation::kSerializable, 1000);
    if (!outcome || !std::holds_alternative<Committed>(*outcome)) return 1;
  }
  return 0;
}

class CommitProcesses : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !store::TestGateway::Installed())
      GTEST_SKIP() << "no S3 server at " << SLUICE_VERSITYGW << ": run scripts/setup test";
    std::string path = (std::filesystem::temp_directory_path() / "sluice-delta-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    folder = path;
    if (GetParam()) gateway.emplace(folder);
  }
  void TearDown() override {
    gateway.reset();
    if (!folder.empty()) std::filesystem::remove_all(folder);
  }
  std::unique_ptr<store::ObjectStore> Open() const {
    return gateway ? store::OpenStore("s3://lake/p", gateway->Options()).value() : store::OpenLocalStore(folder + "/lake", false).value();
  }

  std::string folder;
  std::optional<store::TestGateway> gateway;
};

TEST_P(CommitProcesses, EveryCommitLandsExactlyOnce) {
  ASSERT_TRUE(Commit(*Open(), kRoot, Creation(), StampOf("made"), SystemClock()));
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(AppendAll(*Open(), process));
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const auto snapshot = LoadSnapshot(*Open(), kRoot).value();
  EXPECT_EQ(snapshot.version, kProcesses * kCommits);
  std::multiset<std::string> found, expected;
  for (const Add& add : snapshot.files) found.insert(add.path);
  for (int process = 0; process < kProcesses; ++process)
    for (int n = 0; n < kCommits; ++n) expected.insert(FileOf(process, n));
  EXPECT_EQ(found, expected);
}

INSTANTIATE_TEST_SUITE_P(All, CommitProcesses, testing::Bool(), [](const auto& info) { return info.param ? "S3" : "Local"; });

}  // namespace
}  // namespace sluice::delta
