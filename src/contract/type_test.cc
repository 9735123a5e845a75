#include "contract/type.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include "contract/arrow_types.h"

namespace sluice::contract {
namespace {

DataType Parsed(std::string_view text) {
  auto type = ParseType(text);
  EXPECT_TRUE(type.has_value()) << text << ": " << (type ? "" : type.error().ToString());
  return type ? *type : DataType{};
}
Error Refused(std::string_view text) {
  auto type = ParseType(text);
  EXPECT_FALSE(type.has_value()) << text;
  return type ? Error{} : type.error();
}
bool Widens(std::string_view from, std::string_view to) { return IsWidening(Parsed(from), Parsed(to)); }

TEST(TypeTest, SpellingRoundTrips) {
  for (const char* text : {"boolean", "tinyint", "smallint", "integer", "bigint", "float", "double", "decimal(12,2)", "decimal(38,38)",
                           "string", "binary", "date", "timestamp", "timestamp_ntz", "list<string>", "map<string, bigint>",
                           "struct<a: bigint, b: list<date>>", "struct<\"a b\": map<string, struct<\"x\"\"y\": double>>>"})
    EXPECT_EQ(Parsed(text).ToString(), text);
}

TEST(TypeTest, AcceptsAliasesCaseAndSpace) {
  EXPECT_EQ(Parsed(" INT ").ToString(), "integer");
  EXPECT_EQ(Parsed("Long").ToString(), "bigint");
  EXPECT_EQ(Parsed("numeric( 9 , 3 )").ToString(), "decimal(9,3)");
  EXPECT_EQ(Parsed("numeric(9)").ToString(), "decimal(9,0)");
  EXPECT_EQ(Parsed("array < timestamptz >").ToString(), "list<timestamp>");
  EXPECT_EQ(Parsed("struct<`a`:text>").ToString(), "struct<a: string>");
  EXPECT_EQ(Parsed("real").ToString(), "float");
}

TEST(TypeTest, RefusesWithCodeAndSuggestion) {
  EXPECT_EQ(Refused("strin").message, "\"strin\" is not a type (did you mean \"string\"?)");
  EXPECT_EQ(Refused("strin").code, "unknown-type");
  for (const char* text : {"decimal", "decimal(0,0)", "decimal(39,2)", "decimal(4,5)", "decimal(4", "decimal(4,)", "decimal(-1,0)"})
    EXPECT_EQ(Refused(text).code, "bad-decimal") << text;
  for (const char* text : {"", "list", "list<", "list<string", "map<string>", "struct<>", "struct<a>", "struct<a: int, A: int>", "int int",
                           "struct<\"a: int>", "<"})
    EXPECT_EQ(Refused(text).code, "unknown-type") << text;
}

TEST(TypeTest, RefusesBottomlessNesting) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "list<";
  EXPECT_EQ(Refused(text).code, "unknown-type");
}

TEST(TypeTest, SpellsDuckDb) {
  EXPECT_EQ(Parsed("struct<a: bigint, \"b\"\"c\": list<decimal(5,1)>>").ToDuckDb(), "STRUCT(\"a\" BIGINT, \"b\"\"c\" DECIMAL(5,1)[])");
  EXPECT_EQ(Parsed("map<string, timestamp>").ToDuckDb(), "MAP(VARCHAR, TIMESTAMP WITH TIME ZONE)");
  EXPECT_EQ(Parsed("timestamp_ntz").ToDuckDb(), "TIMESTAMP");
}

TEST(TypeTest, WidensOnlyWithoutLoss) {
  EXPECT_TRUE(Widens("tinyint", "bigint"));
  EXPECT_TRUE(Widens("integer", "double"));
  EXPECT_TRUE(Widens("float", "double"));
  EXPECT_TRUE(Widens("integer", "decimal(12,2)"));
  EXPECT_TRUE(Widens("decimal(10,2)", "decimal(12,4)"));
  EXPECT_TRUE(Widens("date", "timestamp_ntz"));
  EXPECT_TRUE(Widens("list<integer>", "list<bigint>"));
  EXPECT_TRUE(Widens("struct<a: integer>", "struct<a: bigint, b: string>"));
  EXPECT_FALSE(Widens("bigint", "integer"));
  EXPECT_FALSE(Widens("bigint", "double"));
  EXPECT_FALSE(Widens("integer", "float"));
  EXPECT_FALSE(Widens("integer", "decimal(11,2)"));
  EXPECT_FALSE(Widens("decimal(10,2)", "decimal(11,4)"));
  EXPECT_FALSE(Widens("decimal(10,2)", "decimal(12,1)"));
  EXPECT_FALSE(Widens("date", "timestamp"));
  EXPECT_FALSE(Widens("integer", "string"));
  EXPECT_FALSE(Widens("list<integer>", "integer"));
  EXPECT_FALSE(Widens("struct<a: integer, b: integer>", "struct<a: integer>"));
  EXPECT_FALSE(Widens("struct<a: integer, b: integer>", "struct<b: integer, a: integer>"));
}

TEST(TypeTest, NullabilityNarrowsNever) {
  const DataType strict = DataType::List(DataType::Of(TypeKind::kDate), false), lax = DataType::List(DataType::Of(TypeKind::kDate));
  EXPECT_TRUE(IsWidening(strict, lax));
  EXPECT_FALSE(IsWidening(lax, strict));
}

TEST(TypeTest, EqualityIgnoresFieldMetadataOfNestedTypes) {
  DataType a = Parsed("struct<a: bigint>"), b = a;
  b.children[0].metadata["delta.columnMapping.id"] = "3";
  EXPECT_EQ(a, b);
  b.children[0].name = "b";
  EXPECT_FALSE(a == b);
}

TEST(SchemaTest, FindsColumnsIgnoringCase) {
  const Schema schema{{{"Id", DataType::Of(TypeKind::kBigint)}, {"name", DataType::Of(TypeKind::kString)}}};
  EXPECT_EQ(schema.IndexOf("ID"), 0);
  EXPECT_EQ(schema.IndexOf("nam"), -1);
  EXPECT_EQ(schema.Find("NAME")->name, "name");
  EXPECT_EQ(schema.Find("x"), nullptr);
  EXPECT_EQ(schema.Names(), (std::vector<std::string>{"Id", "name"}));
}

TEST(SchemaTest, KnowsMetadataColumns) {
  EXPECT_EQ(BronzeMetadataColumns().size(), 7u);
  EXPECT_EQ(ModelMetadataColumns().size(), 2u);
  EXPECT_TRUE(IsMetadataColumn("_Ingested_At"));
  EXPECT_FALSE(IsMetadataColumn("_op"));
}

TEST(ArrowTypesTest, EveryTypeRoundTrips) {
  const DataType every = Parsed(
      "struct<a: boolean, b: tinyint, c: smallint, d: integer, e: bigint, f: float, g: double, h: decimal(38,10), i: string, j: binary, "
      "k: date, l: timestamp, m: timestamp_ntz, n: list<map<string, struct<x: date>>>>");
  const auto back = FromArrow(*ToArrow(every));
  ASSERT_TRUE(back.has_value()) << back.error().ToString();
  EXPECT_EQ(*back, every);
}

TEST(ArrowTypesTest, KeepsNullability) {
  const Schema schema{{{"k", DataType::Of(TypeKind::kBigint), false}, {"l", DataType::List(DataType::Of(TypeKind::kDate), false)}}};
  const auto back = FromArrow(*ToArrow(schema));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, schema);
}

TEST(ArrowTypesTest, WidensWhatHasNoEqual) {
  EXPECT_EQ(FromArrow(*arrow::uint32())->ToString(), "bigint");
  EXPECT_EQ(FromArrow(*arrow::uint64())->ToString(), "decimal(20,0)");
  EXPECT_EQ(FromArrow(*arrow::dictionary(arrow::int8(), arrow::large_utf8()))->ToString(), "string");
  EXPECT_EQ(FromArrow(*arrow::timestamp(arrow::TimeUnit::MILLI, "Europe/Rome"))->ToString(), "timestamp");
  EXPECT_EQ(FromArrow(*arrow::fixed_size_list(arrow::int32(), 3))->ToString(), "list<integer>");
}

TEST(ArrowTypesTest, RefusesNamingTheColumn) {
  const auto untyped = FromArrow(*arrow::schema({arrow::field("x", arrow::null())}));
  ASSERT_FALSE(untyped.has_value());
  EXPECT_EQ(untyped.error().code, "untyped-null");
  EXPECT_NE(untyped.error().message.find("\"x\""), std::string::npos);
  EXPECT_EQ(FromArrow(*arrow::time64(arrow::TimeUnit::MICRO)).error().code, "unsupported-type");
  EXPECT_EQ(FromArrow(*arrow::timestamp(arrow::TimeUnit::NANO)).error().code, "unsupported-type");
  EXPECT_EQ(FromArrow(*arrow::decimal256(50, 2)).error().code, "unsupported-type");
}

}  // namespace
}  // namespace sluice::contract
