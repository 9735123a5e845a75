#include "formats/ndjson.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "formats/json_number.h"
#include "formats/reader_fixture.h"

namespace sluice::formats {
namespace {

using contract::OnNewColumn;

class NdjsonTest : public ReaderTest {
 protected:
  ReadRequest Request(const std::string& text) {
    EXPECT_TRUE(store_->Put("f", text));
    return ReaderTest::Request();
  }

  Rows Read(const std::string& text) { return ReadAll(OpenNdjson(Request(text))); }

  // "column rule value: message"
  static std::string Show(const contract::Violation& v) { return v.column + " " + v.rule + " " + v.value + ": " + v.message; }

  // Of a text whose only record has one violation.
  std::string OnlyViolation(const std::string& text) {
    const Rows got = Read(text);
    if (got.violations.size() != 1) return std::to_string(got.violations.size()) + " violations " + got.error;
    return Show(got.violations[0]);
  }
};

TEST_F(NdjsonTest, ReadsEveryScalarType) {
  Column("b", "boolean"), Column("i", "bigint"), Column("d", "double"), Column("n", "decimal(12,2)"), Column("s", "string");
  Column("day", "date"), Column("at", "timestamp"), Column("local", "timestamp_ntz");
  const Rows got = Read(
      R"({"b":true,"i":-5,"d":1.5e3,"n":12.30,"s":"x","day":"2024-01-31","at":"2024-01-31T10:00:00+02:00","local":"2024-01-31 10:00:00"})");
  ASSERT_EQ(got.rows.size(), 1u);
  EXPECT_TRUE(got.violations.empty()) << Show(got.violations[0]);
  EXPECT_EQ(got.rows[0], "true | -5 | 1500 | 12.30 | x | 2024-01-31 | 2024-01-31 08:00:00.000000Z | 2024-01-31 10:00:00.000000");
}

TEST_F(NdjsonTest, MissingFieldsAndNullsAreNull) {
  Column("a", "bigint"), Column("b", "struct<x: bigint, y: string>"), Column("c", "list<bigint>");
  const Rows got = Read("{}\n{\"a\":null,\"b\":null,\"c\":null}\n{\"b\":{\"y\":\"q\"},\"c\":[1,null]}\n");
  EXPECT_EQ(got.rows, (std::vector<std::string>{"null | null | null", "null | null | null",
                                                "null | {x:int64 = null, y:string = q} | list<element: int64>[1, null]"}));
}

TEST_F(NdjsonTest, ReadsNestedTypesToAnyDepth) {
  Column("o", "struct<lines: list<struct<sku: string, qty: integer>>, tags: map<string, list<bigint>>>");
  const Rows got = Read(R"({"o":{"lines":[{"sku":"a","qty":1},{"qty":2}],"tags":{"k":[1,2],"e":[]}}})");
  ASSERT_TRUE(got.violations.empty());
  EXPECT_NE(got.rows[0].find("[{sku:string = a, qty:int32 = 1}, {sku:string = null, qty:int32 = 2}]"), std::string::npos) << got.rows[0];
  EXPECT_NE(got.rows[0].find("{key:string = k, value:list<element: int64> = list<element: int64>[1, 2]}"), std::string::npos)
      << got.rows[0];
  EXPECT_NE(got.rows[0].find("{key:string = e, value:list<element: int64> = list<element: int64>[]}"), std::string::npos) << got.rows[0];
}

TEST_F(NdjsonTest, AWrongTypeAtDepthNamesItsPath) {
  Column("id", "bigint"), Column("o", "struct<lines: list<struct<sku: string, qty: integer>>, tags: map<string, bigint>>");
  EXPECT_EQ(OnlyViolation(R"({"o":{"lines":[{"qty":1},{"qty":"x"}]}})"), "o type x: at o.lines[1].qty: not an integer");
  EXPECT_EQ(OnlyViolation(R"({"o":{"tags":{"k":1,"m":true}}})"), "o type true: at o.tags[\"m\"]: not an integer");
  EXPECT_EQ(OnlyViolation(R"({"o":{"lines":{"qty":1}}})"), "o type {\"qty\":1}: at o.lines: not a list (a JSON array)");
  EXPECT_EQ(OnlyViolation(R"({"o":5})"), "o type 5: not a struct (a JSON object)");
  EXPECT_EQ(OnlyViolation(R"({"id":[1]})"), "id type [1]: not an integer");
}

TEST_F(NdjsonTest, LeafViolationsFallOnTheirOwnRows) {
  Column("o", "list<struct<q: bigint>>");
  const Rows got = Read(
      "{\"o\":[{\"q\":1},{\"q\":2}]}\n{\"o\":[]}\n{\"o\":null}\n{\"o\":[{\"q\":3},{\"q\":\"bad\"},{\"q\":\"worse\"}]}\n{\"o\":[{\"q\":4}]}"
      "\n");
  ASSERT_EQ(got.violations.size(), 1u);  // one per row and column
  EXPECT_EQ(got.violations[0].row, 3);
  EXPECT_EQ(Show(got.violations[0]), "o type bad: at o[1].q: not an integer");
}

TEST_F(NdjsonTest, NumbersAreExact) {
  Column("i", "bigint"), Column("n", "decimal(38,10)");
  const Rows got = Read(R"({"i":9223372036854775807,"n":1234567890123456789012345678.0123456789}
{"i":"42","n":"0.1"}
{"n":1.5e3}
{"n":25E-4})");
  ASSERT_TRUE(got.violations.empty()) << Show(got.violations[0]);
  EXPECT_EQ(got.rows[0], "9223372036854775807 | 1234567890123456789012345678.0123456789");
  EXPECT_EQ(got.rows[1], "42 | 0.1000000000");
  EXPECT_EQ(got.rows[2], "null | 1500.0000000000");
  EXPECT_EQ(got.rows[3], "null | 0.0025000000");
  EXPECT_EQ(Read("{\"i\":9223372036854775808}").violations.size(), 1u);
  EXPECT_EQ(Read("{\"i\":1.0}").violations.size(), 1u);
  EXPECT_EQ(Read("{\"i\":1e3}").violations.size(), 1u);
  EXPECT_EQ(Read("{\"n\":0.12345678901}").violations.size(), 1u);
  EXPECT_EQ(Read("{\"n\":1e99}").violations.size(), 1u);
}

TEST_F(NdjsonTest, StringColumnsTakeAnyValueAsItIsSpelt) {
  Column("s", "string");
  const Rows got =
      Read("{\"s\":1.50}\n{\"s\":true}\n{\"s\": {\"a\" : [1, 2]} }\n{\"s\":[ ]}\n{\"s\":\"\"}\n{\"s\":{\"t\":1}  ,\"s2\":1}\n");
  EXPECT_EQ(std::vector<std::string>(got.rows.begin(), got.rows.begin() + 5),
            (std::vector<std::string>{"1.50", "true", "{\"a\" : [1, 2]}", "[ ]", ""}));
  EXPECT_EQ(got.rows[5], "{\"t\":1}");
}

TEST_F(NdjsonTest, EscapesAreRead) {
  Column("s", "string"), Column("m", "map<string, bigint>");
  const Rows got = Read(R"({"s":"a\"b\\c\/d\n\u00e9\ud83d\ude00","m":{"k\u0041":1}})");
  ASSERT_EQ(got.violations.size(), 0u);
  EXPECT_NE(got.rows[0].find("a\"b\\c/d\n\xc3\xa9\xf0\x9f\x98\x80"), std::string::npos);
  EXPECT_NE(got.rows[0].find("kA"), std::string::npos);
  contract_.columns.pop_back();
  EXPECT_EQ(Read(R"({"\u0073":"by an escaped key"})").rows[0], "by an escaped key");
}

TEST_F(NdjsonTest, LinesThatAreNoRecordAreRefusedAloneAndKeptRaw) {
  Column("a", "bigint"), Column("o", "struct<x: list<bigint>>");
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"{\"a\":1", "not valid JSON: an object or array is not closed"},
      {"{\"a\":1}}", "more than one JSON value in the line"},
      {"{\"a\":1} {\"a\":2}", "more than one JSON value in the line"},
      {"{\"a\":1,}", "not valid JSON"},
      {"{\"a\" 1}", "not valid JSON"},
      {"{\"a\":01}", "not valid JSON: a malformed number"},
      {"{\"a\":tru}", "not valid JSON: a malformed number"},
      {"{\"zz\":[1 2]}", "not valid JSON"},
      {"{\"zz\":{\"y\":+1}}", "not valid JSON: a malformed number"},
      {"{\"o\":{\"x\":[1,2}}", "not valid JSON"},
      {"{\"a\":\"open}", "not valid JSON: a string is not closed"},
      {"{\"a\":\"tab\there\"}", "not valid JSON: a control character in a string"},
      {"{\"a\":\"\\q\"}", "not valid JSON: a bad escape in a string"},
      {"{\"a\":\"\\ud800\"}", "not valid JSON: a bad escape in a string"},
      {"[1]", "not a JSON object"},
      {"17", "not a JSON object"},
      {"\"text\"", "not a JSON object"},
      {"null", "not a JSON object"},
      {"plain words", "not a JSON object"},
  };
  for (const auto& [line, message] : bad) {
    const Rows got = Read("{\"a\":1,\"o\":{\"x\":[7]}}\n" + line + "\n{\"a\":2}\n");
    ASSERT_EQ(got.rows.size(), 3u) << line;
    EXPECT_EQ(got.rows[1], "null | null") << line;
    EXPECT_EQ(got.rows[2], "2 | null") << line;
    ASSERT_EQ(got.violations.size(), 1u) << line;
    EXPECT_EQ(Show(got.violations[0]), " json " + line + ": " + message);
    EXPECT_EQ(got.violations[0].row, 1);
    EXPECT_EQ(got.raw[1], line);
  }
}

TEST_F(NdjsonTest, InvalidUtf8IsAnEncodingViolation) {
  Column("s", "string");
  const Rows got = Read("{\"s\":\"\xff\"}\n{\"s\":\"\xc3\xa9\"}\n");
  ASSERT_EQ(got.violations.size(), 1u);
  EXPECT_EQ(got.violations[0].rule, "encoding");
  EXPECT_EQ(got.rows[1], "\xc3\xa9");
}

TEST_F(NdjsonTest, AFieldThatIsThereTwiceIsRefused) {
  Column("a", "bigint"), Column("o", "struct<x: bigint>"), Column("m", "map<string, bigint>");
  EXPECT_EQ(OnlyViolation(R"({"a":1,"a":2})"), "a fields a: the field \"a\" is there twice");
  EXPECT_EQ(OnlyViolation(R"({"a":1,"A":2})"), "a fields A: the field \"A\" is there twice");
  EXPECT_EQ(OnlyViolation(R"({"o":{"x":1,"x":1}})"), "o fields x: the field \"x\" is there twice");
  EXPECT_EQ(OnlyViolation(R"({"m":{"x":1,"x":2}})"), "m fields x: the key \"x\" is there twice");
}

TEST_F(NdjsonTest, NewFieldsFollowThePolicy) {
  Column("a", "bigint"), Column("o", "struct<x: bigint>");
  contract_.on_new_column = OnNewColumn::kFreeze;
  EXPECT_EQ(Read(R"({"a":1,"new":{"deep":[1]},"o":{"x":1,"y":2}})").violations.size(), 0u);
  contract_.on_new_column = OnNewColumn::kQuarantine;
  EXPECT_EQ(OnlyViolation(R"({"a":1,"new":2})"), "new new_column 2: the contract has no such column");
  contract_.on_new_column = OnNewColumn::kEvolve;
  EXPECT_EQ(OnlyViolation(R"({"o":{"x":1,"y":2}})"), "o new_column y: the contract's type has no field \"y\"");
}

TEST_F(NdjsonTest, EvolveFindsNewFieldsAndReadsThemAsText) {
  Column("a", "bigint");
  const std::string text = "{\"a\":1}\n{\"a\":2,\"New\":{\"k\":[1]},\"other\":7}\nbroken\n{\"new\":\"x\",\"_file\":1}\n";
  auto fields = NewNdjsonColumns(Request(text));
  ASSERT_TRUE(fields);
  ASSERT_EQ(fields->size(), 2u);
  EXPECT_EQ((*fields)[0].name, "New");
  EXPECT_EQ((*fields)[1].name, "other");
  extra_ = *fields;
  const Rows got = Read(text);
  EXPECT_EQ(got.rows, (std::vector<std::string>{"1 | null | null", "2 | {\"k\":[1]} | 7", "null | null | null", "null | x | null"}));
  EXPECT_EQ(got.violations.size(), 2u);  // the broken line, and the name that is Sluice's own
  contract_.on_new_column = OnNewColumn::kFreeze;
  EXPECT_TRUE(NewNdjsonColumns(Request(text))->empty());
}

TEST_F(NdjsonTest, RenamesNullTokensTrimAndFormats) {
  contract_.null_tokens = {"", "N/A"};
  contract_.trim = true;
  Column("b", "bigint").from = "a";
  Column("a", "string");
  Column("day", "date").formats = {"%d.%m.%Y"};
  Column("t", "timestamp").zone = "Europe/Berlin";
  Column("e", "string").null_tokens = std::vector<std::string>{""};
  const Rows got = Read(R"({"a":" 5 ","day":"31.12.2024","t":"2024-07-01 12:00:00","e":""}
{"A":"N/A","day":"N/A"})");
  ASSERT_TRUE(got.violations.empty()) << Show(got.violations[0]);
  EXPECT_EQ(got.rows[0], "5 | null | 2024-12-31 | 2024-07-01 10:00:00.000000Z | null");
  EXPECT_EQ(got.rows[1], "null | null | null | null | null");
}

TEST_F(NdjsonTest, ATimestampWithoutZoneIsRefused) {
  Column("t", "timestamp");
  EXPECT_EQ(Read(R"({"t":"2024-07-01 12:00:00"})").violations.size(), 1u);
  EXPECT_EQ(Read(R"({"t":1700000000})").violations.size(), 1u);
}

TEST_F(NdjsonTest, CountsRowsLinesAndOffsets) {
  Column("a", "bigint");
  for (const int64_t block : {1, 7, 16, 1 << 20}) {
    block_bytes_ = block;
    const Rows got = Read("\xef\xbb\xbf{\"a\":1}\r\n\n   \r\n{\"a\":2}\n{\"a\":x}\n{\"a\":3}");
    ASSERT_EQ(got.rows, (std::vector<std::string>{"1", "2", "null", "3"})) << block;
    EXPECT_EQ(got.places[1].row, 2);
    EXPECT_EQ(got.places[1].line, 4);
    EXPECT_EQ(got.places[1].offset, 18);
    EXPECT_EQ(got.places[3].row, 4);
    EXPECT_EQ(got.places[3].line, 6);
    EXPECT_EQ(got.places[3].offset, 34);
    EXPECT_EQ(got.raw[0], "{\"a\":1}");
    EXPECT_EQ(got.violations.size(), 1u);
    EXPECT_EQ(got.violations[0].row, 2);
  }
}

TEST_F(NdjsonTest, HugeLinesAreCutAndRefused) {
  Column("a", "string");
  max_record_bytes_ = 100;
  for (const int64_t block : {16, 64, 1 << 20}) {
    block_bytes_ = block;
    const std::string huge = "{\"a\":\"" + std::string(5000, 'x') + "\"}";
    const Rows got = Read("{\"a\":\"1\"}\n" + huge + "\n{\"a\":\"2\"}\n" + huge);
    ASSERT_EQ(got.rows, (std::vector<std::string>{"1", "null", "2", "null"})) << block;
    ASSERT_EQ(got.violations.size(), 2u);
    EXPECT_EQ(got.violations[0].rule, "length");
    EXPECT_EQ(got.places[2].line, 3);
    EXPECT_EQ(got.places[2].offset, static_cast<int64_t>(10 + huge.size() + 1));
    EXPECT_GE(got.raw[1].size(), 100u);
    EXPECT_LE(got.raw[1].size(), 100u + static_cast<size_t>(block_bytes_));
  }
}

TEST_F(NdjsonTest, DeepNestingIsBounded) {
  Column("s", "string");
  contract_.on_new_column = OnNewColumn::kFreeze;
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  for (const char* key : {"s", "other"}) {
    const Rows got = Read("{\"" + std::string(key) + "\":" + deep + "}\n{\"s\":\"ok\"}\n");
    ASSERT_EQ(got.violations.size(), 1u);
    EXPECT_EQ(got.violations[0].message, "nested deeper than 128 levels");
    EXPECT_EQ(got.rows[1], "ok");
  }
}

TEST_F(NdjsonTest, OneJsonDocumentOverManyLinesIsNoNdjson) {
  Column("a", "bigint");
  EXPECT_EQ(Read("[\n  {\"a\": 1}\n]\n").error, "not-ndjson");
  EXPECT_EQ(Read("[{\"a\": 1},{\"a\":2}]").error, "not-ndjson");
  EXPECT_EQ(Read("{\n  \"a\": 1\n}\n").error, "not-ndjson");
}

TEST_F(NdjsonTest, AnEmptyFileHasNoRows) {
  Column("a", "bigint");
  EXPECT_TRUE(Read("").rows.empty());
  EXPECT_TRUE(Read("\n \n\n").rows.empty());
  EXPECT_EQ(Read("").error, "");
}

TEST_F(NdjsonTest, ATruncatedArchiveGivesItsWholeLinesFirst) {
  Column("a", "bigint");
  ReadRequest request = Request("{\"a\":1}\n{\"a\":2}\n{\"a\":");
  request.compression = Compression::kGzip;
  auto reader = OpenNdjson(request);
  EXPECT_EQ(reader.error().code, "corrupt-archive");
}

TEST(JsonNumber, FollowsTheGrammar) {
  for (const char* good : {"0", "-0", "12", "1.5", "1e5", "-1.5E-10", "0.0"}) EXPECT_TRUE(IsJsonNumber(good)) << good;
  for (const char* bad : {"", "-", "01", "1.", ".5", "+1", "1e", "1e+", "NaN", "1 2", "0x1", "1,5"}) EXPECT_FALSE(IsJsonNumber(bad)) << bad;
}

TEST(JsonNumber, WritesExponentsOut) {
  EXPECT_EQ(WithoutExponent("1.5e3"), "1500");
  EXPECT_EQ(WithoutExponent("1.2345e2"), "123.45");
  EXPECT_EQ(WithoutExponent("-2E-3"), "-0.002");
  EXPECT_EQ(WithoutExponent("0.5e+1"), "05");
  EXPECT_EQ(WithoutExponent("7"), "7");
  EXPECT_EQ(WithoutExponent("1e999999999999"), "1e999999999999");
}

}  // namespace
}  // namespace sluice::formats
