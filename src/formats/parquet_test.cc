#include "formats/parquet.h"

#include <arrow/api.h>
#include <arrow/extension/uuid.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "contract/decode.h"
#include "formats/reader_fixture.h"
#include "store/faulty_store.h"

namespace sluice::formats {
namespace {

using contract::OnNewColumn;

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Array(Builder builder, const std::vector<std::optional<Value>>& values) {
  for (const auto& value : values) EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  return *builder.Finish();
}

std::shared_ptr<arrow::Array> Ints(const std::vector<std::optional<int64_t>>& values) { return Array(arrow::Int64Builder(), values); }
std::shared_ptr<arrow::Array> Doubles(const std::vector<std::optional<double>>& values) { return Array(arrow::DoubleBuilder(), values); }
std::shared_ptr<arrow::Array> Strings(const std::vector<std::optional<std::string>>& values) {
  return Array(arrow::StringBuilder(), values);
}
std::shared_ptr<arrow::Array> Times(arrow::TimeUnit::type unit, const std::string& zone,
                                    const std::vector<std::optional<int64_t>>& values) {
  return Array(arrow::TimestampBuilder(arrow::timestamp(unit, zone), arrow::default_memory_pool()), values);
}

using Columns = std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>;

class ParquetTest : public ReaderTest {
 protected:
  void Write(const Columns& columns, int64_t rows_per_group = 1 << 20) {
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (const auto& [name, array] : columns) {
      fields.push_back(arrow::field(name, array->type()));
      arrays.push_back(array);
    }
    auto sink = *arrow::io::BufferOutputStream::Create();
    auto properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    ASSERT_TRUE(parquet::arrow::WriteTable(*arrow::Table::Make(arrow::schema(fields), arrays), arrow::default_memory_pool(), sink,
                                           rows_per_group, parquet::default_writer_properties(), properties)
                    .ok());
    ASSERT_TRUE(store_->Put("f", (*sink->Finish())->ToString()));
  }

  Rows Read() { return ReadAll(OpenParquet(Request())); }

  static std::string Show(const contract::Violation& v) {
    return std::to_string(v.row) + " " + v.column + " " + v.rule + " " + v.value + ": " + v.message;
  }
  static std::vector<std::string> Shown(const Rows& rows) {
    std::vector<std::string> all;
    for (const auto& v : rows.violations) all.push_back(Show(v));
    return all;
  }
};

using Texts = std::vector<std::string>;

TEST_F(ParquetTest, ReadsColumnsByNameInTheContractsOrder) {
  Column("name", "string"), Column("ID", "bigint");
  Write({{"id", Ints({1, std::nullopt})}, {"name", Strings({"a", ""})}});
  const Rows got = Read();
  EXPECT_EQ(got.rows, (Texts{"a | 1", " | null"}));
  EXPECT_TRUE(got.violations.empty());
  EXPECT_EQ(got.raw[0], R"({"id":1,"name":"a"})");
}

TEST_F(ParquetTest, ReadsManyRowGroupsInBlocks) {
  Column("id", "bigint");
  std::vector<std::optional<int64_t>> values;
  for (int64_t i = 0; i < 3000; ++i) values.push_back(i);
  block_bytes_ = 1;
  Write({{"id", Ints(values)}}, 700);
  const Rows got = Read();
  ASSERT_EQ(got.rows.size(), 3000u);
  EXPECT_EQ(got.rows[2999], "2999");
}

TEST_F(ParquetTest, WidensAndNarrowsOnlyWithoutLoss) {
  Column("i", "integer"), Column("b", "bigint"), Column("f", "float"), Column("n", "decimal(5,2)");
  Write({{"i", Ints({1, 3000000000, -5})},
         {"b", Doubles({1.0, 1.5, 2.0})},
         {"f", Doubles({0.5, 0.25, 0.1})},
         {"n", Doubles({0.1, 12.345, 1e3})}});
  const Rows got = Read();
  EXPECT_EQ(got.rows, (Texts{"1 | 1 | 0.5 | 0.10", "null | null | 0.25 | null", "-5 | 2 | null | null"}));
  EXPECT_EQ(Shown(got), (Texts{"1 b type 1.5: does not fit bigint without loss", "1 i type 3000000000: does not fit integer without loss",
                               "1 n type 12.345: more than 2 decimal places", "2 f type 0.1: does not fit float without loss",
                               "2 n type 1000: " + contract::DecodeMessage(contract::DataType::Decimal(5, 2), contract::Decoded::kRange)}));
}

TEST_F(ParquetTest, TextIsDecodedAsInOtherFormats) {
  contract_.null_tokens = {"", "-"};
  Column("day", "date").formats = {"%d/%m/%Y"};
  Column("n", "bigint");
  Column("s", "string");
  Write({{"day", Strings({"31/12/2024", "-"})}, {"n", Strings({"5", "x"})}, {"s", Ints({7, std::nullopt})}});
  const Rows got = Read();
  EXPECT_EQ(got.rows, (Texts{"2024-12-31 | 5 | 7", "null | null | null"}));
  EXPECT_EQ(Shown(got), (Texts{"1 n type x: not an integer"}));
}

TEST_F(ParquetTest, InvalidUtf8IsRefused) {
  Column("s", "string");
  Write({{"s", Strings({"ok", "\xff\xfe", "caf\xc3\xa9"})}});
  const Rows got = Read();
  EXPECT_EQ(got.rows, (Texts{"ok", "null", "caf\xc3\xa9"}));
  ASSERT_EQ(got.violations.size(), 1u);
  EXPECT_EQ(got.violations[0].rule, "encoding");
}

TEST_F(ParquetTest, TimesKeepTheirMeaning) {
  Column("ns", "timestamp_ntz"), Column("tz", "timestamp"), Column("local", "timestamp").zone = "Europe/Berlin";
  Column("none", "timestamp");
  Write({{"ns", Times(arrow::TimeUnit::NANO, "", {1700000000123456000, 1700000000123456789})},
         {"tz", Times(arrow::TimeUnit::MILLI, "America/New_York", {1700000000123, std::nullopt})},
         {"local",
          Times(arrow::TimeUnit::MICRO, "", {1719835200000000, 1711850400000000 + 1800000000})},  // 2024-07-01 12:00, 2024-03-31 02:30
         {"none", Times(arrow::TimeUnit::MICRO, "", {std::nullopt, 0})}});
  const Rows got = Read();
  EXPECT_EQ(got.rows[0], "2023-11-14 22:13:20.123456 | 2023-11-14 22:13:20.123000Z | 2024-07-01 10:00:00.000000Z | null");
  EXPECT_EQ(got.rows[1], "null | null | null | null");
  ASSERT_EQ(got.violations.size(), 3u);
  EXPECT_EQ(got.violations[0].column, "local");
  EXPECT_EQ(got.violations[1].column, "none");
  EXPECT_EQ(Show(got.violations[2]), "1 ns type \"2023-11-14 22:13:20.123456789\": does not fit timestamp_ntz without loss");
}

TEST_F(ParquetTest, UuidsAreTheirTextOrTheirBytes) {
  const std::string value("\x55\x0e\x84\x00\xe2\x9b\x41\xd4\xa7\x16\x44\x66\x55\x44\x00\xff", 16);
  arrow::FixedSizeBinaryBuilder bytes(arrow::fixed_size_binary(16));
  ASSERT_TRUE(bytes.Append(value).ok());
  ASSERT_TRUE(bytes.AppendNull().ok());
  const auto uuids = arrow::ExtensionType::WrapArray(arrow::extension::uuid(), *bytes.Finish());
  const auto inside = *arrow::StructArray::Make({uuids}, std::vector<std::string>{"u"});
  Write({{"u", uuids}, {"s", inside}, {"b", uuids}, {"t", inside}, {"n", uuids}});
  const auto proposed = NewParquetColumns(Request());
  ASSERT_TRUE(proposed) << proposed.error().message;
  EXPECT_EQ((*proposed)[0].type.ToString(), "string");
  EXPECT_EQ((*proposed)[1].type.ToString(), "struct<u: string>");
  Column("u", "string"), Column("s", "struct<u: string>"), Column("b", "binary"), Column("t", "struct<u: binary>"), Column("n", "bigint");
  const Rows got = Read();
  const std::string text = "550e8400-e29b-41d4-a716-4466554400ff", hex = "550e8400e29b41d4a7164466554400ff";
  ASSERT_EQ(got.rows.size(), 2u);
  EXPECT_EQ(got.rows[0], text + " | {u:string = " + text + "} | " + value + " | {u:binary = " + value + "} | null");
  EXPECT_EQ(got.rows[1], "null | {u:string = null} | null | {u:binary = null} | null");
  EXPECT_EQ(Shown(got).size(), 1u);
  EXPECT_EQ(got.raw[0], R"({"u":")" + text + R"(","s":{"u":")" + text + R"("},"b":{"$hex":")" + hex + R"("},"t":{"u":{"$hex":")" + hex +
                            R"("}},"n":")" + text + R"("})");
}

TEST_F(ParquetTest, TypesThatDoNotMeetRefuseTheirValues) {
  Column("d", "date");
  Write({{"d", Ints({5, std::nullopt})}});
  const Rows got = Read();
  EXPECT_EQ(got.rows, (Texts{"null", "null"}));
  EXPECT_EQ(Shown(got), (Texts{"0 d type 5: the file has int64, the contract date"}));
}

TEST_F(ParquetTest, ReadsNestedColumnsAndNamesPaths) {
  Column("lines", "list<struct<sku: string, qty: integer>>"), Column("text", "string");
  const auto line =
      arrow::struct_({arrow::field("qty", arrow::int64()), arrow::field("sku", arrow::utf8()), arrow::field("extra", arrow::int64())});
  auto qty = std::make_shared<arrow::Int64Builder>();
  auto sku = std::make_shared<arrow::StringBuilder>();
  auto extra = std::make_shared<arrow::Int64Builder>();
  auto items = std::make_shared<arrow::StructBuilder>(line, arrow::default_memory_pool(),
                                                      std::vector<std::shared_ptr<arrow::ArrayBuilder>>{qty, sku, extra});
  arrow::ListBuilder lists(arrow::default_memory_pool(), items);
  const auto add = [&](int64_t q, const std::string& s, std::optional<int64_t> e) {
    EXPECT_TRUE(items->Append().ok() && qty->Append(q).ok() && sku->Append(s).ok() && (e ? extra->Append(*e) : extra->AppendNull()).ok());
  };
  EXPECT_TRUE(lists.Append().ok());
  add(1, "a", {}), add(2, "b", {});
  EXPECT_TRUE(lists.AppendNull().ok());
  EXPECT_TRUE(lists.Append().ok());
  add(3, "c", {}), add(3000000000, "d", {});
  EXPECT_TRUE(lists.Append().ok());
  add(4, "e", 9);
  const std::shared_ptr<arrow::Array> array = *lists.Finish();
  Write({{"lines", array}, {"text", array}});
  const Rows got = Read();
  ASSERT_EQ(got.rows.size(), 4u);
  EXPECT_NE(got.rows[0].find("[{sku:string = a, qty:int32 = 1}, {sku:string = b, qty:int32 = 2}]"), std::string::npos) << got.rows[0];
  EXPECT_NE(got.rows[0].find(R"([{"qty":1,"sku":"a","extra":null},{"qty":2,"sku":"b","extra":null}])"), std::string::npos) << got.rows[0];
  EXPECT_EQ(got.rows[1], "null | null");
  EXPECT_EQ(Shown(got), (Texts{"2 lines type 3000000000: at lines[1].qty: does not fit integer without loss",
                               "3 lines new_column 9: at lines[0]: the contract's type has no field \"extra\""}));
  contract_.on_new_column = OnNewColumn::kFreeze;
  EXPECT_EQ(Read().violations.size(), 1u);
}

TEST_F(ParquetTest, MissingAndNewColumnsFollowThePolicies) {
  Column("id", "bigint"), Column("gone", "string");
  Write({{"id", Ints({1, 2})}, {"new", Ints({std::nullopt, 5})}});
  EXPECT_EQ(Read().error, "missing-column");
  contract_.on_missing_column = contract::OnMissingColumn::kNull;
  auto fields = NewParquetColumns(Request());
  ASSERT_TRUE(fields);
  ASSERT_EQ(fields->size(), 1u);
  EXPECT_EQ((*fields)[0].type, contract::DataType::Of(contract::TypeKind::kBigint));
  extra_ = *fields;
  EXPECT_EQ(Read().rows, (Texts{"1 | null | null", "2 | null | 5"}));
  extra_.clear();
  contract_.on_new_column = OnNewColumn::kQuarantine;
  EXPECT_EQ(Shown(Read()), (Texts{"1 new new_column 5: the contract has no such column"}));
  contract_.on_new_column = OnNewColumn::kFreeze;
  EXPECT_TRUE(Read().violations.empty());
}

TEST_F(ParquetTest, WhatIsNoParquetFileIsSaid) {
  Column("id", "bigint");
  ASSERT_TRUE(store_->Put("f", ""));
  EXPECT_EQ(Read().error, "corrupt-file");
  ASSERT_TRUE(store_->Put("f", "id,name\n1,a\n"));
  EXPECT_EQ(Read().error, "corrupt-file");
  Write({{"id", Ints({1, 2})}});
  std::string bytes = *store_->Get("f");
  ASSERT_TRUE(store_->Put("f", bytes.substr(0, bytes.size() - 7)));
  EXPECT_EQ(Read().error, "corrupt-file");
}

TEST_F(ParquetTest, NoticesAFileThatIsReplacedWhileItIsRead) {
  Column("id", "bigint");
  Write({{"id", Ints({1})}});
  auto reader = OpenParquet(Request());
  ASSERT_TRUE(reader);
  ASSERT_TRUE((*reader)->Next());
  Write({{"id", Ints({1, 2, 3})}});
  EXPECT_EQ((*reader)->Next().error().code, "file-changed-while-read");
}

// A file is not to be asked for again because the network was away.
TEST_F(ParquetTest, TheStoresErrorsStayTheStores) {
  Column("id", "bigint");
  Write({{"id", Ints({1, 2, 3})}}, 1);
  store::FaultyStore counting(*store_);
  ReadRequest request = Request();
  request.store = &counting;
  ASSERT_EQ(ReadAll(OpenParquet(request)).rows.size(), 3u);
  ASSERT_GT(counting.operation_count(), 3);
  for (int64_t at = 1; at <= counting.operation_count(); ++at) {
    store::FaultyStore faulty(*store_, {{{.at = at}}});
    request.store = &faulty;
    EXPECT_EQ(ReadAll(OpenParquet(request)).error, "injected-fault") << counting.operations()[at - 1].ToString();
  }
}

}  // namespace
}  // namespace sluice::formats
