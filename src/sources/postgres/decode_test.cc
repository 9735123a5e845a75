#include "sources/postgres/decode.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <deque>

namespace sluice::sources::postgres {
namespace {

std::string Big(int64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>((static_cast<uint64_t>(value) >> (8 * i)) & 0xff);
  return out;
}

// numeric: weight, sign, scale, digits.
std::string Numeric(int weight, int sign, int scale, const std::vector<int>& digits) {
  std::string out = Big(static_cast<int64_t>(digits.size()), 2) + Big(weight, 2) + Big(sign, 2) + Big(scale, 2);
  for (const int digit : digits) out += Big(digit, 2);
  return out;
}
const std::string kNotANumber = Numeric(0, 0xc000, 0, {});

// int4[] of one dimension or two.
std::string Array(const std::vector<int32_t>& lengths, const std::vector<std::optional<std::string>>& items) {
  std::string out = Big(static_cast<int64_t>(lengths.size()), 4) + Big(0, 4) + Big(23, 4);
  for (const int32_t length : lengths) out += Big(length, 4) + Big(1, 4);
  for (const auto& item : items) out += item ? Big(static_cast<int64_t>(item->size()), 4) + *item : Big(-1, 4);
  return out;
}

class Column {
 public:
  Column(std::initializer_list<std::optional<std::string>> values) {
    for (const auto& value : values) {
      bytes_.push_back(value.value_or(""));
      values_.push_back({bytes_.back().data(), value ? static_cast<int32_t>(bytes_.back().size()) : -1});
    }
  }
  // What Arrow prints of it; the error's code.
  std::string As(const WireType& type, std::vector<Unfit>* unfit = nullptr) const {
    std::vector<Unfit> ignored;
    const auto array = DecodeValues(type, values_, unfit != nullptr ? unfit : &ignored);
    if (!array) return array.error().code;
    std::string out = (*array)->type()->ToString();
    for (int64_t i = 0; i < (*array)->length(); ++i) out += " " + (*array)->GetScalar(i).ValueOrDie()->ToString();
    return out;
  }

 private:
  std::deque<std::string> bytes_;
  std::vector<Value> values_;
};

WireType Decimal(int precision, int scale) { return {Wire::kDecimal, Ask::kAsIs, precision, scale, nullptr}; }
WireType ListOf(WireType element) { return {Wire::kArray, Ask::kAsIs, 0, 0, std::make_shared<const WireType>(std::move(element))}; }

TEST(DecodeValues, ReadsNumbersAndNulls) {
  EXPECT_EQ((Column{Big(1, 1), std::nullopt, Big(0, 1)}.As({Wire::kBoolean})), "bool true null false");
  EXPECT_EQ((Column{Big(-32768, 2), std::nullopt}.As({Wire::kInt2})), "int16 -32768 null");
  EXPECT_EQ((Column{Big(INT32_MIN, 4), Big(7, 4)}.As({Wire::kInt4})), "int32 -2147483648 7");
  EXPECT_EQ((Column{Big(INT64_MAX, 8)}.As({Wire::kInt8})), "int64 9223372036854775807");
  EXPECT_EQ((Column{Big(0xffffffffLL, 4)}.As({Wire::kOid})), "int64 4294967295");
  EXPECT_EQ((Column{Big(0x3fc00000, 4)}.As({Wire::kFloat4})), "float 1.5");
  EXPECT_EQ((Column{Big(0x3fb999999999999aLL, 8)}.As({Wire::kFloat8})), "double 0.1");
}

TEST(DecodeValues, RefusesAValueOfAnotherSize) {
  EXPECT_EQ((Column{Big(1, 2)}.As({Wire::kInt4})), "postgres-protocol");
  EXPECT_EQ((Column{"abc"}.As({Wire::kUuid})), "postgres-protocol");
  EXPECT_EQ((Column{Numeric(0, 0, 0, {1}).substr(0, 9)}.As(Decimal(4, 0))), "postgres-protocol");
  EXPECT_EQ((Column{Numeric(0, 0, 1, {1, 5500})}.As(Decimal(6, 2))), "postgres-protocol");  // more digits than it shows
  EXPECT_EQ((Column{Numeric(0, 0, 0, {10000})}.As({Wire::kNumeric})), "postgres-protocol");
  EXPECT_EQ((Column{Array({5}, {Big(1, 4)})}.As(ListOf({Wire::kInt4}))), "postgres-protocol");
  EXPECT_EQ((Column{"\x02{}"}.As({Wire::kJsonb})), "postgres-protocol");
}

TEST(DecodeValues, ReadsDecimalsExactly) {
  EXPECT_EQ((Column{Numeric(0, 0, 2, {1, 5000}), Numeric(0, 0x4000, 2, {12, 3400}), Numeric(0, 0, 0, {}), std::nullopt}.As(Decimal(6, 2))),
            "decimal128(6, 2) 1.50 -12.34 0.00 null");
  EXPECT_EQ((Column{Numeric(2, 0, 0, {1, 0, 0})}.As(Decimal(10, 0))), "decimal128(10, 0) 100000000");
  EXPECT_EQ((Column{Numeric(2, 0, 0, {1})}.As(Decimal(12, 3))), "decimal128(12, 3) 100000000.000");
  EXPECT_EQ((Column{Numeric(-2, 0, 8, {12})}.As(Decimal(10, 8))), "decimal128(10, 8) 1.2E-7");
  const std::vector<int> nines = {99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900};
  EXPECT_EQ((Column{Numeric(8, 0, 2, nines)}.As(Decimal(38, 2))).substr(0, 17), "decimal128(38, 2)");
  EXPECT_EQ((Column{Numeric(8, 0, 2, nines)}.As(Decimal(38, 2))), "decimal128(38, 2) 9999999999999999999999999999999999.99");
}

TEST(DecodeValues, GivesTextsWhereADecimalHasNoPlaceForOne) {
  EXPECT_EQ((Column{Numeric(0, 0, 2, {1, 5000}), kNotANumber}.As(Decimal(6, 2))), "string 1.50 NaN");
  EXPECT_EQ((Column{Numeric(1, 0, 0, {99, 9999})}.As(Decimal(4, 0))), "string 999999");  // too long
  EXPECT_EQ((Column{Numeric(0, 0, 3, {1, 50})}.As(Decimal(6, 2))), "string 1.005");      // too many decimal places
  EXPECT_EQ((Column{Numeric(30, 0, 0, {1})}.As(Decimal(38, 0))).size(), std::string("string 1").size() + 120);
}

TEST(NumericText, IsExact) {
  const auto text = [](const std::string& bytes) { return NumericText({bytes.data(), static_cast<int32_t>(bytes.size())}).value(); };
  EXPECT_EQ(text(Numeric(0, 0, 0, {})), "0");
  EXPECT_EQ(text(Numeric(0, 0, 3, {})), "0.000");
  EXPECT_EQ(text(Numeric(1, 0x4000, 0, {1, 2})), "-10002");
  EXPECT_EQ(text(Numeric(-3, 0, 12, {1})), "0.000000000001");
  EXPECT_EQ(text(Numeric(1, 0, 1, {1})), "10000.0");
  EXPECT_EQ(text(Numeric(0, 0xd000, 0, {})), "Infinity");
  EXPECT_EQ(text(Numeric(0, 0xf000, 0, {})), "-Infinity");
  EXPECT_EQ(text(kNotANumber), "NaN");
}

TEST(DecodeValues, ReadsTimesOfTheYears1To9999AndGivesTextsForOthers) {
  constexpr int64_t kDay = 86'400'000'000;
  EXPECT_EQ((Column{Big(0, 4), Big(-10957, 4)}.As({Wire::kDate})), "date32[day] 2000-01-01 1970-01-01");
  EXPECT_EQ((Column{Big(0, 4), Big(INT32_MAX, 4), Big(INT32_MIN, 4)}.As({Wire::kDate})), "string 2000-01-01 infinity -infinity");
  EXPECT_EQ((Column{Big(1, 8)}.As({Wire::kTimestamp})), "timestamp[us] 2000-01-01 00:00:00.000001");
  EXPECT_EQ((Column{Big(-1, 8)}.As({Wire::kTimestampTz})), "timestamp[us, tz=UTC] 1999-12-31 23:59:59.999999Z");
  EXPECT_EQ((Column{Big(-1, 8), Big(INT64_MAX, 8)}.As({Wire::kTimestampTz})), "string 1999-12-31T23:59:59.999999Z infinity");
  EXPECT_EQ((Column{Big(int64_t{8000} * 366 * kDay, 8)}.As({Wire::kTimestamp})).substr(0, 12), "string 10016");
}

TEST(DecodeValues, ReadsTextsBytesAndIdentifiers) {
  EXPECT_EQ((Column{"grün", "", std::nullopt}.As({Wire::kText})), "string grün  null");
  EXPECT_EQ((Column{"\x01{\"a\": 1}"}.As({Wire::kJsonb})), "string {\"a\": 1}");
  EXPECT_EQ((Column{std::string("\x00\xff", 2)}.As({Wire::kBytea})).substr(0, 6), "binary");
  EXPECT_EQ((Column{std::string("\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11", 16)}.As({Wire::kUuid})),
            "string a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
}

TEST(DecodeValues, ReadsArraysAsListsAndSetsThoseOfTwoDimensionsAside) {
  const std::string empty = Array({}, {}), one = Array({3}, {Big(1, 4), std::nullopt, Big(3, 4)}),
                    two = Array({2, 2}, {Big(1, 4), Big(2, 4), std::nullopt, Big(4, 4)});
  std::vector<Unfit> unfit;
  const std::string printed = Column{one, std::nullopt, two, empty, one}.As(ListOf({Wire::kInt4}), &unfit);
  EXPECT_EQ(printed, "list<item: int32> list<item: int32>[1, null, 3] null null list<item: int32>[] list<item: int32>[1, null, 3]");
  ASSERT_EQ(unfit.size(), 1);
  EXPECT_EQ(unfit[0].row, 2);
  EXPECT_EQ(unfit[0].json, "[[1,2],[null,4]]");
  EXPECT_EQ((Column{Array({1}, {kNotANumber})}.As(ListOf(Decimal(4, 1)))), "list<item: string> list<item: string>[NaN]");
}

TEST(SplitCopyRows, SplitsRowsAndStopsAtTheTrailer) {
  const std::string rows = Big(2, 2) + Big(4, 4) + Big(7, 4) + Big(-1, 4) + Big(2, 2) + Big(0, 4) + Big(1, 4) + "x" + Big(-1, 2);
  const auto split = SplitCopyRows(rows, 2);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->rows, 2);
  EXPECT_EQ(split->column(0)[0].size, 4);
  EXPECT_EQ(split->column(0)[1].size, 0);
  EXPECT_EQ(split->column(1)[0].size, -1);
  EXPECT_EQ(std::string(split->column(1)[1].data, 1), "x");
}

TEST(SplitCopyRows, RefusesWhatIsCutOffAtAnyByte) {
  const std::string rows = Big(2, 2) + Big(4, 4) + Big(7, 4) + Big(1, 4) + "x";
  for (size_t size = 1; size < rows.size(); ++size) EXPECT_FALSE(SplitCopyRows(rows.substr(0, size), 2)) << size;
  EXPECT_FALSE(SplitCopyRows(rows, 3));
  EXPECT_TRUE(SplitCopyRows(rows, 2));
}

TEST(ShortenRow, LeavesOutLongValuesOnly) {
  std::string bytes = "before" + Big(3, 2) + Big(4, 4) + Big(7, 4) + Big(5, 4) + "12345" + Big(-1, 4);
  EXPECT_EQ(ShortenRow(&bytes, 6, 4).value(), 23);
  EXPECT_EQ(bytes, "before" + Big(3, 2) + Big(4, 4) + Big(7, 4) + Big(-1, 4) + Big(-1, 4));
  std::string cut = Big(3, 2) + Big(4, 4);
  EXPECT_FALSE(ShortenRow(&cut, 0, 4));
}

TEST(CopyHeaderSize, SkipsTheSignatureAndItsExtension) {
  const std::string head = std::string("PGCOPY\n\377\r\n\0", 11) + Big(0, 4);
  EXPECT_EQ(CopyHeaderSize(head + Big(0, 4) + "rest").value(), 19);
  EXPECT_EQ(CopyHeaderSize(head + Big(3, 4) + "abcrest").value(), 22);
  EXPECT_FALSE(CopyHeaderSize(head + Big(9, 4) + "abc"));
  EXPECT_FALSE(CopyHeaderSize("PGCOPY"));
}

CatalogTypes Types() {
  CatalogTypes types;
  const auto add = [&](CatalogType type) { types[type.oid] = std::move(type); };
  add({23, "int4"});
  add({1700, "numeric"});
  add({25, "text"});
  add({869, "inet"});
  add({1007, "_int4", true, 'b', 23});
  add({1041, "_inet", true, 'b', 869});
  add({90001, "mood", false, 'e'});
  add({90002, "_mood", false, 'b', 90001});
  add({90003, "pair", false, 'c'});
  add({90004, "_pair", false, 'b', 90003});
  add({90005, "price", false, 'd', 0, 1700, ((9 << 16) | 3) + 4});
  add({90006, "text", false, 'b'});  // of someone's own
  return types;
}

TEST(WireTypeOf, KnowsWhatComesAsItIsAndWhatIsAskedForAsText) {
  const auto item = [](uint32_t oid, int32_t modifier = -1) {
    const WireType type = WireTypeOf(oid, modifier, Types());
    return SelectItem("c", type) + " " + ContractTypeOf(type).ToString();
  };
  const std::string text = "\"c\"::pg_catalog.text AS \"c\" string";
  EXPECT_EQ(item(23), "\"c\" integer");
  EXPECT_EQ(item(1700, ((12 << 16) | 2) + 4), "\"c\" decimal(12,2)");
  EXPECT_EQ(item(1700), "\"c\" string");                           // without a scale
  EXPECT_EQ(item(1700, ((50 << 16) | 2) + 4), "\"c\" string");     // longer than a decimal may be
  EXPECT_EQ(item(1700, ((5 << 16) | 0x7fe) + 4), "\"c\" string");  // numeric(5,-2)
  EXPECT_EQ(item(90005), "\"c\" decimal(9,3)");                    // a domain
  EXPECT_EQ(item(869), text);
  EXPECT_EQ(item(90001), "\"c\" string");
  EXPECT_EQ(item(90006), text);
  EXPECT_EQ(item(424242), text);
  EXPECT_EQ(item(1007), "\"c\" list<integer>");
  EXPECT_EQ(item(90002), "\"c\" list<string>");
  EXPECT_EQ(item(1041), "\"c\"::pg_catalog.text[] AS \"c\" list<string>");
  EXPECT_EQ(item(90003), "pg_catalog.to_json(\"c\")::pg_catalog.text AS \"c\" string");
  EXPECT_EQ(item(90004), "pg_catalog.to_json(\"c\")::pg_catalog.text AS \"c\" string");
}

}  // namespace
}  // namespace sluice::sources::postgres
