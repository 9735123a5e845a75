#include "formats/xlsx_cells.h"

#include <gtest/gtest.h>

namespace sluice::formats {
namespace {

std::string Text(std::string_view raw, CellStyle kind, bool since_1904 = false) {
  return TextOfNumber(raw, {kind, 0}, since_1904).value_or("none");
}

TEST(XlsxCells, NumbersAreTheirShortestSpelling) {
  EXPECT_EQ(Text("19.989999999999998", CellStyle::kNumber), "19.99");
  EXPECT_EQ(Text("0.30000000000000004", CellStyle::kNumber), "0.30000000000000004");
  EXPECT_EQ(Text("1E5", CellStyle::kNumber), "100000");
  EXPECT_EQ(Text("1.5E-3", CellStyle::kNumber), "0.0015");
  EXPECT_EQ(Text("12345678901234567890", CellStyle::kNumber), "12345678901234567890");
  EXPECT_EQ(Text("-0.5", CellStyle::kNumber), "-0.5");
  EXPECT_EQ(Text("x", CellStyle::kNumber), "none");
  EXPECT_EQ(Text("1E999", CellStyle::kNumber), "none");
  EXPECT_EQ(TextOfNumber("123", {CellStyle::kZeros, 5}, false), "00123");
  EXPECT_EQ(TextOfNumber("1.5", {CellStyle::kZeros, 5}, false), "1.5");
}

// The serials of Excel's own help and of both calendars' borders.
TEST(XlsxCells, SerialsAreDatesOfTheirCalendar) {
  EXPECT_EQ(Text("1", CellStyle::kDate), "1900-01-01");
  EXPECT_EQ(Text("59", CellStyle::kDate), "1900-02-28");
  EXPECT_EQ(Text("60", CellStyle::kDate), "none");
  EXPECT_EQ(Text("61", CellStyle::kDate), "1900-03-01");
  EXPECT_EQ(Text("39448", CellStyle::kDate), "2008-01-01");
  EXPECT_EQ(Text("2958465", CellStyle::kDate), "9999-12-31");
  EXPECT_EQ(Text("2958466", CellStyle::kDate), "none");
  EXPECT_EQ(Text("-1", CellStyle::kDate), "none");
  EXPECT_EQ(Text("0", CellStyle::kDate), "none");
  EXPECT_EQ(Text("0", CellStyle::kDate, true), "1904-01-01");
  EXPECT_EQ(Text("37986", CellStyle::kDate, true), "2008-01-01");
  EXPECT_EQ(Text("45322.416666666664", CellStyle::kDateTime), "2024-01-31T10:00:00");
  EXPECT_EQ(Text("45322.99999999999", CellStyle::kDateTime), "2024-02-01T00:00:00");
  EXPECT_EQ(Text("45322.5", CellStyle::kDate), "2024-01-31T12:00:00");
  EXPECT_EQ(Text("0.4375", CellStyle::kTime), "10:30:00");
  EXPECT_EQ(Text("0.00001158", CellStyle::kTime), "00:00:01.001");
  EXPECT_EQ(Text("0.9999999999", CellStyle::kTime), "00:00:00");  // as Excel shows it, and no day of 1900
  EXPECT_EQ(Text("0.9999999999", CellStyle::kTime, true), "00:00:00");
  EXPECT_EQ(Text("0.99999999", CellStyle::kTime), "23:59:59.999");
  EXPECT_EQ(Text("0.9999999999", CellStyle::kDateTime), "1900-01-01T00:00:00");
  EXPECT_EQ(Text("1.5", CellStyle::kDuration), "36:00:00");
}

TEST(XlsxCells, FormatsTellDatesFromNumbers) {
  const auto kind = [](std::string_view code) { return StyleOfCode(code).kind; };
  EXPECT_EQ(kind("General"), CellStyle::kNumber);
  EXPECT_EQ(kind("#,##0.00 \"days\""), CellStyle::kNumber);
  EXPECT_EQ(kind("[Red]0.00;-0.00"), CellStyle::kNumber);
  EXPECT_EQ(kind("0.00_);[Red]\\(0.00\\)"), CellStyle::kNumber);
  EXPECT_EQ(kind("dd/mm/yyyy"), CellStyle::kDate);
  EXPECT_EQ(kind("mmm\\-yy"), CellStyle::kDate);
  EXPECT_EQ(kind("[$-409]d\\-mmm\\-yyyy;@"), CellStyle::kDate);
  EXPECT_EQ(kind("yyyy\\-mm\\-dd\\ hh:mm"), CellStyle::kDateTime);
  EXPECT_EQ(kind("hh:mm AM/PM"), CellStyle::kTime);
  EXPECT_EQ(kind("mm:ss.0"), CellStyle::kTime);
  EXPECT_EQ(kind("[h]:mm"), CellStyle::kDuration);
  EXPECT_EQ(kind("00000"), CellStyle::kZeros);
  EXPECT_EQ(kind("0"), CellStyle::kNumber);
  EXPECT_EQ(kind(std::string(255, '0')), CellStyle::kZeros);
  EXPECT_EQ(kind(std::string(256, '0')), CellStyle::kNumber);
  EXPECT_EQ(StyleOfBuiltIn(14).kind, CellStyle::kDate);
  EXPECT_EQ(StyleOfBuiltIn(22).kind, CellStyle::kDateTime);
  EXPECT_EQ(StyleOfBuiltIn(46).kind, CellStyle::kDuration);
  EXPECT_EQ(StyleOfBuiltIn(11).kind, CellStyle::kNumber);
}

TEST(XlsxCells, ReadsReferencesAndRanges) {
  EXPECT_EQ(ParseReference("A1")->column, 0);
  EXPECT_EQ(ParseReference("AB12")->column, 27);
  EXPECT_EQ(ParseReference("AB12")->row, 12);
  EXPECT_EQ(ParseReference("XFD1")->column, 16383);
  for (const char* text : {"", "1", "A0", "A-1", "A1x", "XFE1", "ZZZZZZZZZZ1"}) EXPECT_FALSE(ParseReference(text)) << text;
  EXPECT_EQ(ColumnLetters(0) + ColumnLetters(25) + ColumnLetters(26) + ColumnLetters(16383), "AZAAXFD");
  EXPECT_EQ(ParseRange("B3:F")->first_row, 3);
  EXPECT_EQ(ParseRange("B3:F")->last_row, 0);
  EXPECT_EQ(ParseRange("B3:F")->last_column, 5);
  EXPECT_EQ(ParseRange("A:C")->first_row, 0);
  for (const char* text : {"", "A1", "A1:", ":B2", "C1:A2", "A9:B2"}) EXPECT_FALSE(ParseRange(text)) << text;
}

TEST(XlsxCells, CharactersThatXmlCannotHold) {
  EXPECT_EQ(WithoutEscapes("a_x000D_b_x000a_c"), "a\rb\nc");
  EXPECT_EQ(WithoutEscapes("_x005F_x000D_"), "_x000D_");
  EXPECT_EQ(WithoutEscapes("a_x_b _x00_ _xZZZZ_"), "a_x_b _x00_ _xZZZZ_");
}

}  // namespace
}  // namespace sluice::formats
