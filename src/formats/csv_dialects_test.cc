// Delimiters of several bytes, headers of several rows, footers.
#include <gtest/gtest.h>

#include <random>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/csv.h"
#include "formats/csv_header.h"
#include "formats/csv_scan.h"
#include "formats/reader_fixture.h"

namespace sluice::formats {
namespace {

class CsvDialectsTest : public ReaderTest {
 protected:
  Rows Read(const std::string& text, const CsvDialect& dialect) {
    EXPECT_TRUE(store_->Put("f", text));
    return ReadAll(OpenCsv(Request(), dialect));
  }
};

CsvDialect By(const std::string& delimiter) {
  CsvDialect dialect;
  dialect.delimiter = delimiter[0];
  dialect.delimiter_rest = delimiter.substr(1);
  return dialect;
}

std::string With(std::string text, std::string_view delimiter) {
  std::string out;
  for (const char c : text) out += c == '\x02' ? std::string(delimiter) : std::string(1, c);
  return out;
}

TEST_F(CsvDialectsTest, ADelimiterOfSeveralBytesSplitsAsOneOfOneByte) {
  Column("a", "string"), Column("b", "string"), Column("c", "string");
  std::mt19937 random(3);
  const std::string alphabet = "xy|~\"\n\r\x02\x02\x02,";
  for (int round = 0; round < 3000; ++round) {
    std::string text =
        "a\x02"
        "b\x02"
        "c\n";
    for (size_t i = random() % 40; i > 0; --i) text += alphabet[random() % alphabet.size()];
    for (const std::string delimiter : {"<>", "::", "<=>"}) {
      block_bytes_ = 1 + static_cast<int64_t>(random() % 20);
      const Rows several = Read(With(text, delimiter), By(delimiter));
      block_bytes_ = 1 << 20;
      const Rows one = Read(text, By("\x02"));
      ASSERT_EQ(several.error, one.error);
      ASSERT_EQ(several.rows.size(), one.rows.size()) << text;
      for (size_t i = 0; i < one.rows.size(); ++i) {
        EXPECT_EQ(several.rows[i], With(one.rows[i], delimiter));
        EXPECT_EQ(several.raw[i], With(one.raw[i], delimiter));
        EXPECT_EQ(several.places[i].line, one.places[i].line);
      }
      ASSERT_EQ(several.violations.size(), one.violations.size());
      for (size_t i = 0; i < one.violations.size(); ++i) EXPECT_EQ(several.violations[i].rule, one.violations[i].rule);
    }
  }
}

TEST_F(CsvDialectsTest, PartsOfADelimiterAreText) {
  Column("a", "string"), Column("b", "string");
  const Rows got = Read("a|~|b\n1|~2|~|3~|\n\"4\"|~|\"5|~|6\"\n\"7\"|8|~|9\n", By("|~|"));
  EXPECT_EQ(got.rows, (std::vector<std::string>{"1|~2 | 3~|", "4 | 5|~|6", "null | null"}));
  ASSERT_EQ(got.violations.size(), 1u);
  EXPECT_EQ(got.violations[0].rule, "quote");
}

TEST_F(CsvDialectsTest, RecordsReadAloneTakeTheDelimiterToo) {
  Column("a", "string"), Column("b", "string");
  const Rows got = ReadAll(OpenCsvRecords(Request(), By("||"), {"a", "b"}, {"1||2", "3", "", "4||\"5\n6\""}));
  ASSERT_EQ(got.rows.size(), 4u);
  EXPECT_EQ(got.rows[0], "1 | 2");
  EXPECT_EQ(got.rows[3], "4 | 5\n6");
  EXPECT_EQ(got.violations.size(), 2u);
}

TEST(HeaderNames, AreJoinedOverRows) {
  const auto names = [](std::vector<std::vector<std::string>> rows) { return Join(HeaderNames(rows, {}), "|"); };
  EXPECT_EQ(names({{" a ", "b"}}), "a|b");
  EXPECT_EQ(names({{"2024", "", "2025", ""}, {"Q1", "Q2", "Q1", "Q2"}}), "2024 Q1|2024 Q2|2025 Q1|2025 Q2");
  EXPECT_EQ(names({{"id", "Address", "", "note"}, {"", "street", "city", ""}}), "id|Address street|Address city|note");
  EXPECT_EQ(names({{"id", "", "x"}, {"", "amount", ""}}), "id|amount|x");
  EXPECT_EQ(names({{"A", "", ""}, {"B", "", "C"}, {"1", "2", "3"}}), "A B 1|A B 2|A C 3");
  EXPECT_EQ(names({{"a"}, {"x", "y"}}), "a x|a y");
}

TEST(HeaderNames, NamelessFieldsAreNumberedButNotTheLast) {
  const auto names = [](std::vector<std::string> row, bool trailing = false) {
    CsvDialect dialect;
    dialect.trailing_delimiter = trailing;
    return Join(HeaderNames({row}, dialect), "|");
  };
  EXPECT_EQ(names({"", "a", "", "b"}), "column_1|a|column_3|b");
  EXPECT_EQ(names({"a", "b", "", ""}), "a|b||");
  EXPECT_EQ(names({"a", "b"}, true), "a|b|");
  EXPECT_EQ(names({"Column_2", "", "a"}), "Column_2|column_2_|a");
  EXPECT_EQ(Join(HeaderNames({{"", "a"}}, {}, true), "|"), "|a");
}

std::string WithoutLast(const std::string& text, int lines, size_t capacity = 3) {
  auto source = WithoutFooter(BytesOf(text), lines);
  std::string out, piece(capacity, '\0');
  for (;;) {
    const auto n = source->Read(piece.data(), piece.size());
    if (!n || *n == 0) return out;
    out.append(piece, 0, *n);
  }
}

TEST(Footer, LastLinesAreLeftOutBlankOnesNotCounted) {
  EXPECT_EQ(WithoutLast("a\nb\nc\n", 0), "a\nb\nc\n");
  EXPECT_EQ(WithoutLast("a\nb\nc\n", 1), "a\nb\n");
  EXPECT_EQ(WithoutLast("a\nb\nc", 1), "a\nb\n");
  EXPECT_EQ(WithoutLast("a\r\nb\r\nc\r\n\r\n  \r\n", 2), "a\r\n");
  EXPECT_EQ(WithoutLast("a\nb\n\n\nc\n", 2), "a\n");
  EXPECT_EQ(WithoutLast("a\rb\rc", 1), "a\rb\r");
  EXPECT_EQ(WithoutLast("a\n", 2), "");
  EXPECT_EQ(WithoutLast("", 1), "");
}

TEST(Footer, HoldsNoMoreThanAMebibyteBack) {
  const std::string line(3 << 20, 'x');
  EXPECT_EQ(WithoutLast("a\n" + line, 1, 4096).size(), line.size() + 2);  // too long for a footer: given whole
  std::string many;
  for (int i = 0; i < 100000; ++i) many += std::to_string(i) + "\n";
  EXPECT_EQ(WithoutLast(many + "TOTAL\n", 1, 4096), many);
}

}  // namespace
}  // namespace sluice::formats
