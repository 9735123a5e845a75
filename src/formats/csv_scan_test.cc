#include "formats/csv_scan.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/clock.h"

namespace sluice::formats {
namespace {

struct Scanned {
  RecordIndex index;
  ScanResult result;
  std::string bytes;

  std::string Field(size_t record, uint32_t column) const {
    const size_t begin = column == 0 ? index.starts[record] : index.ends[record * index.fields + column - 1] + 1;
    return bytes.substr(begin, index.ends[record * index.fields + column] - begin);
  }
  std::string RuleOf(size_t record) const {
    for (const BadRecord& bad : index.bad) {
      if (bad.record == record) return bad.rule;
    }
    return "";
  }
};

using Scanner = ScanResult (*)(const char*, size_t, bool, const CsvDialect&, uint32_t, size_t, RecordIndex*);

Scanned Scan(const std::string& text, uint32_t fields, CsvDialect dialect = {}, bool final = true, size_t max = 1 << 20,
             Scanner scanner = ScanRecords) {
  Scanned scanned;
  scanned.bytes = text;
  scanned.bytes.append(64, '\0');
  scanned.result = scanner(scanned.bytes.data(), text.size(), final, dialect, fields, max, &scanned.index);
  return scanned;
}

TEST(CsvScan, FindsFieldsOfPlainAndQuotedRecords) {
  const Scanned s = Scan("1,a\r\n2,\"b,\nc\"\n3,\"say \"\"hi\"\"\"", 2);
  ASSERT_EQ(s.index.size(), 3u);
  EXPECT_TRUE(s.index.bad.empty());
  EXPECT_EQ(s.Field(0, 1), "a");
  EXPECT_EQ(s.Field(1, 1), "\"b,\nc\"");
  EXPECT_EQ(UnquoteField(s.Field(2, 1), {}), "say \"hi\"");
}

TEST(CsvScan, RefusesRaggedRecordsAndKeepsTheRest) {
  const Scanned s = Scan("1,a\n2\n3,c,d\n\n4,e\n", 2);
  ASSERT_EQ(s.index.size(), 4u);
  EXPECT_EQ(s.RuleOf(1), "fields");
  EXPECT_EQ(s.RuleOf(2), "fields");
  EXPECT_EQ(s.Field(3, 1), "e");
}

TEST(CsvScan, AStrayQuoteCostsOneRecord) {
  const Scanned s = Scan("1,\"a\"b\n2,5\" disk\n3,\"ok\"\n", 2);
  ASSERT_EQ(s.index.size(), 3u);
  EXPECT_EQ(s.RuleOf(0), "quote");
  EXPECT_EQ(s.RuleOf(1), "");
  EXPECT_EQ(s.Field(1, 1), "5\" disk");
  EXPECT_EQ(s.RuleOf(2), "");
}

TEST(CsvScan, AnUnclosedQuoteEndsWithItsLine) {
  const Scanned s = Scan("1,\"open\n2,b\n3,\"quoted\"\n4,d\n", 2);
  ASSERT_EQ(s.index.size(), 4u);
  EXPECT_EQ(s.RuleOf(0), "quote");
  for (size_t r : {1, 2, 3}) EXPECT_EQ(s.RuleOf(r), "") << r;
  const Scanned never = Scan("1,\"open\n2,b\n3,c", 2);
  ASSERT_EQ(never.index.size(), 3u);
  EXPECT_EQ(never.RuleOf(0), "quote");
}

TEST(CsvScan, AQuoteBeyondTheLimitIsJudgedThere) {
  const std::string text = "1,\"open\n" + [] {
    std::string lines;
    for (int i = 0; i < 100; ++i) lines += "2,b\n";
    return lines;
  }();
  const Scanned s = Scan(text, 2, {}, false, 64);
  ASSERT_EQ(s.index.size(), 101u);
  EXPECT_EQ(s.RuleOf(0), "quote");
  EXPECT_EQ(s.index.bad.size(), 1u);
}

TEST(CsvScan, AnEndlessLineIsCutNotBuffered) {
  const Scanned s = Scan("1," + std::string(500, 'x'), 2, {}, false, 64);
  ASSERT_EQ(s.index.size(), 1u);
  EXPECT_EQ(s.RuleOf(0), "length");
  EXPECT_TRUE(s.result.discarding);
  EXPECT_EQ(s.result.consumed, 502u);
}

TEST(CsvScan, LeavesWhatIsNotWhole) {
  EXPECT_EQ(Scan("1,a\n2,b", 2, {}, false).result.consumed, 4u);
  EXPECT_EQ(Scan("1,a\r", 2, {}, false).result.consumed, 0u);  // a LF may follow
  EXPECT_EQ(Scan("1,\"a\"", 2, {}, false).result.consumed, 0u);
  EXPECT_EQ(Scan("1,\"a\n", 2, {}, false).result.consumed, 0u);
}

TEST(CsvScan, ReadsOtherDialects) {
  CsvDialect backslash{.delimiter = ';', .quote = '\'', .escape = '\\', .comment = '#'};
  const Scanned s = Scan("#c;o\n'a\\'b;';1\n", 2, backslash);
  ASSERT_EQ(s.index.size(), 1u);
  EXPECT_EQ(UnquoteField(s.Field(0, 0), backslash), "a'b;");
  const Scanned tabs = Scan("a\t\"b\n", 2, {.delimiter = '\t', .quote = '\0'});
  ASSERT_EQ(tabs.index.size(), 1u);
  EXPECT_EQ(tabs.Field(0, 1), "\"b");
}

TEST(CsvScan, OneColumnKeepsEmptyLines) {
  const Scanned s = Scan("a\n\nb\n", 1);
  ASSERT_EQ(s.index.size(), 3u);
  EXPECT_EQ(s.Field(1, 0), "");
}

// Records that mostly are as they should be, with all the dirt that could make the 64-byte steps lose their place.
std::string RandomText(SeededRandom& random) {
  static constexpr std::string_view kPieces[] = {",",
                                                 ",",
                                                 ",",
                                                 "\n",
                                                 "\n",
                                                 "\r\n",
                                                 "\r",
                                                 "\"",
                                                 "\"",
                                                 "\"\"",
                                                 "a",
                                                 "bc",
                                                 "0123456789",
                                                 "\"x\"",
                                                 "\"x,y\"",
                                                 "\"x\ny\"",
                                                 "\"a\"\"b\"",
                                                 "\"\"\"\"",
                                                 "long text without anything in it, but a comma"};
  std::string text;
  const size_t pieces = random.Next() % 120;
  const uint64_t dirt = random.Next() % 3;
  for (size_t i = 0; i < pieces; ++i) {
    if (dirt == 0 || random.Next() % 4 != 0) {
      text += "abc" + std::to_string(random.Next() % 1000) + (random.Next() % 3 == 2 ? "\n" : ",");
      if (dirt == 0) continue;
    }
    text += kPieces[random.Next() % std::size(kPieces)];
  }
  return text;
}

TEST(CsvScan, StepsAgreeWithTheByteByByteScannerOnRandomDirt) {
  SeededRandom random(3);
  for (int i = 0; i < 60000; ++i) {
    const std::string text = RandomText(random);
    const uint32_t fields = 2 + random.Next() % 3;
    const bool final = random.Next() % 2 == 0;
    const size_t max = random.Next() % 4 == 0 ? 40 : 1 << 20;
    const Scanned fast = Scan(text, fields, {}, final, max, ScanRecords), slow = Scan(text, fields, {}, final, max, ScanRecordsSlowly);
    ASSERT_EQ(fast.result.consumed, slow.result.consumed) << text << "\nfields " << fields << " final " << final << " max " << max;
    ASSERT_EQ(fast.result.discarding, slow.result.discarding) << text;
    ASSERT_EQ(fast.index.starts, slow.index.starts) << text << "\nfields " << fields;
    ASSERT_EQ(fast.index.ends, slow.index.ends) << text;
    ASSERT_EQ(fast.index.bad.size(), slow.index.bad.size()) << text;
    for (size_t b = 0; b < fast.index.bad.size(); ++b) {
      ASSERT_EQ(fast.index.bad[b].record, slow.index.bad[b].record) << text;
      ASSERT_EQ(fast.index.bad[b].end, slow.index.bad[b].end) << text;
      ASSERT_STREQ(fast.index.bad[b].rule, slow.index.bad[b].rule) << text;
    }
  }
}

TEST(CsvScan, CuttingTheInputAnywhereChangesNothing) {
  SeededRandom random(4);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = RandomText(random);
    if (text.empty()) continue;
    const Scanned whole = Scan(text, 3);
    const size_t cut = random.Next() % text.size();
    const Scanned first = Scan(text.substr(0, cut), 3, {}, false);
    const Scanned rest = Scan(text.substr(first.result.consumed), 3);
    ASSERT_EQ(whole.index.size(), first.index.size() + rest.index.size()) << text << "\ncut at " << cut;
    for (size_t r = 0; r < rest.index.size(); ++r) {
      ASSERT_EQ(whole.index.starts[first.index.size() + r], first.result.consumed + rest.index.starts[r]) << text;
    }
  }
}

}  // namespace
}  // namespace sluice::formats
