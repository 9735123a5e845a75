#include "contract/decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "contract/text_decoder.h"
#include "core/clock.h"
#include "core/time.h"

namespace sluice::contract {
namespace {

// The slow, obviously right reading of an integer: digit by digit in 128 bits.
Decoded SlowInteger(std::string text, int64_t min, int64_t max, int64_t* out) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.erase(0, 1);
  }
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return Decoded::kSyntax;
  text.erase(0, std::min(text.find_first_not_of('0'), text.size()));
  if (text.size() > 30) return Decoded::kRange;
  Int128 value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  if (negative) value = -value;
  if (value < min || value > max) return Decoded::kRange;
  *out = static_cast<int64_t>(value);
  return Decoded::kOk;
}

// A decimal by moving the point in the text: pad with zeros or take zeros away, then read what is left as an integer.
Decoded SlowDecimal(std::string text, int precision, int scale, Int128* out) {
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.erase(0, 1);
  std::string whole = text, fraction;
  if (const size_t point = text.find('.'); point != std::string::npos) {
    whole = text.substr(0, point);
    fraction = text.substr(point + 1);
  }
  if (whole.empty() && fraction.empty()) return Decoded::kSyntax;
  if ((whole + fraction).find_first_not_of("0123456789") != std::string::npos) return Decoded::kSyntax;
  bool inexact = false;
  while (static_cast<int>(fraction.size()) > scale) {
    inexact |= fraction.back() != '0';
    fraction.pop_back();
  }
  while (static_cast<int>(fraction.size()) < scale) fraction += '0';
  std::string digits = whole + fraction;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  const bool range = static_cast<int>(digits.size()) > precision;
  if (inexact || range) return inexact && !range ? Decoded::kInexact : Decoded::kRange;
  Int128 value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  *out = negative ? -value : value;
  return Decoded::kOk;
}

std::string RandomNumberText(SeededRandom& random) {
  static constexpr std::string_view kUsual = "0123456789", kOdd = "0123456789.-+ eE,x_";
  std::string text;
  if (random.Next() % 3 == 0) text += random.Next() % 2 == 0 ? '-' : '+';
  const size_t whole = random.Next() % 24;
  for (size_t i = 0; i < whole; ++i) text += kUsual[random.Next() % (random.Next() % 4 == 0 ? 1 : 10)];
  if (random.Next() % 2 == 0) {
    text += '.';
    const size_t places = random.Next() % 8;
    for (size_t i = 0; i < places; ++i) text += kUsual[random.Next() % (random.Next() % 2 == 0 ? 1 : 10)];
  }
  if (random.Next() % 8 == 0 && !text.empty()) text[random.Next() % text.size()] = kOdd[random.Next() % kOdd.size()];
  return text;
}

TEST(DecodeInteger, AgreesWithTheSlowReadingOnRandomTexts) {
  SeededRandom random(1);
  for (int i = 0; i < 200000; ++i) {
    const std::string text = RandomNumberText(random);
    for (const TypeKind kind : {TypeKind::kTinyint, TypeKind::kSmallint, TypeKind::kInteger, TypeKind::kBigint}) {
      const IntegerRange range = RangeOf(kind);
      int64_t fast = 0, slow = 0;
      ASSERT_EQ(DecodeInteger(text, range.min, range.max, &fast), SlowInteger(text, range.min, range.max, &slow)) << text;
      ASSERT_EQ(fast, slow) << text;
    }
  }
}

TEST(DecodeInteger, KnowsTheBordersOfEachType) {
  int64_t value = 0;
  EXPECT_EQ(DecodeInteger("9223372036854775807", INT64_MIN, INT64_MAX, &value), Decoded::kOk);
  EXPECT_EQ(value, INT64_MAX);
  EXPECT_EQ(DecodeInteger("-9223372036854775808", INT64_MIN, INT64_MAX, &value), Decoded::kOk);
  EXPECT_EQ(value, INT64_MIN);
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999999"}) {
    EXPECT_EQ(DecodeInteger(text, INT64_MIN, INT64_MAX, &value), Decoded::kRange) << text;
  }
  EXPECT_EQ(DecodeInteger("128", -128, 127, &value), Decoded::kRange);
  EXPECT_EQ(DecodeInteger("-128", -128, 127, &value), Decoded::kOk);
}

TEST(DecodeInteger, RefusesWhatIsNoPlainInteger) {
  int64_t value = 7;
  for (const char* text : {"", "-", "+", "1e3", "1.0", " 1", "1 ", "0x10", "1,000", "--1", "٣"}) {
    EXPECT_EQ(DecodeInteger(text, INT64_MIN, INT64_MAX, &value), Decoded::kSyntax) << text;
  }
  EXPECT_EQ(value, 7);
}

TEST(DecodeDecimal, AgreesWithTheSlowReadingOnRandomTexts) {
  SeededRandom random(2);
  const std::pair<int, int> shapes[] = {{12, 2}, {38, 0}, {38, 38}, {1, 0}, {1, 1}, {18, 6}, {20, 19}, {38, 20}};
  for (int i = 0; i < 100000; ++i) {
    const std::string text = RandomNumberText(random);
    for (const auto& [precision, scale] : shapes) {
      Int128 fast = 0, slow = 0;
      const Decoded got = DecodeDecimal(text, precision, scale, &fast), want = SlowDecimal(text, precision, scale, &slow);
      // Of a text that is both too large and too fine either may be said.
      ASSERT_EQ(got == Decoded::kOk, want == Decoded::kOk) << text << " as decimal(" << precision << "," << scale << ")";
      ASSERT_EQ(got == Decoded::kSyntax, want == Decoded::kSyntax) << text;
      ASSERT_TRUE(fast == slow) << text << " as decimal(" << precision << "," << scale << ")";
    }
  }
}

TEST(DecodeDecimal, NeverRounds) {
  Int128 value = 0;
  EXPECT_EQ(DecodeDecimal("1.005", 12, 2, &value), Decoded::kInexact);
  EXPECT_EQ(DecodeDecimal("1.500", 12, 2, &value), Decoded::kOk);
  EXPECT_TRUE(value == 150);
  EXPECT_EQ(DecodeDecimal("10000000000", 12, 2, &value), Decoded::kRange);
  EXPECT_EQ(DecodeDecimal("-9999999999.99", 12, 2, &value), Decoded::kOk);
  EXPECT_EQ(DecodeDecimal("99999999999999999999999999999999999999", 38, 0, &value), Decoded::kOk);
  EXPECT_EQ(FormatDecimal(value, 0), "99999999999999999999999999999999999999");
  EXPECT_EQ(DecodeDecimal("100000000000000000000000000000000000000", 38, 0, &value), Decoded::kRange);
  for (const char* text : {"", ".", "-", "1e2", "1,5", "$5", "1.2.3", "1 "})
    EXPECT_EQ(DecodeDecimal(text, 12, 2, &value), Decoded::kSyntax) << text;
}

TEST(DecodeDecimal, IsWrittenBackAsRead) {
  for (const auto& [text, scale] : {std::pair{"0.00", 2}, {"-0.05", 2}, {"12.30", 2}, {"7", 0}, {"-1234567890123456789012.345678", 6}}) {
    Int128 value = 0;
    ASSERT_EQ(DecodeDecimal(text, 38, scale, &value), Decoded::kOk);
    EXPECT_EQ(FormatDecimal(value, scale), text);
  }
}

TEST(DecodeDouble, TakesNumbersAndNothingElse) {
  double value = 0;
  EXPECT_EQ(DecodeDouble("-1.5e-3", &value), Decoded::kOk);
  EXPECT_EQ(value, -1.5e-3);
  EXPECT_EQ(DecodeDouble("NaN", &value), Decoded::kOk);
  EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(DecodeDouble("-Infinity", &value), Decoded::kOk);
  EXPECT_TRUE(std::isinf(value) && value < 0);
  EXPECT_EQ(DecodeDouble("1e999", &value), Decoded::kRange);
  for (const char* text : {"", "e5", "1e", "0x1p3", "1.2.3", "1,5", "+-1", "infinit", "."})
    EXPECT_EQ(DecodeDouble(text, &value), Decoded::kSyntax) << text;
}

TEST(DecodeIsoDate, AgreesWithTheCalendarOnEveryDay) {
  for (int32_t day = DaysFromCivil(1, 1, 1); day <= DaysFromCivil(9999, 12, 31); day += 13) {
    int32_t got = 0;
    ASSERT_EQ(DecodeIsoDate(FormatDate(day), &got), Decoded::kOk) << FormatDate(day);
    ASSERT_EQ(got, day);
  }
}

TEST(DecodeIsoDate, RefusesDaysThatAreNotThere) {
  int32_t day = 0;
  for (const char* text : {"2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "2024-01-00", "0000-01-01"}) {
    EXPECT_EQ(DecodeIsoDate(text, &day), Decoded::kNoSuchDay) << text;
  }
  for (const char* text : {"24-01-01", "2024-1-1", "2024/01/01", "2024-01-01 ", "20240101", "2024-01-1x", "", "x024-01-01"}) {
    EXPECT_EQ(DecodeIsoDate(text, &day), Decoded::kSyntax) << text;
  }
  EXPECT_EQ(DecodeIsoDate("2024-02-29", &day), Decoded::kOk);
}

Result<TextDecoder> TimestampDecoder(const std::vector<std::string>& formats, std::string_view zone, TypeKind kind = TypeKind::kTimestamp) {
  return TextDecoder::Make(DataType::Of(kind), formats, zone, {});
}

int64_t Micros(const char* rfc3339) { return ParseInstant(rfc3339)->micros; }

TEST(DecodeTimestamp, NeedsAZoneForAnInstant) {
  const auto none = TimestampDecoder({}, ""), berlin = TimestampDecoder({}, "Europe/Berlin");
  ASSERT_TRUE(none && berlin);
  int64_t micros = 0;
  EXPECT_EQ(none->Timestamp("2024-06-01T12:00:00", &micros), Decoded::kNoZone);
  EXPECT_EQ(none->Timestamp("2024-06-01 12:00:00.25+0530", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2024-06-01T06:30:00.25Z"));
  EXPECT_EQ(berlin->Timestamp("2024-06-01 12:00:00", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2024-06-01T10:00:00Z"));
  EXPECT_EQ(berlin->Timestamp("2024-12-01 12:00", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2024-12-01T11:00:00Z"));
  EXPECT_EQ(berlin->Timestamp("2024-06-01 12:00:00Z", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2024-06-01T12:00:00Z"));
}

TEST(DecodeTimestamp, KnowsWhenClocksChange) {
  const auto berlin = TimestampDecoder({}, "Europe/Berlin");
  ASSERT_TRUE(berlin);
  int64_t micros = 0;
  EXPECT_EQ(berlin->Timestamp("2024-03-31 02:30:00", &micros), Decoded::kNoSuchTime);
  EXPECT_EQ(berlin->Timestamp("2024-10-27 02:30:00", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2024-10-27T00:30:00Z"));  // the earlier of the two
  EXPECT_EQ(berlin->Timestamp("2024-10-27 03:00:00", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2024-10-27T02:00:00Z"));
  EXPECT_EQ(berlin->Timestamp("2300-07-01 12:00:00", &micros), Decoded::kOk);  // beyond the table of changes: by its rule
  EXPECT_EQ(micros, Micros("2300-07-01T10:00:00Z"));
  EXPECT_FALSE(TimestampDecoder({}, "Europe/Atlantis"));
}

TEST(DecodeTimestamp, AWallClockHasNoZone) {
  const auto wall = TimestampDecoder({}, "", TypeKind::kTimestampNtz);
  ASSERT_TRUE(wall);
  int64_t micros = 0;
  EXPECT_EQ(wall->Timestamp("2024-06-01T12:00:00", &micros), Decoded::kOk);
  EXPECT_EQ(wall->Timestamp("2024-06-01T12:00:00Z", &micros), Decoded::kHasZone);
  EXPECT_EQ(wall->Timestamp("2024-06-01T12:00:00.1234567", &micros), Decoded::kInexact);
  EXPECT_EQ(wall->Timestamp("2024-06-01T12:00:00.1234560", &micros), Decoded::kOk);
  for (const char* text :
       {"2024-06-01T24:00:00", "2024-06-01T12:60:00", "2024-06-01T12:00:60", "2024-06-01T12", "2024-06-01T12:00:00.", "12:00:00"}) {
    EXPECT_EQ(wall->Timestamp(text, &micros), Decoded::kSyntax) << text;
  }
}

TEST(TimeFormat, ReadsWhatStrptimeWould) {
  const auto shop = TimestampDecoder({"%m/%d/%Y %H:%M"}, "UTC");
  ASSERT_TRUE(shop);
  int64_t micros = 0;
  EXPECT_EQ(shop->Timestamp("12/1/2010 10:03", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2010-12-01T10:03:00Z"));
  EXPECT_EQ(shop->Timestamp("2/30/2010 10:03", &micros), Decoded::kNoSuchDay);
  EXPECT_EQ(shop->Timestamp("12/1/10 10:03", &micros), Decoded::kSyntax);
  EXPECT_EQ(shop->Timestamp("12/1/2010 10:03 ", &micros), Decoded::kSyntax);
  const auto words = TimestampDecoder({"%A, %d %B %Y %I:%M:%S.%f %p %z", "%s"}, "");
  ASSERT_TRUE(words);
  EXPECT_EQ(words->Timestamp("Sunday, 02 June 2024 12:30:05.5 AM +02:00", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2024-06-01T22:30:05.5Z"));
  EXPECT_EQ(words->Timestamp("Monday, 02 June 2024 12:30:05.5 AM +02:00", &micros), Decoded::kNoSuchDay);
  EXPECT_EQ(words->Timestamp("1717286400", &micros), Decoded::kOk);
  EXPECT_EQ(micros, Micros("2024-06-02T00:00:00Z"));
}

TEST(TimeFormat, RefusesWhatCannotBeSure) {
  for (const char* format : {"%d/%m/%y", "%D", "%Y-%m", "%H:%M", "yyyy-MM-dd", "%Y-%m-%d %Q", "%Y-%m-%d %I:%M", "%Y-%m-%d%"}) {
    const auto compiled = TimeFormat::Compile(format);
    ASSERT_FALSE(compiled) << format;
    EXPECT_EQ(compiled.error().code, "bad-format");
  }
}

TEST(TextDecoder, ADateLosesNoTimeOfDay) {
  const auto dates = TextDecoder::Make(DataType::Of(TypeKind::kDate), {"%d.%m.%Y", "%Y-%m-%d %H:%M:%S"}, "", {});
  ASSERT_TRUE(dates);
  int32_t days = 0;
  EXPECT_EQ(dates->Date("31.12.2023", &days), Decoded::kOk);
  EXPECT_EQ(FormatDate(days), "2023-12-31");
  EXPECT_EQ(dates->Date("2023-12-31 00:00:00", &days), Decoded::kOk);
  EXPECT_EQ(dates->Date("2023-12-31 00:00:01", &days), Decoded::kInexact);
}

}  // namespace
}  // namespace sluice::contract
