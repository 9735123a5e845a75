#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "tables/table_fixture.h"

namespace sluice::tables {
namespace {

class Scd2Test : public TableTest, public ::testing::WithParamInterface<bool> {
 protected:
  Scd2Test() {
    deletion_vectors_ = GetParam();
    spec_.key = {"id"};
    spec_.sequence_by = {"at"};
    spec_.track = {"city"};
  }

  // Rows (id, city, note, at).
  Result<StagedChange> Stage(const std::string& values) {
    const auto model = MakeSchema("id: bigint, city: string, note: string, at: date");
    contract::Schema schema = Must(Scd2Schema("silver.t", model, spec_));
    schema.fields.push_back({"_batch_id", contract::DataType::Of(contract::TypeKind::kBigint)});
    const std::string sql =
        values.empty() ? "SELECT NULL::BIGINT AS id, '' AS city, '' AS note, NULL::DATE AS \"at\", 0::BIGINT AS _batch_id WHERE false"
                       : "SELECT id::BIGINT AS id, city, note, \"at\"::DATE AS \"at\", 1::BIGINT AS _batch_id FROM (VALUES " + values +
                             ") v(id, city, note, \"at\")";
    return StageScd2(Target(std::move(schema)), lake_.connection(), {sql, {}}, spec_, Options());
  }
  ChangeCounts Apply(const std::string& values) {
    const auto change = Must(Stage(values));
    if (!change.empty) Commit(change);
    return change.counts;
  }
  Lines History(const std::string& columns = "id, valid_from, valid_to, is_current, city") { return Table(columns); }

  Scd2Spec spec_;
};

INSTANTIATE_TEST_SUITE_P(Tables, Scd2Test, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("DeletionVectors") : std::string("Rewritten"); });

TEST_P(Scd2Test, SeveralChangesOfOneBatchAreAllKept) {
  const auto counts = Apply(
      "(1, 'Rome', 'a', '2024-01-01'), (1, 'Bonn', 'b', '2024-03-01'), (1, 'Rome', 'c', '2024-02-01'), (2, 'Oslo', 'd', '2024-01-05')");
  EXPECT_EQ(counts.added, 3);
  EXPECT_EQ(counts.same, 1);  // Rome again in February
  EXPECT_EQ(History(), (Lines{"1|2024-01-01|2024-03-01|false|Rome", "1|2024-03-01|-|true|Bonn", "2|2024-01-05|-|true|Oslo"}));
}

TEST_P(Scd2Test, AChangeClosesTheOpenVersion) {
  Apply("(1, 'Rome', 'a', '2024-01-01')");
  const auto counts = Apply("(1, 'Bonn', 'b', '2024-03-01')");
  EXPECT_EQ(counts.added, 1);
  EXPECT_EQ(counts.changed, 1);
  EXPECT_EQ(History(), (Lines{"1|2024-01-01|2024-03-01|false|Rome", "1|2024-03-01|-|true|Bonn"}));
}

TEST_P(Scd2Test, UnchangedAndDeliveredAgainAddNothing) {
  const std::string rows = "(1, 'Rome', 'a', '2024-01-01'), (1, 'Rome', 'b', '2024-02-01'), (1, 'Bonn', 'c', '2024-03-01')";
  Apply(rows);
  const auto change = Must(Stage(rows));
  EXPECT_TRUE(change.empty);
  EXPECT_EQ(change.counts.same, 3);
  EXPECT_TRUE(Must(Stage("(1, 'Bonn', 'new note', '2024-09-01')")).empty);
  EXPECT_TRUE(Must(Stage("")).empty);
}

TEST_P(Scd2Test, LateRowsSplitTheirInterval) {
  Apply("(1, 'Rome', 'a', '2024-01-01'), (1, 'Bonn', 'b', '2024-06-01')");
  Apply("(1, 'Oslo', 'late', '2024-03-01')");
  EXPECT_EQ(History(), (Lines{"1|2024-01-01|2024-03-01|false|Rome", "1|2024-03-01|2024-06-01|false|Oslo", "1|2024-06-01|-|true|Bonn"}));
  Apply("(1, 'Kiel', 'before all', '2023-01-01')");
  EXPECT_EQ(History()[0], "1|2023-01-01|2024-01-01|false|Kiel");
}

TEST_P(Scd2Test, OrderOfBatchesDoesNotMatter) {
  const Lines rows = {"(1, 'Rome', 'a', '2024-01-01')", "(1, 'Bonn', 'b', '2024-02-01')", "(1, 'Oslo', 'c', '2024-03-01')",
                      "(1, 'Rome', 'd', '2024-04-01')"};
  for (int i : {2, 0, 3, 1}) Apply(rows[i]);
  EXPECT_EQ(History(), (Lines{"1|2024-01-01|2024-02-01|false|Rome", "1|2024-02-01|2024-03-01|false|Bonn",
                              "1|2024-03-01|2024-04-01|false|Oslo", "1|2024-04-01|-|true|Rome"}));
}

TEST_P(Scd2Test, ALateRowMayAbsorbTheVersionAfterIt) {
  Apply("(1, 'Rome', 'a', '2024-01-01'), (1, 'Bonn', 'b', '2024-06-01')");
  Apply("(1, 'Bonn', 'late', '2024-03-01')");
  EXPECT_EQ(History(), (Lines{"1|2024-01-01|2024-03-01|false|Rome", "1|2024-03-01|-|true|Bonn"}));
}

TEST_P(Scd2Test, DeletesCloseAndRowsAfterwardsOpenAgain) {
  spec_.delete_when = "note = 'gone'";
  Apply("(1, 'Rome', 'a', '2024-01-01')");
  EXPECT_EQ(Apply("(1, NULL, 'gone', '2024-02-01')").deleted, 1);
  EXPECT_EQ(History(), (Lines{"1|2024-01-01|2024-02-01|false|Rome"}));
  EXPECT_TRUE(Must(Stage("(1, NULL, 'gone', '2024-02-01')")).empty);
  Apply("(1, 'Rome', 'back', '2024-05-01')");
  EXPECT_EQ(History(), (Lines{"1|2024-01-01|2024-02-01|false|Rome", "1|2024-05-01|-|true|Rome"}));
}

TEST_P(Scd2Test, DeletesCanBeIgnored) {
  spec_.delete_when = "note = 'gone'";
  spec_.ignore_deletes = true;
  Apply("(1, 'Rome', 'a', '2024-01-01')");
  EXPECT_TRUE(Must(Stage("(1, NULL, 'gone', '2024-02-01')")).empty);
}

TEST_P(Scd2Test, ASnapshotClosesMissingKeys) {
  Apply("(1, 'Rome', 'a', '2024-01-01'), (2, 'Oslo', 'a', '2024-01-01')");
  spec_.close_missing_at = "2024-07-01";
  Apply("(2, 'Oslo', 'a', '2024-01-01')");
  EXPECT_EQ(History(), (Lines{"1|2024-01-01|2024-07-01|false|Rome", "2|2024-01-01|-|true|Oslo"}));
  EXPECT_TRUE(Must(Stage("(2, 'Oslo', 'a', '2024-01-01')")).empty);
}

TEST_P(Scd2Test, EqualInstantsWithDifferentValuesNameTheKey) {
  auto in_batch = Stage("(1, 'Rome', 'a', '2024-01-01'), (1, 'Bonn', 'b', '2024-01-01')");
  ASSERT_FALSE(in_batch.has_value());
  EXPECT_EQ(in_batch.error().code, "ambiguous-sequence");
  Apply("(3, 'Rome', 'a', '2024-01-01')");
  auto against = Stage("(3, 'Bonn', 'a', '2024-01-01')");
  ASSERT_FALSE(against.has_value());
  EXPECT_NE(against.error().message.find("id = 3"), std::string::npos) << against.error().message;
  EXPECT_EQ(Stage("(4, 'Rome', 'a', NULL)").error().code, "null-sequence");
  EXPECT_EQ(Stage("(NULL, 'Rome', 'a', '2024-01-01')").error().code, "null-key");
}

TEST_P(Scd2Test, SurrogateKeysAreStableAndUnique) {
  Apply("(1, 'Rome', 'a', '2024-01-01'), (1, 'Bonn', 'b', '2024-03-01'), (11, 'Bonn', 'b', '2024-03-01')");
  const auto before = History("t_sk, id, valid_from");
  const std::string expected = lake_.Rows("SELECT md5('1:1|2024-01-01')")[0] + "|1|2024-01-01";
  EXPECT_NE(std::find(before.begin(), before.end(), expected), before.end());
  Apply("(1, 'Oslo', 'c', '2024-04-01')");
  const auto after = History("t_sk, id, valid_from");
  for (const auto& line : before) EXPECT_NE(std::find(after.begin(), after.end(), line), after.end()) << line;
}

TEST_P(Scd2Test, SchemaRefusesNamesItNeeds) {
  EXPECT_EQ(Scd2Schema("gold.d", MakeSchema("id: bigint, city: string, at: date, valid_to: date"), spec_).error().code, "duplicate-column");
  EXPECT_EQ(Scd2Schema("gold.d", MakeSchema("idd: bigint, city: string, at: date"), spec_).error().code, "unknown-column");
}

}  // namespace
}  // namespace sluice::tables
