// Outside bytes, mutated by chance from a fixed seed: whatever a log holds, its reader answers with a value or an error.
#include <gtest/gtest.h>

#include "delta/checkpoint.h"
#include "delta/commit.h"
#include "delta/deletion_vector.h"

namespace sluice::delta {
namespace {

// Changes, cuts out, repeats or inserts a few bytes.
std::string Mutated(std::string text, SeededRandom& random) {
  const auto edits = 1 + random.Next() % 4;
  for (uint64_t i = 0; i < edits && !text.empty(); ++i) {
    const size_t at = random.Next() % text.size();
    switch (random.Next() % 5) {
      case 0:
        text[at] = static_cast<char>(random.Next());
        break;
      case 1:
        text.erase(at, 1 + random.Next() % 8);
        break;
      case 2:
        text.insert(at, text.substr(random.Next() % text.size(), 1 + random.Next() % 16));
        break;
      case 3:
        text.resize(at);
        break;
      default:
        text.insert(at, 1, "\"\\{}[],:\n0-"[random.Next() % 11]);
    }
  }
  return text;
}

std::string SampleCommit() {
  Add add{.path = "c=a%20b/p",
          .partition_values = {{"c", "a b"}, {"d", std::nullopt}},
          .size = 3,
          .stats = R"({"numRecords":1})",
          .tags = {{"k", "v"}}};
  add.deletion_vector = DeletionVector{"i", "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", std::nullopt, 44, 6};
  PreparedCommit commit;
  commit.actions = {
      Protocol{3, 7, std::set<std::string>{"deletionVectors"}, std::set<std::string>{"deletionVectors"}},
      Metadata{.id = "i",
               .schema_string = R"j({"type":"struct","fields":[{"name":"a","type":"decimal(5,2)","metadata":{"x":[1,{}]}}]})j",
               .partition_columns = {"c"},
               .configuration = {{"k", "v"}}},
      add,
      Remove{.path = "q", .deletion_timestamp = 1, .extended_file_metadata = true, .size = 4},
      DomainMetadata{"d", "{}", true},
      CdcFile{"x", {}, 1}};
  return RenderCommit(commit, {.commit_id = "id", .txn = Txn{"app", 1, 2}, .now = {}, .engine_info = "e", .extra = {{"k", "[1.5e3]"}}});
}

TEST(Fuzz, CommitsAreReadOrRefused) {
  SeededRandom random(1);
  const std::string sample = SampleCommit();
  int read = 0, refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto actions = ParseCommit(Mutated(sample, random));
    ++(actions ? read : refused);
    if (!actions) {
      EXPECT_EQ(actions.error().code, "bad-delta-log");
      continue;
    }
    for (const Action& action : *actions) {
      if (std::holds_alternative<CommitInfo>(action)) continue;  // foreign text, never parsed whole
      const auto again = ParseAction(ToJsonLine(action));
      ASSERT_TRUE(again) << ToJsonLine(action);
      EXPECT_EQ(**again, action);
    }
  }
  EXPECT_GT(read, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(Fuzz, SchemasAreReadOrRefused) {
  SeededRandom random(2);
  const std::string sample =
      R"j({"type":"struct","fields":[{"name":"a","type":{"type":"map","keyType":"string","valueType":)j"
      R"j({"type":"array","elementType":"decimal(10,2)","containsNull":true},"valueContainsNull":true},"nullable":true,"metadata":{"k":{"a":[1]}}}]})j";
  for (int i = 0; i < 20'000; ++i) {
    const auto schema = ParseSchemaString(Mutated(sample, random));
    if (schema) {
      EXPECT_EQ(*ParseSchemaString(ToSchemaString(*schema)), *schema);
    }
  }
}

TEST(Fuzz, DeletionVectorsAreReadOrRefused) {
  SeededRandom random(3);
  const std::string bitmap = DecodeZ85("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L")->substr(0, 44);
  for (int i = 0; i < 20'000; ++i) {
    const auto rows = DecodeDeletionVector(Mutated(bitmap, random));
    if (!rows) {
      EXPECT_EQ(rows.error().code, "bad-delta-log");
    }
  }
}

TEST(Fuzz, CheckpointsAreReadOrRefused) {
  SeededRandom random(4);
  FixedClock clock{Instant{}};
  const auto store = store::NewMemoryStore(clock);
  ASSERT_TRUE(store->Put("t/_delta_log/00000000000000000000.json", SampleCommit()));
  ASSERT_TRUE(WriteCheckpoint(*store, "t", *LoadSnapshot(*store, "t"), clock));
  const std::string key = "t/_delta_log/00000000000000000000.checkpoint.parquet";
  const std::string sample = *store->Get(key);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(store->Put(key, Mutated(sample, random)));
    const auto snapshot = LoadSnapshot(*store, "t");
    if (!snapshot) {
      EXPECT_NE(snapshot.error().kind, ErrorKind::kBug) << snapshot.error().ToString();
    }
  }
}

}  // namespace
}  // namespace sluice::delta
