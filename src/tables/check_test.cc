// `table check` on tables damaged in every way that it knows.
#include "tables/check.h"

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "delta/deletion_vector.h"
#include "delta/log_files.h"
#include "tables/table_fixture.h"

namespace sluice::tables {
namespace {

constexpr const char* kRoot = "silver/t";

class CheckTest : public TableTest {
 protected:
  // Versions 0 to 3: two partitions in each, a checkpoint of 2, and rows that a deletion vector takes from one file.
  void Make(const std::map<std::string, std::string>& properties = {}) {
    for (int version = 0; version < 3; ++version) {
      TableTarget target = Target("id: bigint, name: string, at: timestamp, p: integer", {"p"});
      if (version == 0) target.properties = properties;
      Commit(
          Append(target, fmt::format("SELECT {} + range AS id, 'n' || range AS name, TIMESTAMPTZ '2024-01-01 00:00:00.123456Z' AS \"at\", "
                                     "(range % 2)::INTEGER AS p FROM range(6)",
                                     version * 10)));
    }
    Must(delta::WriteCheckpoint(lake_.store(), kRoot, Now(), SystemClock()));
    const delta::Snapshot now = Now();
    delta::Add marked = *std::find_if(now.files.begin(), now.files.end(),
                                      [](const delta::Add& add) { return add.stats.find(R"("minValues":{"id":0,)") != std::string::npos; });
    const delta::Remove gone{.path = marked.path};
    marked.deletion_vector = Must(delta::WriteDeletionVectors(lake_.store(), kRoot, "", {{0, 2}}, SystemClock(), SystemRandom()))[0];
    delta::Protocol protocol{3, 7, {{"deletionVectors"}}, {{"deletionVectors", "inCommitTimestamp"}}};
    Put(3, {protocol, gone, marked});
  }
  delta::Snapshot Now() { return Must(delta::LoadSnapshot(lake_.store(), kRoot)); }
  std::string Key(const std::string& name) { return delta::LogKey(kRoot, name); }
  void Put(int64_t version, const std::vector<delta::Action>& actions) {
    std::string text;
    for (const delta::Action& action : actions) text += delta::ToJsonLine(action) + "\n";
    Must(lake_.store().Put(Key(delta::CommitFileName(version)), text));
  }
  void Edit(const std::string& name, const std::string& from, const std::string& to) {
    std::string text = Must(lake_.store().Get(Key(name)));
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from << " in " << text;
    Must(lake_.store().Put(Key(name), text.replace(at, from.size(), to)));
  }
  std::string File(const delta::Add& add) { return std::string(kRoot) + "/" + add.path; }

  TableCheck Check() { return Must(CheckTable(lake_.store(), kRoot, lake_.connection())); }
  std::string Faults() {
    std::string text;
    for (const auto& finding : Check().findings)
      if (!finding.is_doubt || doubts_) text += finding.code + " " + finding.where + ": " + finding.message + "\n";
    return text;
  }
  bool doubts_ = false;  // those too

  void ExpectFault(const std::string& code, const std::string& part) {
    const std::string faults = Faults();
    EXPECT_TRUE(faults.starts_with(code + " ")) << faults;
    EXPECT_NE(faults.find(part), std::string::npos) << faults;
    EXPECT_EQ(std::count(faults.begin(), faults.end(), '\n'), 1) << faults;
  }
};

TEST_F(CheckTest, ASoundTableHasNoFaults) {
  Make();
  const TableCheck check = Check();
  EXPECT_EQ(Faults(), "");
  EXPECT_EQ(check.version, 3);
  EXPECT_EQ(check.commits, 4);
  EXPECT_EQ(check.checkpoints, 1);
  EXPECT_EQ(check.files, 6);
  EXPECT_EQ(check.deletion_vectors, 1);
}

TEST_F(CheckTest, AMissingCommit) {
  Make();
  Must(lake_.store().Delete(Key(delta::CommitFileName(1))));
  ExpectFault("log-gap", "version 1 is missing");
  EXPECT_EQ(Check().version, 3);  // the checkpoint of 2 leads on
}

TEST_F(CheckTest, ALogWithoutItsBeginning) {
  Make();
  Must(lake_.store().Delete(Key(delta::CommitFileName(0))));
  EXPECT_EQ(Faults(), "");  // cleaned up to its checkpoint
  Must(lake_.store().Delete(Key("00000000000000000002.checkpoint.parquet")));
  Must(lake_.store().Delete(Key("_last_checkpoint")));
  ExpectFault("log-gap", "without a checkpoint");
}

TEST_F(CheckTest, ABrokenCommit) {
  Make();
  Edit(delta::CommitFileName(1), "{\"add\"", "{\"add");
  ExpectFault("bad-commit", "line");
}

TEST_F(CheckTest, AnEmptyCommit) {
  Make();
  Must(lake_.store().Put(Key(delta::CommitFileName(3)), ""));
  ExpectFault("bad-commit", "the commit file is empty");
  const auto read = delta::LoadSnapshot(lake_.store(), kRoot);
  ASSERT_FALSE(read);  // else the rows that it deleted were back
  EXPECT_EQ(read.error().code, "bad-delta-log");
  EXPECT_NE(read.error().message.find("00000000000000000003.json: the commit file is empty"), std::string::npos) << read.error().message;
}

TEST_F(CheckTest, ACommitCutAtTheEndOfALine) {
  Make();
  const std::string name = delta::CommitFileName(1), whole = Must(lake_.store().Get(Key(name)));
  Must(lake_.store().Delete(Key("00000000000000000002.checkpoint.parquet")));
  Must(lake_.store().Delete(Key("_last_checkpoint")));
  Must(lake_.store().Put(Key(name), whole.substr(0, whole.rfind("{\"add\""))));
  ExpectFault("incomplete-commit", "00000000000000000001.json: its metrics count 2 files added, and it has 1: part of it is lost");
  doubts_ = true;
  EXPECT_NE(Faults().find("00000000000000000003.json: it has no commitInfo, which the one before has"), std::string::npos) << Faults();
}

TEST_F(CheckTest, RowsThatBreakAConstraint) {
  Make();
  delta::Metadata metadata = Now().metadata;
  metadata.configuration["delta.constraints.small"] = "id < 25 AND id <> 0";  // row 0 of the first file is deleted
  delta::Protocol protocol = Now().protocol;
  protocol.writer_features->insert("checkConstraints");
  Put(4, {protocol, metadata});
  ExpectFault("broken-constraint", "small: 1 row breaks it: id < 25 AND id <> 0");
}

TEST_F(CheckTest, ABrokenCheckpoint) {
  Make();
  Must(lake_.store().Put(Key("00000000000000000002.checkpoint.parquet"), "PAR1 nothing PAR1"));
  ExpectFault("bad-checkpoint", "broken checkpoint");
}

TEST_F(CheckTest, ACheckpointThatSaysOtherwise) {
  Make();
  delta::Snapshot other = Must(delta::LoadSnapshot(lake_.store(), kRoot, 1));
  other.version = 2;
  Must(delta::WriteCheckpoint(lake_.store(), kRoot, other, SystemClock()));
  const std::string faults = Faults();
  EXPECT_TRUE(faults.starts_with("checkpoint-differs 00000000000000000002.checkpoint.parquet: it lacks the file")) << faults;
}

TEST_F(CheckTest, AHintToNowhere) {
  Make();
  Must(lake_.store().Put(Key("_last_checkpoint"), R"({"version":1,"size":5})"));
  ExpectFault("bad-hint", "version 1, and there is none");
  Must(lake_.store().Put(Key("_last_checkpoint"), "nonsense"));
  ExpectFault("bad-hint", "cannot be read");
}

TEST_F(CheckTest, APartOfACheckpoint) {
  Make();
  Must(lake_.store().Put(Key("00000000000000000003.checkpoint.0000000001.0000000002.parquet"), "x"));
  ExpectFault("incomplete-checkpoint", "parts");
}

TEST_F(CheckTest, AChecksumFileThatDiffers) {
  Make();
  const auto crc = [&](int64_t bytes, int64_t files, const std::string& rest = "") {
    Must(lake_.store().Put(Key("00000000000000000001.crc"),
                           fmt::format(R"({{"tableSizeBytes":{},"numFiles":{},"numMetadata":1,"numProtocol":1{}}})", bytes, files, rest)));
  };
  int64_t bytes = 0;
  for (const auto& add : Must(delta::LoadSnapshot(lake_.store(), kRoot, 1)).files) bytes += add.size;
  crc(bytes, 4, R"(,"protocol":{"minReaderVersion":1,"minWriterVersion":2},"setTransactions":[])");
  EXPECT_EQ(Faults(), "");
  EXPECT_EQ(Check().checksums, 1);
  crc(bytes, 5);
  ExpectFault("checksum-differs", "numFiles is 5, the log gives 4");
  crc(bytes, 4, R"(,"protocol":{"minReaderVersion":1,"minWriterVersion":3})");
  ExpectFault("checksum-differs", "its protocol");
  Must(lake_.store().Put(Key("00000000000000000001.crc"), "["));
  ExpectFault("bad-checksum-file", "no JSON object");
}

TEST_F(CheckTest, FilesThatAreGoneOrOfAnotherSizeOrUnreadable) {
  Make();
  const delta::Snapshot now = Now();
  const delta::Add file = now.files[4];
  const std::string bytes = Must(lake_.store().Get(File(file)));
  Must(lake_.store().Delete(File(file)));
  ExpectFault("file-missing", file.path);
  std::string broken = bytes;
  broken.replace(broken.size() / 3, broken.size() / 2, broken.size() / 2, 'x');
  Must(lake_.store().Put(File(file), broken));
  ExpectFault("file-unreadable", file.path);
  Must(lake_.store().Put(File(file), bytes + "x"));
  EXPECT_NE(Faults().find("file-size"), std::string::npos);
}

TEST_F(CheckTest, StatisticsThatAreNotTrue) {
  Make();
  const std::string commit = delta::CommitFileName(1);
  const struct {
    const char *from, *to, *says;
  } kLies[] = {{R"(\"numRecords\":3)", R"(\"numRecords\":4)", "numRecords is 4, the file has 3 rows"},
               {R"(\"minValues\":{\"id\":10)", R"(\"minValues\":{\"id\":11)", "id below the minimum 11"},
               {R"(\"maxValues\":{\"id\":14)", R"(\"maxValues\":{\"id\":13)", "id above the maximum 13"},
               {R"(\"nullCount\":{\"id\":0)", R"(\"nullCount\":{\"id\":1)", "nullCount of id is 1, the file has 0"},
               {R"(\"minValues\":{\"id\":10)", R"(\"minValues\":{\"id\":\"x\")", "a bound of id is no bigint"},
               {R"("stats":"{)", R"("stats":"[)", "no JSON"}};
  // Without the checkpoint, which has the true ones.
  Must(lake_.store().Delete(Key("00000000000000000002.checkpoint.parquet")));
  Must(lake_.store().Delete(Key("_last_checkpoint")));
  for (const auto& lie : kLies) {
    Edit(commit, lie.from, lie.to);
    ExpectFault("wrong-statistics", lie.says);
    Edit(commit, lie.to, lie.from);
  }
  EXPECT_EQ(Faults(), "");
}

TEST_F(CheckTest, DeletionVectorsThatDoNotFit) {
  Make();
  Edit(delta::CommitFileName(3), "\"cardinality\":2", "\"cardinality\":3");
  ExpectFault("bad-deletion-vector", "it removes 2 rows and not 3");
  Edit(delta::CommitFileName(3), "\"cardinality\":3", "\"cardinality\":2");
  const delta::Snapshot before = Must(delta::LoadSnapshot(lake_.store(), kRoot, 2));
  delta::Add marked = *before.files.begin();
  marked.deletion_vector = Must(delta::WriteDeletionVectors(lake_.store(), kRoot, "", {{0, 50}}, SystemClock(), SystemRandom()))[0];
  Put(3, {delta::Protocol{3, 7, {{"deletionVectors"}}, {{"deletionVectors"}}}, delta::Remove{.path = marked.path}, marked});
  ExpectFault("bad-deletion-vector", "it removes row 50, and the file has 3 rows");
  Put(3, {delta::Protocol{3, 7, {{"deletionVectors"}}, {{"deletionVectors"}}}, marked});
  EXPECT_NE(Faults().find("file-twice"), std::string::npos) << Faults();
}

TEST_F(CheckTest, PartitionValuesThatAreNone) {
  Make();
  Must(lake_.store().Delete(Key("00000000000000000002.checkpoint.parquet")));
  Must(lake_.store().Delete(Key("_last_checkpoint")));
  Edit(delta::CommitFileName(1), R"("partitionValues":{"p":"0"})", R"("partitionValues":{"p":"zero"})");
  EXPECT_NE(Faults().find("bad-partition-value"), std::string::npos) << Faults();
  EXPECT_NE(Faults().find("p = \"zero\" is no integer"), std::string::npos) << Faults();
  Edit(delta::CommitFileName(1), R"("partitionValues":{"p":"zero"})", R"("partitionValues":{})");
  EXPECT_NE(Faults().find("no value of the partition column p"), std::string::npos) << Faults();
}

TEST_F(CheckTest, InCommitTimestampsThatGoBack) {
  Make();
  delta::Metadata metadata = Now().metadata;
  metadata.configuration["delta.enableInCommitTimestamps"] = "true";
  Put(4, {delta::CommitInfo{R"({"inCommitTimestamp":1000})"}, metadata});
  Put(5, {delta::CommitInfo{R"({"inCommitTimestamp":2000})"}});
  EXPECT_EQ(Faults(), "");
  Put(6, {delta::CommitInfo{R"({"inCommitTimestamp":2000})"}});
  ExpectFault("bad-commit", "not later than that of the commit before");
  Put(6, {delta::Txn{"a", 1, {}}});
  ExpectFault("bad-commit", "no inCommitTimestamp");
}

}  // namespace
}  // namespace sluice::tables
