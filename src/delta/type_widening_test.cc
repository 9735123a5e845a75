#include "delta/type_widening.h"

#include <gtest/gtest.h>

namespace sluice::delta {
namespace {

using contract::DataType;
using contract::Field;
using contract::Schema;
using contract::TypeKind;

DataType Type(const std::string& text) { return *contract::ParseType(text); }

TEST(TypeWidening, KnowsTheChangesOfTheProtocol) {
  const std::pair<const char*, const char*> allowed[] = {{"tinyint", "smallint"},
                                                         {"smallint", "integer"},
                                                         {"integer", "bigint"},
                                                         {"float", "double"},
                                                         {"integer", "double"},
                                                         {"date", "timestamp_ntz"},
                                                         {"decimal(5,2)", "decimal(7,4)"},
                                                         {"decimal(5,2)", "decimal(9,2)"},
                                                         {"integer", "decimal(10,0)"},
                                                         {"tinyint", "decimal(12,2)"},
                                                         {"bigint", "decimal(20,0)"}};
  for (const auto& [from, to] : allowed) EXPECT_TRUE(IsTypeChange(Type(from), Type(to))) << from << to;
  const std::pair<const char*, const char*> refused[] = {
      {"bigint", "integer"},       {"bigint", "double"},        {"date", "timestamp"}, {"decimal(5,2)", "decimal(6,4)"},
      {"integer", "decimal(9,0)"}, {"bigint", "decimal(20,1)"}, {"integer", "string"}, {"double", "float"}};
  for (const auto& [from, to] : refused) EXPECT_FALSE(IsTypeChange(Type(from), Type(to))) << from << to;
}

TEST(TypeWidening, RecordsChangesAtTheNearestField) {
  const Schema before{{{"a", Type("smallint")}, {"m", Type("map<float, list<decimal(6,2)>>")}, {"s", Type("struct<x: integer>")}}};
  Schema after{{{"a", Type("integer")},
                {"m", Type("map<double, list<decimal(10,4)>>")},
                {"s", Type("struct<x: bigint, y: date>")},
                {"n", Type("date")}}};
  ASSERT_TRUE(AreTypeChanges(before, after));
  RecordTypeChanges(before, &after);
  const char* key = "delta.typeChanges";
  EXPECT_EQ(after.fields[0].metadata.at(key), R"([{"fromType":"short","toType":"integer"}])");
  const std::string of_map = R"x([{"fieldPath":"key","fromType":"float","toType":"double"},)x"
                             R"x({"fieldPath":"value.element","fromType":"decimal(6,2)","toType":"decimal(10,4)"}])x";
  EXPECT_EQ(after.fields[1].metadata.at(key), of_map);
  EXPECT_TRUE(after.fields[2].metadata.empty());
  EXPECT_EQ(after.fields[2].type.children[0].metadata.at(key), R"([{"fromType":"integer","toType":"long"}])");
  EXPECT_TRUE(CheckTypeChanges(after));

  Schema later = after;
  later.fields[0].type = Type("bigint");
  RecordTypeChanges(after, &later);
  EXPECT_EQ(later.fields[0].metadata.at(key), R"([{"fromType":"short","toType":"integer"},{"fromType":"integer","toType":"long"}])");
  later.fields[0].type = Type("string");
  EXPECT_FALSE(AreTypeChanges(after, later));
}

TEST(TypeWidening, AnUnknownRecordedChangeIsRefused) {
  Schema schema{{{"a", Type("string"), true, {{"delta.typeChanges", R"([{"fromType":"integer","toType":"string"}])"}}}}};
  const auto status = CheckTypeChanges(schema);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, "unsupported-feature");
}

}  // namespace
}  // namespace sluice::delta
