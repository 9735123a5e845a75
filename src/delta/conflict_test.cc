#include <fmt/format.h>
#include <gtest/gtest.h>

#include "delta/commit.h"

namespace sluice::delta {
namespace {

Add AddOf(std::string path, PartitionValues values = {}, bool data_change = true) {
  return {.path = std::move(path), .partition_values = std::move(values), .data_change = data_change};
}
Remove RemoveOf(std::string path, PartitionValues values = {}, bool data_change = true) {
  return {.path = std::move(path),
          .data_change = data_change,
          .extended_file_metadata = !values.empty(),
          .partition_values = std::move(values)};
}

PartitionComparison IsD(const char* value) { return {"d", contract::TypeKind::kString, PartitionComparison::Op::kEqual, value}; }

struct Case {
  const char* name;
  ReadScope reads;
  std::vector<Action> ours, theirs;
  const char* conflict;  // a part of what is said; nullptr: none
};

PreparedCommit CommitOf(const Case& c) {
  PreparedCommit commit;
  commit.table_id = "t";
  commit.read_version = 5;
  commit.actions = c.ours;
  commit.reads = c.reads;
  if (c.reads == ReadScope::kPartitions) commit.read_where = {{{IsD("1"), IsD("3")}}};
  return commit;
}

const Case kCases[] = {
    {"append against append", ReadScope::kNothing, {AddOf("a")}, {AddOf("b")}, nullptr},
    {"append against delete", ReadScope::kNothing, {AddOf("a")}, {RemoveOf("b")}, nullptr},
    {"append against txn, cdc and commitInfo",
     ReadScope::kNothing,
     {AddOf("a")},
     {Txn{"x", 1, {}}, CdcFile{"c", {}, 1}, CommitInfo{"{}"}},
     nullptr},
    {"append against new schema", ReadScope::kNothing, {AddOf("a")}, {Metadata{.id = "t"}}, "schema"},
    {"append against new protocol", ReadScope::kNothing, {AddOf("a")}, {Protocol{}}, "protocol"},
    {"the same file added twice", ReadScope::kNothing, {AddOf("a%20b")}, {AddOf("a b")}, "added a file that this commit adds"},
    {"restored file that they remove", ReadScope::kNothing, {AddOf("a")}, {RemoveOf("a")}, "removed a file that this commit adds"},

    {"rewrite against append, reading all", ReadScope::kWholeTable, {RemoveOf("a"), AddOf("b")}, {AddOf("c")}, "added rows"},
    {"rewrite against delete, reading all", ReadScope::kWholeTable, {RemoveOf("a"), AddOf("b")}, {RemoveOf("c")}, "removed rows"},
    {"rewrite against compaction of others",
     ReadScope::kWholeTable,
     {RemoveOf("a"), AddOf("b")},
     {RemoveOf("c", {}, false), RemoveOf("d", {}, false), AddOf("e", {}, false)},
     nullptr},
    {"rewrite against compaction of the same",
     ReadScope::kWholeTable,
     {RemoveOf("a"), AddOf("b")},
     {RemoveOf("a", {}, false), AddOf("e", {}, false)},
     "removed a file that this commit removes"},
    {"delete against delete of the same, however spelt",
     ReadScope::kNothing,
     {RemoveOf("file:///x/a%20b")},
     {RemoveOf("/x/a b")},
     "removed a file"},
    {"delete against new statistics of the same", ReadScope::kNothing, {RemoveOf("a")}, {AddOf("a", {}, false)}, "changed a file"},
    {"deletion vector against deletion vector",
     ReadScope::kWholeTable,
     {RemoveOf("a"), AddOf("a")},
     {RemoveOf("a", {}, false), AddOf("a", {}, false)},
     "a"},

    {"partition overwrite against append elsewhere", ReadScope::kPartitions, {RemoveOf("a")}, {AddOf("b", {{"d", "2"}})}, nullptr},
    {"partition overwrite against append there", ReadScope::kPartitions, {RemoveOf("a")}, {AddOf("b", {{"d", "1"}})}, "added rows"},
    {"partition overwrite against append to another of its own",
     ReadScope::kPartitions,
     {RemoveOf("a")},
     {AddOf("b", {{"d", "3"}})},
     "added rows"},
    {"partition overwrite against append to null", ReadScope::kPartitions, {RemoveOf("a")}, {AddOf("b", {{"d", std::nullopt}})}, nullptr},
    {"partition overwrite against append to who knows where", ReadScope::kPartitions, {RemoveOf("a")}, {AddOf("b")}, "added rows"},
    {"partition overwrite against delete elsewhere", ReadScope::kPartitions, {RemoveOf("a")}, {RemoveOf("b", {{"d", "2"}})}, nullptr},
    {"partition overwrite against delete without its partition", ReadScope::kPartitions, {RemoveOf("a")}, {RemoveOf("b")}, "removed rows"},

    {"the same domain", ReadScope::kNothing, {DomainMetadata{"d", "1", false}}, {DomainMetadata{"d", "2", false}}, "domain d"},
    {"another domain", ReadScope::kNothing, {DomainMetadata{"d", "1", false}}, {DomainMetadata{"e", "2", false}}, nullptr},
};

TEST(FindConflict, Table) {
  for (const Case& c : kCases) {
    const auto conflict = FindConflict(CommitOf(c), {{6, {CommitInfo{"{}"}}}, {7, c.theirs}});
    ASSERT_EQ(conflict.has_value(), c.conflict != nullptr) << c.name << (conflict ? ": " + conflict->what : "");
    if (!conflict) continue;
    EXPECT_EQ(conflict->version, 7) << c.name;
    EXPECT_NE(conflict->what.find(c.conflict), std::string::npos) << c.name << ": " << conflict->what;
    EXPECT_TRUE(conflict->what.starts_with("version 7 ")) << conflict->what;
  }
}

// The matrix of what we do against what came between, at each isolation level.
const std::vector<Action> kBlind = {CommitInfo{R"({"isBlindAppend":true})"}, AddOf("new", {{"d", "1"}})};
const std::vector<Action> kReadAndAdded = {CommitInfo{R"({"isBlindAppend":false})"}, AddOf("new", {{"d", "1"}})};
const std::vector<Action> kSaysNothing = {AddOf("new", {{"d", "1"}})};
const std::vector<Action> kDelete = {CommitInfo{R"({"isBlindAppend":false})"}, RemoveOf("old", {{"d", "1"}})};
const std::vector<Action> kSameDelete = {RemoveOf("a", {{"d", "1"}})};
const std::vector<Action> kCompaction = {RemoveOf("old", {{"d", "1"}}, false), AddOf("new", {{"d", "1"}}, false)};
const std::vector<Action> kSchema = {CommitInfo{R"({"isBlindAppend":true})"}, Metadata{.id = "t"}, AddOf("new")};
const std::vector<Action> kProtocol = {Protocol{1, 4, {}, {}}};
const std::vector<Action> kSameApp = {Txn{"app", 7, {}}, AddOf("new")};
const std::vector<Action> kOtherApp = {CommitInfo{R"({"isBlindAppend":true})"}, Txn{"other", 7, {}}, AddOf("new")};

const std::vector<Action> kBlindElsewhere = {CommitInfo{R"({"isBlindAppend":true})"}, AddOf("new", {{"d", "2"}})};
const std::vector<Action> kReadAndAddedElsewhere = {CommitInfo{R"({"isBlindAppend":false})"}, AddOf("new", {{"d", "2"}})};
const std::vector<Action> kDeleteElsewhere = {CommitInfo{R"({"operation":"DELETE"})"}, RemoveOf("old", {{"d", "2"}})};

struct Doing {
  const char* name;
  ReadScope reads;
  std::vector<Action> actions;
};
const Doing kAppend = {"append", ReadScope::kNothing, {AddOf("b", {{"d", "1"}})}};
const Doing kInsertAfterReading = {"insert after reading", ReadScope::kWholeTable, {AddOf("b", {{"d", "1"}})}};
const Doing kRewrite = {"update, delete, merge", ReadScope::kWholeTable, {RemoveOf("a", {{"d", "1"}}), AddOf("b", {{"d", "1"}})}};
const Doing kPartition = {"overwrite of a partition", ReadScope::kPartitions, {RemoveOf("a", {{"d", "1"}}), AddOf("b", {{"d", "1"}})}};
const Doing kOptimize = {"compaction", ReadScope::kNothing, {RemoveOf("a", {{"d", "1"}}, false), AddOf("b", {{"d", "1"}}, false)}};
const Doing kNewSchema = {"change of the schema", ReadScope::kWholeTable, {Metadata{.id = "t"}}};

struct Cell {
  const Doing& ours;
  const std::vector<Action>& theirs;
  const char *serializable, *write_serializable;  // what is said; nullptr: no conflict
};
const Cell kMatrix[] = {
    {kAppend, kBlind, nullptr, nullptr},
    {kAppend, kReadAndAdded, nullptr, nullptr},
    {kAppend, kDelete, nullptr, nullptr},
    {kAppend, kCompaction, nullptr, nullptr},
    {kAppend, kSchema, "schema", "schema"},
    {kAppend, kProtocol, "protocol", "protocol"},
    {kAppend, kSameApp, "transaction 7 of app", "transaction 7 of app"},
    {kAppend, kOtherApp, nullptr, nullptr},

    {kInsertAfterReading, kBlind, "added rows", nullptr},
    {kInsertAfterReading, kReadAndAdded, "added rows", "added rows"},
    {kInsertAfterReading, kSaysNothing, "added rows", "added rows"},
    {kInsertAfterReading, kDelete, "removed rows", "removed rows"},
    {kInsertAfterReading, kCompaction, nullptr, nullptr},
    {kInsertAfterReading, kSchema, "schema", "schema"},
    {kInsertAfterReading, kSameApp, "transaction", "transaction"},
    {kInsertAfterReading, kOtherApp, "added rows", nullptr},

    {kRewrite, kBlind, "added rows", nullptr},
    {kRewrite, kReadAndAdded, "added rows", "added rows"},
    {kRewrite, kDelete, "removed rows", "removed rows"},
    {kRewrite, kSameDelete, "removed a file that this commit removes", "removed a file that this commit removes"},
    {kRewrite, kCompaction, nullptr, nullptr},
    {kRewrite, kSchema, "schema", "schema"},
    {kRewrite, kProtocol, "protocol", "protocol"},

    {kPartition, kBlind, "added rows", nullptr},
    {kPartition, kReadAndAdded, "added rows", "added rows"},
    {kPartition, kDelete, "removed rows", "removed rows"},
    {kPartition, kSameDelete, "removed a file", "removed a file"},
    {kPartition, kSaysNothing, "added rows", "added rows"},
    {kPartition, kBlindElsewhere, nullptr, nullptr},
    {kPartition, kReadAndAddedElsewhere, nullptr, nullptr},
    {kPartition, kDeleteElsewhere, nullptr, nullptr},
    {kPartition, kCompaction, nullptr, nullptr},
    {kPartition, kSchema, "schema", "schema"},
    {kPartition, kProtocol, "protocol", "protocol"},
    {kPartition, kSameApp, "transaction 7 of app", "transaction 7 of app"},

    {kOptimize, kBlind, nullptr, nullptr},
    {kOptimize, kReadAndAdded, nullptr, nullptr},
    {kOptimize, kDelete, nullptr, nullptr},
    {kOptimize, kSameDelete, "removed a file", "removed a file"},
    {kOptimize, kSchema, "schema", "schema"},

    {kNewSchema, kBlind, "added rows", "added rows"},
    {kNewSchema, kDelete, "removed rows", "removed rows"},
    {kNewSchema, kSchema, "schema", "schema"},
};

TEST(FindConflict, MatrixOfIsolationLevels) {
  for (const Cell& cell : kMatrix) {
    PreparedCommit commit;
    commit.read_version = 5;
    commit.actions = cell.ours.actions;
    commit.reads = cell.ours.reads;
    if (commit.reads == ReadScope::kPartitions) commit.read_where = {{{IsD("1")}}};
    for (const char* level : {"Serializable", "WriteSerializable"}) {
      const Isolation isolation = IsolationOf(Metadata{.configuration = {{"delta.isolationLevel", level}}});
      const char* expected = isolation == Isolation::kSerializable ? cell.serializable : cell.write_serializable;
      const auto conflict = FindConflict(commit, {{6, cell.theirs}}, isolation, Txn{"app", 1, {}});
      const std::string what = fmt::format("{} at {}, cell {}", cell.ours.name, level, &cell - kMatrix);
      ASSERT_EQ(conflict.has_value(), expected != nullptr) << what << (conflict ? ": " + conflict->what : "");
      if (conflict) {
        EXPECT_NE(conflict->what.find(expected), std::string::npos) << what << ": " << conflict->what;
      }
    }
  }
}

TEST(FindConflict, PartitionsAreComparedAsTheirType) {
  using Op = PartitionComparison::Op;
  using contract::TypeKind;
  struct Line {
    TypeKind type;
    Op op;
    const char *value, *file;
    bool meets;
  };
  const Line lines[] = {
      {TypeKind::kInteger, Op::kLess, "10", "9", true},
      {TypeKind::kInteger, Op::kLess, "10", "10", false},
      {TypeKind::kBigint, Op::kGreaterOrEqual, "-1", "-10", false},
      {TypeKind::kBigint, Op::kGreater, "-10", "-1", true},
      {TypeKind::kString, Op::kLess, "10", "9", false},
      {TypeKind::kString, Op::kGreaterOrEqual, "2024-01", "2024-02", true},
      {TypeKind::kString, Op::kEqual, "ä", "a", false},
      {TypeKind::kDate, Op::kGreaterOrEqual, "2024-01-01", "2024-02-01", true},
      {TypeKind::kDate, Op::kLessOrEqual, "2024-01-01", "2024-01-02", false},
      {TypeKind::kTimestamp, Op::kEqual, "2024-01-01 00:00:00", "2024-01-01T00:00:00.000000Z", true},
      {TypeKind::kTimestamp, Op::kLess, "2024-01-01 00:00:00", "2024-01-01 00:00:00.000001", false},
      // What cannot be compared may be anything.
      {TypeKind::kInteger, Op::kEqual, "1", "one", true},
      {TypeKind::kDate, Op::kEqual, "2024-01-01", "2024", true},
      {TypeKind::kDouble, Op::kEqual, "1", "2", true},
      {TypeKind::kDecimal, Op::kEqual, "1.0", "2.0", true},
      // The empty text is NULL.
      {TypeKind::kString, Op::kLess, "x", "", false},
  };
  for (const Line& line : lines)
    EXPECT_EQ(MayMeet({{{{"d", line.type, line.op, line.value}}}}, {{"d", line.file}}), line.meets) << line.value << " " << line.file;
  EXPECT_FALSE(MayMeet({}, {{"d", "1"}}));
  EXPECT_TRUE(MayMeet({{{IsD("1")}}, {{IsD("2")}}}, {{"d", "2"}}));
  EXPECT_FALSE(MayMeet({{{IsD("1")}, {IsD("2")}}}, {{"d", "2"}}));
  EXPECT_TRUE(MayMeet({{{IsD("1")}}}, {{"e", "2"}}));
}

TEST(FindConflict, NamesTheOperationThatCameFirst) {
  const Case rewrite{"", ReadScope::kWholeTable, {RemoveOf("a")}, {}, nullptr};
  const auto said = [&](std::vector<Action> theirs) { return FindConflict(CommitOf(rewrite), {{6, std::move(theirs)}})->what; };
  EXPECT_EQ(said({CommitInfo{R"({"operation":"OPTIMIZE"})"}, RemoveOf("a", {}, false)}),
            "version 6 (OPTIMIZE) removed a file that this commit removes: a");
  EXPECT_EQ(said({RemoveOf("a", {}, false), CommitInfo{R"({"operation":"MERGE","isBlindAppend":false})"}}),
            "version 6 (MERGE) removed a file that this commit removes: a");
  for (const char* info : {"{}", "no json", R"({"operation":7})", "[]"})
    EXPECT_EQ(said({CommitInfo{info}, RemoveOf("a")}), "version 6 removed a file that this commit removes: a") << info;
}

TEST(FindConflict, CommitsThatWereReadDoNotCount) {
  const Case overwrite{"", ReadScope::kWholeTable, {RemoveOf("a")}, {}, nullptr};
  EXPECT_FALSE(FindConflict(CommitOf(overwrite), {{4, {RemoveOf("a")}}, {5, {Metadata{}}}}));
}

TEST(FindConflict, CreationConflictsWithAnyCommit) {
  PreparedCommit creation;
  creation.actions = {Protocol{}, Metadata{.id = "t"}};
  EXPECT_FALSE(FindConflict(creation, {}));
  const auto conflict = FindConflict(creation, {{0, {CommitInfo{"{}"}}}});
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->version, 0);
}

}  // namespace
}  // namespace sluice::delta
