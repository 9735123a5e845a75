#include "tables/encodings.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <random>

namespace sluice::tables {
namespace {

constexpr int64_t kLimit = 1 << 20;

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Make(int64_t rows, Value value) {
  Builder builder;
  for (int64_t row = 0; row < rows; ++row) EXPECT_TRUE(builder.Append(value(row)).ok());
  return *builder.Finish();
}

std::vector<std::string> Judge(const std::shared_ptr<arrow::Array>& array) {
  const auto schema = arrow::schema({arrow::field("c", array->type())});
  return ColumnsWithoutDictionary(*arrow::RecordBatch::Make(schema, array->length(), {array}), kLimit);
}

const std::vector<std::string> kNone, kColumn = {"c"};

TEST(EncodingsTest, UniqueValuesNeedNoDictionary) {
  EXPECT_EQ(Judge(Make<arrow::Int64Builder>(8000, [](int64_t row) { return row; })), kColumn);
  EXPECT_EQ(Judge(Make<arrow::StringBuilder>(8000, [](int64_t row) { return "ORD" + std::to_string(row); })), kColumn);
}

TEST(EncodingsTest, FewValuesKeepTheirs) {
  EXPECT_EQ(Judge(Make<arrow::StringBuilder>(8000, [](int64_t row) { return "customer " + std::to_string(row % 300); })), kNone);
  EXPECT_EQ(Judge(Make<arrow::Date32Builder>(8000, [](int64_t row) { return static_cast<int32_t>(row * 7919 % 1500); })), kNone);
}

TEST(EncodingsTest, TheLimitDecidesWhereManyValuesRepeatSeldom) {
  std::mt19937_64 random(1);
  const auto draw = [&](int64_t distinct) {
    return Make<arrow::Int64Builder>(8000, [&](int64_t) { return static_cast<int64_t>(random() % static_cast<uint64_t>(distinct)); });
  };
  EXPECT_EQ(Judge(draw(50'000)), kNone);       // 400 kB of numbers
  EXPECT_EQ(Judge(draw(1'000'000)), kColumn);  // 8 MB
}

TEST(EncodingsTest, LooksAtTheRowsOfASlice) {
  const auto values = Make<arrow::Int64Builder>(20'000, [](int64_t row) { return row < 10'000 ? 1 : row; });
  EXPECT_EQ(Judge(values->Slice(0, 8000)), kNone);
  EXPECT_EQ(Judge(values->Slice(10'000, 8000)), kColumn);
}

TEST(EncodingsTest, TooFewRowsOrValuesAreNoGround) {
  EXPECT_EQ(Judge(Make<arrow::Int64Builder>(1000, [](int64_t row) { return row; })), kNone);
  arrow::Int64Builder nulls;
  ASSERT_TRUE(nulls.AppendNulls(8000).ok());
  EXPECT_EQ(Judge(*nulls.Finish()), kNone);
  EXPECT_EQ(Judge(Make<arrow::BooleanBuilder>(8000, [](int64_t row) { return row % 2 == 0; })), kNone);
}

}  // namespace
}  // namespace sluice::tables
