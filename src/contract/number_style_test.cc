#include "contract/number_style.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <random>
#include <regex>

#include "contract/decode_column.h"

namespace sluice::contract {
namespace {

std::string Plain(const NumberStyle& style, std::string_view text) {
  std::string plain;
  return PlainNumber(style, text, &plain) == Decoded::kOk ? plain : "no";
}

const NumberStyle kGerman{",", "."}, kEnglish{".", ","}, kFrench{",", " "}, kSwiss{".", "'"}, kComma{",", ""};

TEST(NumberStyle, BringsNumbersToTheirPlainForm) {
  EXPECT_EQ(Plain(kGerman, "1.234.567,89"), "1234567.89");
  EXPECT_EQ(Plain(kGerman, "-1234,5"), "-1234.5");
  EXPECT_EQ(Plain(kGerman, "+,5"), "+.5");
  EXPECT_EQ(Plain(kGerman, "12"), "12");
  EXPECT_EQ(Plain(kEnglish, "1,234.50"), "1234.50");
  EXPECT_EQ(Plain(kFrench, "1 234,5"), "1234.5");
  EXPECT_EQ(Plain(kFrench,
                  "1\xc2\xa0"
                  "234\xe2\x80\xaf"
                  "567"),
            "1234567");
  EXPECT_EQ(Plain(kSwiss, "1'234'567.8"), "1234567.8");
  EXPECT_EQ(Plain(kSwiss,
                  "1\xe2\x80\x99"
                  "234"),
            "1234");
  EXPECT_EQ(Plain(kComma, "1,5e-3"), "1.5e-3");
  EXPECT_EQ(Plain(kGerman, "NaN"), "NaN");
}

TEST(NumberStyle, RefusesMisplacedSeparators) {
  for (const char* text :
       {"1.23",   "12.34,5", "1234.567", ".123",  "1..234", "1.234.", "0.123",   "00.123",  "1,234.5", "1,2,3", "1,234,567", "1 234",
        "1.2345", "1,5 ",    " 1,5",     "1,5.0", "--1",    "1-",     "1,5e1.0", "1,5e1,0", "€1",      "(1,5)", "1.234e3",   "1.234,5E3"})
    EXPECT_EQ(Plain(kGerman, text), "no") << text;
  EXPECT_EQ(Plain(kComma, "1.5"), "no");
  EXPECT_EQ(Plain(kComma, "1.234,5"), "no");
}

// Against a regular expression that says the same.
TEST(NumberStyle, AgreesWithItsGrammar) {
  const std::regex grammar("[+-]?(([1-9][0-9]{0,2}(\\.[0-9]{3})+|[0-9]+)(,[0-9]*)?|,[0-9]+)");
  std::mt19937 random(11);
  for (int round = 0; round < 200000; ++round) {
    std::string text;
    for (size_t i = 1 + random() % 9; i > 0; --i) text += "0123456789.,-."[random() % 14];
    if (text.find_first_of("0123456789") == std::string::npos) continue;
    const std::string plain = Plain(kGerman, text);
    Int128 value = 0;
    const bool is_number = plain != "no" && DecodeDecimal(plain, 38, 9, &value) == Decoded::kOk;
    EXPECT_EQ(is_number, std::regex_match(text, grammar)) << text;
  }
}

TEST(NumberStyle, AColumnKeepsTheTextOfWhatIsNone) {
  Contract contract;
  contract.numbers = {",", "."};
  ColumnContract column;
  column.name = "a";
  column.type = DataType::Decimal(6, 2);
  const auto decoder = TextDecoder::ForColumn(column, contract);
  ASSERT_TRUE(decoder);
  const std::vector<std::string_view> fields = {"1.234,5", {}, "1.23", "99.999,00", "1,234"};
  std::vector<Violation> violations;
  const auto array = DecodeColumn(*decoder, "a", fields, &violations);
  ASSERT_TRUE(array);
  EXPECT_EQ((*(*array)->GetScalar(0))->ToString(), "1234.50");
  EXPECT_EQ((*array)->null_count(), 4);
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_EQ(violations[0].value + ": " + violations[0].message, "1.23: not a number written as 1.234,56");
  EXPECT_EQ(violations[1].value + ": " + violations[1].message, "99.999,00: out of range for decimal(6,2)");
  EXPECT_EQ(violations[2].value + ": " + violations[2].message, "1,234: more than 2 decimal places");
  column.numbers.decimal = ".";
  column.numbers.thousands = "";
  EXPECT_TRUE(TextDecoder::ForColumn(column, contract)->style().plain());
}

}  // namespace
}  // namespace sluice::contract
