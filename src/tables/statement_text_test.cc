#include "tables/statement_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::tables {
namespace {

std::string Text(const MergeClause& clause) {
  static constexpr const char* kWhen[] = {"matched", "not matched", "by source"};
  static constexpr const char* kThen[] = {"update", "delete", "insert"};
  std::string text = fmt::format("{}[{}] {}", kWhen[static_cast<int>(clause.when)], clause.condition, kThen[static_cast<int>(clause.then)]);
  for (const auto& set : clause.set) text += fmt::format(" {}:={}", set.column, set.value);
  return text;
}

std::string Clauses(std::string_view text) {
  const auto clauses = ParseMergeClauses(text);
  if (!clauses) return clauses.error().code + ": " + clauses.error().message;
  std::string out;
  for (const MergeClause& clause : *clauses) out += (out.empty() ? "" : "; ") + Text(clause);
  return out;
}

std::string Set(std::string_view text) {
  const auto set = ParseAssignments(text);
  if (!set) return set.error().code + ": " + set.error().message;
  std::string out;
  for (const auto& one : *set) {
    out += (out.empty() ? "" : "; ") + one.column;
    for (const auto& field : one.fields) out += ">" + field;
    out += ":=" + one.value;
  }
  return out;
}

TEST(StatementText, ReadsTheClausesOfAMerge) {
  EXPECT_EQ(Clauses("WHEN MATCHED AND source.status = 'gone' THEN DELETE"), "matched[source.status = 'gone'] delete");
  EXPECT_EQ(Clauses("matched then update set a = source.a, \"b c\" = target.\"b c\" + 1"),
            "matched[] update a:=source.a b c:=target.\"b c\" + 1");
  EXPECT_EQ(Clauses("NOT MATCHED BY TARGET THEN INSERT (id, v) VALUES (source.id, coalesce(source.v, 0))"),
            "not matched[] insert id:=source.id v:=coalesce(source.v, 0)");
  EXPECT_EQ(Clauses("WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE AND v < 3 THEN DELETE"),
            "matched[] update; not matched[] insert; by source[v < 3] delete");
}

TEST(StatementText, KeywordsInsideOfExpressionsAreNoKeywords) {
  EXPECT_EQ(Clauses("MATCHED AND CASE WHEN source.a = 1 THEN true ELSE false END THEN UPDATE SET a = CASE WHEN x THEN 1 ELSE CASE WHEN y "
                    "THEN 2 END END, b = 'when, then' WHEN NOT MATCHED THEN INSERT *"),
            "matched[CASE WHEN source.a = 1 THEN true ELSE false END] update a:=CASE WHEN x THEN 1 ELSE CASE WHEN y THEN 2 END END "
            "b:='when, then'; not matched[] insert");
  EXPECT_EQ(Clauses("matched and source.\"then\" = 'it''s when' then delete"), "matched[source.\"then\" = 'it''s when'] delete");
}

TEST(StatementText, SaysWhereAClauseIsWrong) {
  EXPECT_EQ(Clauses("MATCHED DELETE"), "bad-merge: \"MATCHED DELETE\": expected THEN instead of \"DELETE\"");
  EXPECT_EQ(Clauses("SOMETIMES THEN DELETE"),
            "bad-merge: \"SOMETIMES THEN DELETE\": expected MATCHED or NOT MATCHED instead of \"SOMETIMES\"");
  EXPECT_EQ(Clauses("NOT MATCHED THEN INSERT (a, b) VALUES (1)"),
            "bad-merge: \"NOT MATCHED THEN INSERT (a, b) VALUES (1)\": 2 columns and 1 value");
  EXPECT_EQ(Clauses("MATCHED THEN UPDATE"), "bad-merge: \"MATCHED THEN UPDATE\": expected SET after it");
  EXPECT_EQ(Clauses("MATCHED THEN UPDATE SET a"), "bad-merge: \"MATCHED THEN UPDATE SET a\": \"a\" is no assignment");
  EXPECT_EQ(Clauses("MATCHED THEN DELETE x"), "bad-merge: \"MATCHED THEN DELETE x\": expected WHEN or the end instead of \"x\"");
  EXPECT_EQ(Clauses("MATCHED AND THEN DELETE"), "bad-merge: \"MATCHED AND THEN DELETE\": AND needs a condition");
  EXPECT_EQ(Clauses(""), "bad-merge: \"\": expected MATCHED or NOT MATCHED after it");
}

TEST(StatementText, ReadsAssignments) {
  EXPECT_EQ(Set("a = 1, target.b = x == 2, \"c,d\"= list(1, 2)"), "a:=1; b:=x == 2; c,d:=list(1, 2)");
  EXPECT_EQ(Set("a.b = 1, target.c.\"d.e\" . f = 2, \"g.h\" = 3"), "a>b:=1; c>d.e>f:=2; g.h:=3");
  EXPECT_EQ(Set("a. = 1"), "bad-assignment: \"a. = 1\" is no assignment");
  EXPECT_EQ(Set("a.b c = 1"), "bad-assignment: \"a.b c = 1\" is no assignment");
  EXPECT_EQ(Set("a ="), "bad-assignment: \"a =\" is no assignment");
  EXPECT_EQ(Set("(unclosed"), "bad-assignment: \"(unclosed\" is no assignment");
}

TEST(StatementText, TellsNamesFromConditions) {
  EXPECT_EQ(ParseNames("id, \"line no\""), (std::vector<std::string>{"id", "line no"}));
  EXPECT_FALSE(ParseNames("target.id = source.id"));
  EXPECT_FALSE(ParseNames("id,"));
}

}  // namespace
}  // namespace sluice::tables
