#include <gtest/gtest.h>

#include "delta/actions.h"

namespace sluice::delta {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;

contract::Schema Everything() {
  contract::Schema schema;
  for (auto kind :
       {TypeKind::kBoolean, TypeKind::kTinyint, TypeKind::kSmallint, TypeKind::kInteger, TypeKind::kBigint, TypeKind::kFloat,
        TypeKind::kDouble, TypeKind::kString, TypeKind::kBinary, TypeKind::kDate, TypeKind::kTimestamp, TypeKind::kTimestampNtz})
    schema.fields.push_back({"c" + std::to_string(schema.fields.size()), DataType::Of(kind)});
  schema.fields.push_back({"decimal \"quoted\"", DataType::Decimal(38, 18), false});
  schema.fields.push_back({"list", DataType::List(DataType::Struct({{"d", DataType::Of(TypeKind::kDate), false}}), false)});
  schema.fields.push_back({"map", DataType::Map(DataType::Of(TypeKind::kString), DataType::List(DataType::Of(TypeKind::kBigint)), false)});
  Field mapped{"mapped", DataType::Of(TypeKind::kString)};
  mapped.metadata = {{"comment", "\"a \\\"b\\\"\""}, {"delta.columnMapping.id", "4"}};
  schema.fields.push_back(mapped);
  return schema;
}

TEST(SchemaJson, EveryTypeComesBackAsItWasWritten) {
  const auto parsed = ParseSchemaString(ToSchemaString(Everything()));
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  EXPECT_EQ(*parsed, Everything());
}

TEST(SchemaJson, IsWrittenAsSparkWritesIt) {
  contract::Schema schema;
  schema.fields.push_back({"id", DataType::Of(TypeKind::kInteger), false});
  schema.fields.push_back({"m", DataType::Map(DataType::Of(TypeKind::kString), DataType::List(DataType::Decimal(10, 2)))});
  EXPECT_EQ(
      ToSchemaString(schema),
      R"j({"type":"struct","fields":[{"name":"id","type":"integer","nullable":false,"metadata":{}},)j"
      R"j({"name":"m","type":{"type":"map","keyType":"string","valueType":{"type":"array","elementType":"decimal(10,2)","containsNull":true},)j"
      R"j("valueContainsNull":true},"nullable":true,"metadata":{}}]})j");
}

TEST(SchemaJson, UnknownTypesAreRefusedWithTheColumnsPath) {
  const auto variant = ParseSchemaString(
      R"({"type":"struct","fields":[{"name":"a","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"v","type":"variant"}]}}}]})");
  ASSERT_FALSE(variant);
  EXPECT_EQ(variant.error().code, "unknown-type");
  EXPECT_NE(variant.error().message.find("a.element.v has type variant"), std::string::npos) << variant.error().message;
  for (const char* type : {"void", "decimal(39,1)", "decimal(5,6)", "decimal(x)", "decimals", "interval day"}) {
    const auto refused = ParseSchemaString(std::string(R"({"type":"struct","fields":[{"name":"a","type":")") + type + "\"}]}");
    ASSERT_FALSE(refused) << type;
    EXPECT_EQ(refused.error().code, "unknown-type") << type;
  }
}

TEST(SchemaJson, BrokenTextIsNoSchema) {
  for (const char* text : {"{", "[]", "\"struct\"", R"({"type":"struct"})", R"({"type":"struct","fields":[{}]})",
                           R"({"type":"struct","fields":[{"name":"a"}]})"}) {
    const auto parsed = ParseSchemaString(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, "bad-delta-log") << text;
  }
}

TEST(SchemaJson, HostileNestingIsRefusedAndNotFollowed) {
  std::string text = "\"long\"";
  for (int i = 0; i < 5000; ++i) text.insert(0, R"({"type":"array","containsNull":true,"elementType":)").append("}");
  const auto parsed = ParseSchemaString(R"({"type":"struct","fields":[{"name":"a","type":)" + text + "}]}");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, "unknown-type");
}

TEST(SchemaJson, NoTextIsTheSchemaWithoutColumns) { EXPECT_TRUE(ParseSchemaString("")->fields.empty()); }

}  // namespace
}  // namespace sluice::delta
