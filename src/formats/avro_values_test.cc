#include "formats/avro_values.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

namespace sluice::formats {
namespace {

AvroType Schema(const std::string& fields) {
  auto type = ParseAvroSchema(R"({"type":"record","name":"r","fields":[)" + fields + "]}");
  EXPECT_TRUE(type) << type.error().ToString();
  return type ? *std::move(type) : AvroType{};
}

std::string Read(const std::string& fields, const std::string& bytes, int64_t count = 1) {
  const AvroType type = Schema(fields);
  AvroRows rows(type);
  if (const Status status = rows.Append(bytes, count); !status) return status.error().message;
  const auto batch = rows.Finish();
  if (!batch || !(*batch)->ValidateFull().ok()) return "invalid";
  std::string text;
  for (int64_t row = 0; row < (*batch)->num_rows(); ++row)
    for (int c = 0; c < (*batch)->num_columns(); ++c)
      text += (c + row > 0 ? " | " : "") + (*(*batch)->column(c)->GetScalar(row))->ToString();
  return text;
}

std::string Field(const std::string& type) { return R"({"name":"f","type":)" + type + "}"; }

// The examples of the specification, section "Data Serialization and Deserialization".
TEST(AvroValues, ReadsWhatTheSpecificationWrites) {
  EXPECT_EQ(Read(Field("\"long\""), "\x01"), "-1");
  EXPECT_EQ(Read(Field("\"long\""), std::string("\x80\x01", 2)), "64");
  EXPECT_EQ(Read(Field("\"string\""),
                 "\x06"
                 "foo"),
            "foo");
  EXPECT_EQ(Read(R"({"name":"a","type":"long"},{"name":"b","type":"string"})",
                 "\x36\x06"
                 "foo"),
            "27 | foo");
  EXPECT_EQ(Read(Field(R"({"type":"array","items":"long"})"), std::string("\x04\x06\x36\x00", 4)), "list<item: int64>[3, 27]");
  EXPECT_EQ(Read(Field(R"(["null","string"])"), std::string("\x00", 1)), "null");
  EXPECT_EQ(Read(Field(R"(["null","string"])"),
                 "\x02\x02"
                 "a"),
            "a");
  EXPECT_EQ(Read(Field(R"({"type":"enum","name":"Foo","symbols":["A","B","C","D"]})"), "\x06"), "D");
}

TEST(AvroValues, LogicalTypes) {
  const std::string decimal = R"({"type":"bytes","logicalType":"decimal","precision":4,"scale":2})";
  EXPECT_EQ(Read(Field(decimal), std::string("\x04\x00\x96", 3)), "1.50");
  EXPECT_EQ(Read(Field(decimal), "\x02\xff"), "-0.01");
  EXPECT_EQ(Read(Field(decimal), std::string("\x06\x01\x86\xa0", 4)), "a decimal with more than the 4 digits that its schema says");
  EXPECT_EQ(Read(Field(R"({"type":"int","logicalType":"date"})"), "\x02"), "1970-01-02");
  EXPECT_EQ(Read(Field(R"({"type":"long","logicalType":"timestamp-millis"})"), "\x02"), "1970-01-01 00:00:00.001Z");
  EXPECT_EQ(Read(Field(R"({"type":"long","logicalType":"local-timestamp-micros"})"), "\x02"), "1970-01-01 00:00:00.000001");
  EXPECT_EQ(Read(Field(R"({"type":"string","logicalType":"no-such"})"),
                 "\x02"
                 "a"),
            "a");
}

TEST(AvroValues, UnionsOfSeveralTypes) {
  EXPECT_EQ(Read(Field(R"(["int","long"])"), "\x02\x02"), "1");
  EXPECT_EQ(Read(Field(R"(["null","long","string"])"),
                 "\x04\x02"
                 "a"),
            "{member0:int64 = null, member1:string = a}");
  EXPECT_EQ(Read(Field(R"(["null","long","string"])"), std::string("\x00", 1)), "null");
}

TEST(AvroValues, NamesAreLookedUpInTheirNamespace) {
  const std::string type =
      R"({"type":"record","name":"x.y","fields":[{"name":"a","type":{"type":"enum","name":"e","symbols":["A"]}},{"name":"b","type":"e"}]})";
  EXPECT_EQ(Read(Field(type), std::string("\x00\x00", 2)), "{a:string = A, b:string = A}");
  EXPECT_EQ(ParseAvroSchema(R"({"type":"record","name":"r","fields":[{"name":"next","type":["null","r"]}]})").error().code,
            "unsupported-avro");
  EXPECT_EQ(ParseAvroSchema(R"({"type":"record","name":"r","fields":[{"name":"a","type":"nobody"}]})").error().code, "corrupt-file");
  for (const char* text : {"", "1", "[]", "\"int\"", "{}", R"({"type":"record"})", R"({"type":"array","items":"int"})"})
    EXPECT_FALSE(ParseAvroSchema(text)) << text;
}

// Whatever a damaged block says, it neither crashes nor takes memory without end.
TEST(AvroValues, LiesAreTold) {
  EXPECT_EQ(Read(Field("\"string\""),
                 "\xfe\xff\xff\xff\x0f"
                 "a"),
            "a value that goes beyond its block");
  EXPECT_EQ(Read(Field("\"string\""), "\x01"), "a value that goes beyond its block");
  EXPECT_EQ(Read(Field("\"long\""), "\x80"), "a number that goes beyond its block");
  EXPECT_EQ(Read(Field("\"long\""), std::string(11, '\xff')), "a number of more than ten bytes");
  EXPECT_EQ(Read(Field("\"long\""), "\x02\x02"), "1 bytes behind the last record of a block");
  EXPECT_EQ(Read(Field(R"({"type":"array","items":"null"})"), "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"),
            "a list of more items than its block has bytes");
  EXPECT_EQ(Read(Field("\"null\""), "", int64_t{1} << 40), "a block of more records than bytes");
  EXPECT_EQ(Read(Field(R"({"type":"enum","name":"e","symbols":["A"]})"), "\x02"), "a symbol that its enumeration does not have");
  EXPECT_EQ(Read(Field(R"(["null","long"])"), "\x04"), "a branch that its union does not have");
}

}  // namespace
}  // namespace sluice::formats
