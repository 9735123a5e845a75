#include "tables/partitioning.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_primitive.h>
#include <gtest/gtest.h>

#include "tables/generated.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::TypeKind;

contract::Schema Orders() {
  return {{{"id", DataType::Of(TypeKind::kBigint)},
           {"Order_Date", DataType::Of(TypeKind::kDate)},
           {"at", DataType::Of(TypeKind::kTimestamp)},
           {"odd name", DataType::Of(TypeKind::kDate)},
           {"tags", DataType::List(DataType::Of(TypeKind::kString))}}};
}

TEST(PartitioningTest, AddsGeneratedColumnWithItsExpression) {
  contract::Schema schema = Orders();
  const auto columns = ResolvePartitioning({"month(order_date)", "ID", "hour(at)", "year(odd name)"}, &schema);
  ASSERT_TRUE(columns.has_value()) << columns.error().ToString();
  EXPECT_EQ(*columns, (std::vector<std::string>{"Order_Date_month", "id", "at_hour", "odd name_year"}));
  ASSERT_EQ(schema.fields.size(), 8u);
  EXPECT_EQ(schema.fields[5].metadata.at("delta.generationExpression"), "\"date_format(Order_Date, 'yyyy-MM')\"");
  EXPECT_EQ(schema.fields[7].metadata.at("delta.generationExpression"), "\"date_format(`odd name`, 'yyyy')\"");
  for (size_t i = 5; i < 8; ++i) EXPECT_TRUE(GeneratedOf(schema.fields[i], schema)->has_value());
  EXPECT_EQ((*GeneratedOf(schema.fields[7], schema))->source, "odd name");
  EXPECT_FALSE(GeneratedOf(schema.fields[0], schema)->has_value());
}

TEST(PartitioningTest, ResolvingTwiceAddsNothing) {
  contract::Schema schema = Orders();
  ASSERT_TRUE(ResolvePartitioning({"day(order_date)"}, &schema).has_value());
  const contract::Schema once = schema;
  ASSERT_TRUE(ResolvePartitioning({"day(order_date)"}, &schema).has_value());
  EXPECT_EQ(schema, once);
}

TEST(PartitioningTest, RefusesWhatCannotPartition) {
  const auto code = [](const std::vector<std::string>& by) {
    contract::Schema schema = Orders();
    const auto columns = ResolvePartitioning(by, &schema);
    return columns ? std::string("accepted") : columns.error().code;
  };
  EXPECT_EQ(code({"nope"}), "unknown-column");
  EXPECT_EQ(code({"month(nope)"}), "unknown-column");
  EXPECT_EQ(code({"month(id)"}), "bad-partition");
  EXPECT_EQ(code({"hour(order_date)"}), "bad-partition");
  EXPECT_EQ(code({"week(order_date)"}), "bad-partition");
  EXPECT_EQ(code({"tags"}), "bad-partition");
  EXPECT_EQ(code({"id", "ID"}), "bad-partition");
  contract::Schema one{{{"id", DataType::Of(TypeKind::kBigint)}}};
  EXPECT_EQ(ResolvePartitioning({"id"}, &one).error().code, "bad-partition");
}

TEST(PartitioningTest, TakesAColumnThatComputesTheSameHoweverItIsWritten) {
  contract::Schema schema = Orders();
  contract::Field field{"order_date_month", DataType::Of(TypeKind::kString)};
  field.metadata["delta.generationExpression"] = "\"DATE_FORMAT( `order_date` , \\\"yyyy-MM\\\" )\"";
  schema.fields.push_back(field);
  EXPECT_EQ(*ResolvePartitioning({"month(order_date)"}, &schema), (std::vector<std::string>{"order_date_month"}));
  EXPECT_EQ(schema.fields.size(), 6u);
  schema.fields.back().metadata["delta.generationExpression"] = "\"date_format(order_date, 'yyyy')\"";
  EXPECT_EQ(ResolvePartitioning({"month(order_date)"}, &schema).error().code, "bad-partition");
}

TEST(PartitioningTest, DecimalsHaveAllTheirDigits) {
  EXPECT_EQ(DecimalText("0", 10), "0.0000000000");
  EXPECT_EQ(DecimalText("-5", 3), "-0.005");
  EXPECT_EQ(DecimalText("12345678901234567890", 2), "123456789012345678.90");
  EXPECT_EQ(DecimalText("-12", 0), "-12");
}

TEST(PartitioningTest, EmptyTextIsNull) {
  arrow::StringBuilder builder;
  ASSERT_TRUE(builder.AppendValues({"", "x"}).ok());
  ASSERT_TRUE(builder.AppendNull().ok());
  const auto array = *builder.Finish();
  EXPECT_EQ(*PartitionTextAt(*array, 0), std::nullopt);
  EXPECT_EQ(*PartitionTextAt(*array, 1), "x");
  EXPECT_EQ(*PartitionTextAt(*array, 2), std::nullopt);
}

TEST(PartitioningTest, FoldersHoldNothingThatWritersSpellDifferently) {
  EXPECT_EQ(PartitionFolder({"a", "b"}, {{"a", "x/y=z %"}, {"b", std::nullopt}}), "a=x%2Fy%3Dz%20%25/b=__HIVE_DEFAULT_PARTITION__");
  EXPECT_EQ(PartitionFolder({"ä:"}, {{"ä:", "ü&"}}), "%C3%A4%3A=%C3%BC%26");
  EXPECT_EQ(PartitionFolder({"day"}, {{"day", "2024-01-31"}}), "day=2024-01-31");
  EXPECT_EQ(PartitionFolder({}, {}), "");
}

TEST(PartitioningTest, LongFoldersAreCutAndStayDistinct) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "é";
  const std::string a = PartitionFolder({"c"}, {{"c", text + "a"}}), b = PartitionFolder({"c"}, {{"c", text + "b"}});
  EXPECT_LE(a.size(), 255u);
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace sluice::tables
