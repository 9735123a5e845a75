#include "sources/files/dialect.h"

#include <gtest/gtest.h>

#include "core/text.h"

namespace sluice::sources {
namespace {

struct Options {
  CsvPins pins;
  std::vector<std::string> names;
};

Result<formats::CsvDialect> Detect(std::string_view text, const Options& options = {}) {
  return DetectDialect({text, true, options.pins, options.names, "f.csv"});
}

std::string Rows(const std::string& header, const std::string& row, int count) {
  std::string text = header;
  for (int i = 0; i < count; ++i) text += row;
  return text;
}

TEST(Dialect, FindsEachDelimiter) {
  for (const char d : std::string(",;\t|\x01")) {
    std::string text = "id,name,amount\n1,ann,2.5\n2,bob,3.5\n";
    std::replace(text.begin(), text.end(), ',', d);
    auto dialect = Detect(text);
    ASSERT_TRUE(dialect) << static_cast<int>(d);
    EXPECT_EQ(dialect->delimiter, d);
    EXPECT_EQ(dialect->quote, '"');
    EXPECT_TRUE(dialect->header);
    EXPECT_EQ(dialect->skip, 0);
  }
}

TEST(Dialect, DecimalCommasDoNotFoolIt) { EXPECT_EQ(Detect("id;name;amount\n1;a;2,5\n2;b;3,5\n")->delimiter, ';'); }

TEST(Dialect, BrokenQuotesAndRaggedLinesOnlyCostTheirOwnVote) {
  const std::string text =
      Rows("id,name,amount\n", "1,\"a, b\",2.5\n", 20) + "2,\"never closed,3\n3,c\n4,d,e,f,5\n" + Rows("", "5,\"x \"\"y\"\"\",1\n", 20);
  auto dialect = Detect(text);
  ASSERT_TRUE(dialect);
  EXPECT_EQ(dialect->delimiter, ',');
  EXPECT_EQ(dialect->quote, '"');
  EXPECT_EQ(dialect->escape, '"');
}

TEST(Dialect, FindsQuotesOverLines) {
  auto dialect = Detect("id;note\n1;\"a\nb;c\"\n2;\"d\ne\"\n");
  ASSERT_TRUE(dialect);
  EXPECT_EQ(dialect->delimiter, ';');
}

TEST(Dialect, FindsSingleQuotesOnlyWhereTheyWrapFields) {
  EXPECT_EQ(Detect("id,name,city\n1,'a,b','x'\n2,'c','y'\n")->quote, '\'');
  EXPECT_EQ(Detect("id,name,city\n1,'tis,x\n2,rock 'n' roll,y\n")->quote, '"');
}

TEST(Dialect, FindsABackslashAsEscape) {
  EXPECT_EQ(Detect("id,name\n1,\"a \\\" , b\"\n2,\"c\"\n")->escape, '\\');
  EXPECT_EQ(Detect("id,name\n1,\"a \"\" b\"\n2,\"c\"\n")->escape, '"');
}

TEST(Dialect, TellsAHeaderFromARecord) {
  EXPECT_TRUE(Detect("id,name\n1,ann\n")->header);
  EXPECT_FALSE(Detect("1,ann,2024-01-01\n2,bob,2024-01-02\n")->header);
  EXPECT_FALSE(Detect("ann,,x\nbob,1,y\n"));  // a header without a name, or a record without a value
  EXPECT_TRUE(Detect("name,city\nann,rome\nbob,oslo\n")->header);
  EXPECT_TRUE(Detect(",id,name\n0,1,ann\n1,2,bob\n")->header);
  EXPECT_TRUE(Detect("id,name,amount\n")->header);
}

TEST(Dialect, AllTextThatRepeatsIsUnsure) {
  auto dialect = Detect("ann,rome\nbob,rome\ncid,rome\n");
  ASSERT_FALSE(dialect);
  EXPECT_EQ(dialect.error().code, "unsure-dialect");
  EXPECT_EQ(dialect.error().hint, "pin it in the source's `read`: header: true (or false)");
  EXPECT_FALSE(Detect("ann,rome\nbob,rome\ncid,rome\n", {.pins = {.header = false}})->header);
  EXPECT_TRUE(Detect("who,rome\nbob,rome\ncid,rome\n", {.pins = {}, .names = {"who", "rome"}})->header);
}

TEST(Dialect, SkipsTitleLines) {
  auto dialect = Detect("Sales report\nexported 2024-01-01\n\nid,name,amount\n1,a,2\n2,b,3\n");
  ASSERT_TRUE(dialect);
  EXPECT_EQ(dialect->skip, 3);
  EXPECT_TRUE(dialect->header);
}

TEST(Dialect, ReadsOverAByteOrderMark) {
  auto dialect = Detect("\xef\xbb\xbfid,name\n1,a\n", {.pins = {}, .names = {"id"}});
  ASSERT_TRUE(dialect);
  EXPECT_TRUE(dialect->header);
}

TEST(Dialect, OneColumnStopsUnlessTheContractHasOne) {
  auto dialect = Detect("name\nann\nbob\n");
  ASSERT_FALSE(dialect);
  EXPECT_EQ(dialect.error().code, "unsure-dialect");
  EXPECT_TRUE(Detect("name\nann\nbob\n", {.pins = {}, .names = {"name"}}));
  EXPECT_TRUE(Detect("name\nann\nbob\n", {.pins = {.delimiter = ","}}));
}

TEST(Dialect, RivalDelimitersStop) {
  auto dialect = Detect("1,5;2,5;3,5\n1,5;2,5;3,5\n");
  ASSERT_FALSE(dialect);
  EXPECT_EQ(dialect.error().message, "f.csv: both \",\" (4 fields) and \";\" (3 fields) split it evenly");
  EXPECT_EQ(Detect("1,5;2,5;3,5\n1,5;2,5;3,5\n", {.pins = {.delimiter = ";"}})->delimiter, ';');
}

TEST(Dialect, TheContractsNamesDecide) {
  auto dialect = Detect("a,b;c,d\n", {.pins = {}, .names = {"a,b", "c,d"}});
  ASSERT_TRUE(dialect);
  EXPECT_EQ(dialect->delimiter, ';');
}

TEST(Dialect, PinsAreKept) {
  const CsvPins pins = {.delimiter = "\t", .quote = "", .escape = {}, .comment = "#", .header = false, .skip = 1};
  auto dialect = Detect("junk\n# c\n1\t\"a\n", {.pins = pins});
  ASSERT_TRUE(dialect);
  EXPECT_EQ(*dialect, (formats::CsvDialect{'\t', '\0', '\0', '#', false, 1}));
  EXPECT_EQ(Detect("a", {.pins = {.quote = "ab"}}).error().code, "bad-dialect");
}

TEST(Dialect, AHeaderMayEndWithADelimiterThatTheRecordsLack) {
  for (const char* text : {"a,b,\n1,2\n", "a,b,\n1,2\n3,4\n5,6\n"}) {
    const auto dialect = Detect(text);
    ASSERT_TRUE(dialect) << text;
    EXPECT_TRUE(dialect->header && dialect->header_delimiter) << text;
  }
  EXPECT_FALSE(Detect("a,b,\n1,2,\n3,4,\n")->header_delimiter);
  EXPECT_FALSE(Detect("1,2,\n1,2\n3,4\n", {.pins = {.header = false}})->header_delimiter);
}

TEST(Dialect, AnEmptyFileHasAnyDialect) {
  EXPECT_TRUE(Detect(""));
  EXPECT_TRUE(Detect("\xef\xbb\xbf\n\n"));
}

TEST(Dialect, ProseIsUnsure) {
  EXPECT_EQ(Detect("just some text, with a comma\nand more text\nfoo, bar, baz\nx\n").error().code, "unsure-dialect");
}

TEST(Dialect, FilesThatBeginAlikeShareIt) {
  formats::CsvDialect dialect;
  EXPECT_TRUE(SameHead(dialect, "id,name\n1,a\n", "id,name\n9,z\n"));
  EXPECT_FALSE(SameHead(dialect, "id,name\n1,a\n", "id;name\n9;z\n"));
  dialect.skip = 1;
  EXPECT_FALSE(SameHead(dialect, "t\nid,name\n1,a\n", "t\nid,nome\n1,a\n"));
  dialect.header = false;
  EXPECT_FALSE(SameHead(dialect, "a\n", "a\n"));
  EXPECT_FALSE(SameHead(*Detect("\nid,name\n1,a\n2,b\n"), "\nid,name\n1,a\n", "\nid,name,more\n1,a,x\n"));
  EXPECT_FALSE(SameHead(*Detect("id,\"na\nme\"\n1,a\n2,b\n"), "id,\"na\nme\"\n1,a\n", "id,\"na\nyou\",more\n1,a,x\n"));
  formats::CsvDialect commented;
  commented.comment = '#';
  EXPECT_FALSE(SameHead(commented, "# of May\nid,name\n1,a\n", "# of May\nid,name,more\n1,a,x\n"));
}

Result<std::string> EncodingOf(std::string_view sample, const std::string& pinned = "") {
  return DetectEncoding({sample, true, pinned, "f", nullptr});
}

TEST(Dialect, FindsDelimitersOfSeveralBytes) {
  for (const std::string d : {"||", "|~|", "~|~", "::"}) {
    std::string text = "id" + d + "name" + d + "at\n1" + d + "a" + d + "x\n2" + d + d + "y\n";
    auto dialect = Detect(text);
    ASSERT_TRUE(dialect) << d << dialect.error().ToString();
    EXPECT_EQ(dialect->delimiter_text(), d);
    EXPECT_TRUE(dialect->header);
  }
  EXPECT_EQ(Detect("id|x|name\n1||a\n2||b\n")->delimiter_text(), "|");
  EXPECT_EQ(Detect("id|name||\n1|a||\n2|b|c|d\n", {.pins = {.header = true}})->delimiter_text(), "|");
  EXPECT_EQ(Detect("id,address\n1,fe80::1\n2,fe80::2\n")->delimiter_text(), ",");
  EXPECT_EQ(Detect("a<>b\n1<>2\n", {.pins = {.delimiter = "<>"}})->delimiter_text(), "<>");
}

TEST(Dialect, FindsDelimitersAtTheEndOfRecords) {
  EXPECT_TRUE(Detect("id,name\n1,a,\n2,b,\n")->trailing_delimiter);
  EXPECT_EQ(Detect("id,name\n1,a,\n2,b,\n")->skip, 0);
  EXPECT_TRUE(Detect("id,name\n1,a,\n")->trailing_delimiter);
  EXPECT_FALSE(Detect("id,name,\n1,a,\n2,b,\n", {.pins = {.header = true}})->trailing_delimiter);
  EXPECT_FALSE(Detect("id,name,x\n1,a,\n2,b,\n")->trailing_delimiter);
  auto titled = Detect("A report of June\nid,name\n1,a,\n2,b,\n");
  ASSERT_TRUE(titled);
  EXPECT_TRUE(titled->trailing_delimiter);
  EXPECT_EQ(titled->skip, 1);
  EXPECT_FALSE(SameHead(*Detect("id,name\n1,a\n2,b\n"), "id,name\n1,a\n", "id,name\n3,c,\n"));
}

TEST(Dialect, AHeaderThatLacksANameIsUnsure) {
  EXPECT_EQ(Detect("model,cyl\nMazda,21,6\nDatsun,22,4\n").error().code, "unsure-dialect");
  EXPECT_EQ(Detect("Report,2024\nid,n,m\n1,2,3\n4,5,6\n")->skip, 1);  // another header follows
}

TEST(Dialect, SeveralHeaderRowsAreOneHeader) {
  auto dialect = Detect("2024,,2025\nQ1,Q2,Q1\n1,2,3\n", {.pins = {.header = true, .header_rows = 2}, .names = {"2024 Q2"}});
  ASSERT_TRUE(dialect);
  EXPECT_EQ(dialect->header_rows, 2);
  EXPECT_EQ(dialect->skip, 0);
}

TEST(Dialect, AGuessThatIsAcceptedIsADoubt) {
  std::vector<std::string> doubts;
  auto dialect = DetectDialect({"red,large\nblue,small\nred,small\n", true, {}, {}, "f", &doubts});
  ASSERT_TRUE(dialect);
  EXPECT_EQ(doubts, std::vector<std::string>{"its first line may be a header or a record: every column is text"});
  doubts.clear();
  ASSERT_TRUE(DetectDialect({"just words\nand more\n", true, {}, {}, "f", &doubts}));
  EXPECT_FALSE(doubts.empty());
}

TEST(Encoding, IsUtf8AlsoWithAFewBadLines) {
  EXPECT_EQ(*EncodingOf("id,name\n1,caf\xc3\xa9\n"), "");
  EXPECT_EQ(*EncodingOf("\xef\xbb\xbfid\n"), "");
  EXPECT_EQ(*EncodingOf(Rows("id,name\n", "1,a\n", 100) + "2,\xff\n3,\xfe\n"), "");
  EXPECT_EQ(*EncodingOf(""), "");
}

TEST(Encoding, AByteOrderMarkSaysMoreThanAPin) {
  EXPECT_EQ(*EncodingOf(std::string_view("\xff\xfei\0d\0\n\0", 8)), "utf-16le");
  EXPECT_EQ(*EncodingOf(std::string_view("\xfe\xff\0i\0d\0\n", 8), "windows-1252"), "utf-16be");
  EXPECT_EQ(*EncodingOf(std::string_view("\xff\xfe\0\0i\0\0\0", 8)), "utf-32le");
  EXPECT_EQ(*EncodingOf("\xef\xbb\xbfid\n", "windows-1252"), "");
}

TEST(Encoding, StopsWhereItIsUnsureAndSaysWhatToPin) {
  EXPECT_EQ(EncodingOf(std::string_view("i\0d\0,\0n\0\n\0", 10)).error().message, "f looks like utf-16le without a byte order mark");
  EXPECT_EQ(EncodingOf(std::string_view("\0i\0d\0,\0n\0\n", 10)).error().message, "f looks like utf-16be without a byte order mark");
  const auto latin = EncodingOf("id,name\n1,caf\xe9\n2,z\xfcrich\n");
  EXPECT_EQ(latin.error().code, "unsure-encoding");
  EXPECT_EQ(latin.error().message, "f is not UTF-8 in 2 of its first 3 lines; in Windows-1252 line 2 has \"1,caf\xc3\xa9\"");
  EXPECT_NE(latin.error().hint.find("encoding: windows-1252"), std::string::npos);
  EXPECT_EQ(*EncodingOf("id,name\n1,caf\xe9\n2,z\xfcrich\n", "iso-8859-1"), "iso-8859-1");
  EXPECT_EQ(*EncodingOf("id,name\n1,caf\xe9\n2,z\xfcrich\n", "utf-8"), "");
  const auto other = EncodingOf("id,name\n1,caf\x81\n2,z\x8frich\n");
  EXPECT_EQ(other.error().message, "f is not UTF-8 in 2 of its first 3 lines, nor Windows-1252");
}

TEST(Encoding, AGuessThatIsAcceptedIsADoubt) {
  std::vector<std::string> doubts;
  EXPECT_EQ(*DetectEncoding({"id\ncaf\xe9\nz\xfcrich\n", true, "", "f", &doubts}), "windows-1252");
  ASSERT_EQ(doubts.size(), 1u);
  EXPECT_NE(doubts[0].find("read as windows-1252"), std::string::npos);
}

}  // namespace
}  // namespace sluice::sources
