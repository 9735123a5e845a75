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
  if (c.reads == ReadScope::kPartitions) commit.read_partitions = {{{"d", "1"}}, {{"d", std::nullopt}}};
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
    {"partition overwrite against append to its null",
     ReadScope::kPartitions,
     {RemoveOf("a")},
     {AddOf("b", {{"d", std::nullopt}})},
     "added rows"},
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
