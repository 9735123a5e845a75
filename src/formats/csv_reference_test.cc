// The reader of CSV against a reference that takes the whole text at once, character by character, with regular expressions for the
// types: on random dirt, and over blocks of every size.
#include <arrow/api.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <regex>

#include "contract/decode.h"
#include "contract/type.h"
#include "core/clock.h"
#include "formats/csv.h"

namespace sluice::formats {
namespace {

// What is said of one record: its place, its raw text, and its values, or the rules that it breaks.
struct Judged {
  int64_t line = 0;
  size_t offset = 0;
  std::string raw;
  std::vector<std::string> cells;   // "NULL" and "=text"
  std::vector<std::string> broken;  // "column:rule"
  bool operator==(const Judged&) const = default;
};

void PrintTo(const Judged& judged, std::ostream* out) {
  *out << fmt::format("line {} offset {} [{}] cells [{}] broken [{}]", judged.line, judged.offset, judged.raw, fmt::join(judged.cells, "|"),
                      fmt::join(judged.broken, " "));
}

// --- the reference ---

struct Cell {
  std::string text;
  bool quoted = false;
};

bool IsLineEnd(char c) { return c == '\n' || c == '\r'; }

size_t AfterTerminator(const std::string& text, size_t at) {
  if (text.compare(at, 2, "\r\n") == 0) return at + 2;
  return std::min(at + 1, text.size());
}

int64_t LinesBefore(const std::string& text, size_t at) {
  int64_t lines = 0;
  for (size_t i = 0; i < at;) {
    if (!IsLineEnd(text[i])) {
      ++i;
      continue;
    }
    ++lines;
    i = AfterTerminator(text, i);
  }
  return lines;
}

size_t LineEndFrom(const std::string& text, size_t at) { return std::min(text.find_first_of("\r\n", at), text.size()); }

// A quoted field: where its closing quote stands, and its text without quotes and escapes. nullopt: it is never closed.
std::optional<size_t> CloseQuote(const std::string& text, size_t open, const CsvDialect& dialect, std::string* content) {
  for (size_t i = open + 1; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const bool has_next = i + 1 < text.size();
    if (dialect.escape == dialect.quote && text[i] == dialect.quote && has_next && next == dialect.quote) {
      *content += text[i++];
    } else if (dialect.escape != dialect.quote && text[i] == dialect.escape) {
      if (!has_next) return std::nullopt;
      if (next != dialect.quote && next != dialect.escape) *content += text[i];
      *content += text[++i];
    } else if (text[i] == dialect.quote) {
      return i;
    } else {
      *content += text[i];
    }
  }
  return std::nullopt;
}

struct Split {
  std::vector<Cell> cells;
  bool stray_quote = false;
  size_t end = 0;  // of the record's text
};

Split SplitRecord(const std::string& text, size_t at, const CsvDialect& dialect) {
  Split split;
  const auto ends_field = [&](size_t i) { return i >= text.size() || text[i] == dialect.delimiter || IsLineEnd(text[i]); };
  for (;;) {
    Cell cell;
    size_t end = at;
    if (dialect.quote != '\0' && at < text.size() && text[at] == dialect.quote) {
      cell.quoted = true;
      const auto close = CloseQuote(text, at, dialect, &cell.text);
      const bool over_line = close && LineEndFrom(text, at) < *close;
      if (!close || (over_line && !ends_field(*close + 1))) return {{}, true, LineEndFrom(text, at)};
      split.stray_quote |= !ends_field(*close + 1);
      end = *close + 1;
    }
    while (!ends_field(end)) ++end;
    if (!cell.quoted) cell.text = text.substr(at, end - at);
    split.cells.push_back(std::move(cell));
    split.end = end;
    if (end >= text.size() || text[end] != dialect.delimiter) return split;
    at = end + 1;
  }
}

std::string Stripped(std::string digits) { return digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size())); }

std::optional<std::string> ReferenceInteger(const std::string& text) {
  static const std::regex form("([+-]?)([0-9]+)");
  std::smatch match;
  if (!std::regex_match(text, match, form)) return std::nullopt;
  const std::string digits = Stripped(match[2]);
  const bool negative = match[1] == "-" && !digits.empty();
  const std::string limit = negative ? "9223372036854775808" : "9223372036854775807";
  if (digits.size() > limit.size() || (digits.size() == limit.size() && digits > limit)) return std::nullopt;
  return (negative ? "-" : "") + (digits.empty() ? "0" : digits);
}

std::optional<std::string> ReferenceDecimal(const std::string& text, size_t precision, size_t scale) {
  static const std::regex form(R"(([+-]?)(([0-9]*)(\.([0-9]*))?))");
  std::smatch match;
  if (!std::regex_match(text, match, form) || match[3].length() + match[5].length() == 0) return std::nullopt;
  const std::string whole = Stripped(match[3]);
  std::string fraction = match[5];
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  if (whole.size() > precision - scale || fraction.size() > scale) return std::nullopt;
  const bool negative = match[1] == "-" && !(whole + fraction).empty();
  fraction.resize(scale, '0');
  return (negative ? "-" : "") + (whole.empty() ? "0" : whole) + "." + fraction;
}

std::optional<std::chrono::sys_days> ReferenceDay(const std::string& year, const std::string& month, const std::string& day) {
  const std::chrono::year_month_day date(std::chrono::year(std::stoi(year)), std::chrono::month(static_cast<unsigned>(std::stoi(month))),
                                         std::chrono::day(static_cast<unsigned>(std::stoi(day))));
  if (!date.ok() || std::stoi(year) == 0) return std::nullopt;
  return std::chrono::sys_days(date);
}

std::optional<std::string> ReferenceDate(const std::string& text) {
  static const std::regex form("([0-9]{4})-([0-9]{2})-([0-9]{2})");
  std::smatch match;
  if (!std::regex_match(text, match, form) || !ReferenceDay(match[1], match[2], match[3])) return std::nullopt;
  return text;
}

// Microseconds since 1970; a text without a zone is UTC.
std::optional<std::string> ReferenceTimestamp(const std::string& text) {
  static const std::regex form(
      R"(([0-9]{4})-([0-9]{2})-([0-9]{2})([Tt ]([01][0-9]|2[0-3]):([0-5][0-9])(:([0-5][0-9])(\.([0-9]{1,9}))?)?([Zz]|([+-])([0-9]{2})(:?([0-5][0-9]))?)?)?)");
  std::smatch match;
  if (!std::regex_match(text, match, form)) return std::nullopt;
  const auto day = ReferenceDay(match[1], match[2], match[3]);
  if (!day) return std::nullopt;
  const auto number = [&](int group) { return match[group].length() == 0 ? 0LL : std::stoll(match[group]); };
  std::string fraction = match[10];
  if (fraction.find_first_not_of('0', 6) != std::string::npos && fraction.size() > 6) return std::nullopt;
  fraction.resize(6, '0');
  const int64_t offset = number(13) * 3600 + number(15) * 60;
  if (offset > 18 * 3600) return std::nullopt;
  const int64_t seconds =
      day->time_since_epoch().count() * 86400LL + number(5) * 3600 + number(6) * 60 + number(8) + (match[12] == "+" ? -offset : offset);
  return std::to_string(seconds * 1000000 + std::stoll(fraction));
}

std::optional<std::string> ReferenceValue(const std::string& text, const contract::DataType& type) {
  switch (type.kind) {
    case contract::TypeKind::kBigint:
      return ReferenceInteger(text);
    case contract::TypeKind::kDecimal:
      return ReferenceDecimal(text, static_cast<size_t>(type.precision), static_cast<size_t>(type.scale));
    case contract::TypeKind::kDate:
      return ReferenceDate(text);
    case contract::TypeKind::kTimestamp:
      return ReferenceTimestamp(text);
    default:
      return text;
  }
}

void JudgeCells(const std::vector<Cell>& cells, const contract::Contract& contract, Judged* judged) {
  for (size_t i = 0; i < cells.size(); ++i) {
    const contract::DataType& type = contract.columns[i].type;
    const bool is_text = type.kind == contract::TypeKind::kString;
    judged->cells.emplace_back("NULL");
    if (cells[i].text.empty() && !(cells[i].quoted && is_text)) continue;
    const auto value = ReferenceValue(cells[i].text, type);
    if (value)
      judged->cells.back() = "=" + *value;
    else
      judged->broken.push_back(contract.columns[i].name + ":type");
  }
}

// No text of these tests holds a byte beyond ASCII but a lone 0xff.
bool IsBadText(const std::string& raw) { return raw.find('\xff') != std::string::npos || raw.find('\0') != std::string::npos; }

std::vector<Judged> Reference(const std::string& text, const CsvDialect& dialect, const contract::Contract& contract) {
  std::vector<Judged> records;
  for (size_t at = AfterTerminator(text, LineEndFrom(text, 0)); at < text.size();) {  // behind the header
    if (dialect.comment != '\0' && text[at] == dialect.comment) {
      at = AfterTerminator(text, LineEndFrom(text, at));
      continue;
    }
    const Split split = SplitRecord(text, at, dialect);
    Judged judged{1 + LinesBefore(text, at), at, text.substr(at, split.end - at), {}, {}};
    at = AfterTerminator(text, split.end);
    const size_t wanted = contract.columns.size();
    if (judged.raw.empty() && wanted > 1) continue;
    if (IsBadText(judged.raw))
      judged.broken = {":encoding"};
    else if (split.stray_quote)
      judged.broken = {":quote"};
    else if (split.cells.size() != wanted)
      judged.broken = {":fields"};
    if (judged.broken.empty())
      JudgeCells(split.cells, contract, &judged);
    else
      judged.cells.assign(wanted, "NULL");
    records.push_back(std::move(judged));
  }
  return records;
}

// --- the reader ---

std::string Shown(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "NULL";
  if (array.type_id() == arrow::Type::TIMESTAMP) return "=" + std::to_string(static_cast<const arrow::TimestampArray&>(array).Value(row));
  if (array.type_id() == arrow::Type::DECIMAL128) {  // Arrow would print 0E-10
    contract::Int128 unscaled = 0;
    std::memcpy(&unscaled, static_cast<const arrow::Decimal128Array&>(array).GetValue(row), sizeof(unscaled));
    return "=" + contract::FormatDecimal(unscaled, static_cast<const arrow::Decimal128Type&>(*array.type()).scale());
  }
  return "=" + (*array.GetScalar(row))->ToString();
}

void Collect(const DecodedBatch& batch, std::vector<Judged>* records) {
  const size_t before = records->size();
  EXPECT_EQ(batch.first_row, static_cast<int64_t>(before) + 1);
  for (int64_t row = 0; row < batch.rows->num_rows(); ++row) {
    const RecordPlace place = batch.place(row);
    EXPECT_EQ(place.row, static_cast<int64_t>(records->size()) + 1);
    Judged judged{place.line, static_cast<size_t>(place.offset), batch.raw(row), {}, {}};
    for (const auto& column : batch.rows->columns()) judged.cells.push_back(Shown(*column, row));
    records->push_back(std::move(judged));
  }
  for (const contract::Violation& v : batch.violations)
    (*records)[before + static_cast<size_t>(v.row)].broken.push_back(v.column + ":" + v.rule);
}

std::vector<Judged> Read(const std::string& text, const CsvDialect& dialect, const contract::Contract& contract, int64_t block_bytes,
                         int64_t max_record_bytes = 64 << 20) {
  FixedClock clock{Instant{1}};
  const auto store = store::NewMemoryStore(clock);
  EXPECT_TRUE(store->Put("f.csv", text));
  ReadRequest request{store.get(), "f.csv", Compression::kNone, &contract, {}};
  request.block_bytes = block_bytes;
  request.max_record_bytes = max_record_bytes;
  std::vector<Judged> records;
  auto reader = OpenCsv(request, dialect);
  EXPECT_TRUE(reader) << (reader ? "" : reader.error().ToString());
  while (reader) {
    auto block = (*reader)->Next();
    EXPECT_TRUE(block) << (block ? "" : block.error().ToString());
    if (!block || *block == nullptr) return records;
    auto batch = (*block)->Decode();
    EXPECT_TRUE(batch) << (batch ? "" : batch.error().ToString());
    if (!batch) return records;
    Collect(*batch, &records);
  }
  return records;
}

// --- the dirt ---

const std::vector<CsvDialect>& Dialects() {
  static const std::vector<CsvDialect> dialects = {
      {},
      {.delimiter = ';', .quote = '\''},
      {.delimiter = '\t', .quote = '\0'},
      {.delimiter = ',', .quote = '"', .escape = '\\'},
      {.delimiter = '|', .quote = '"', .escape = '"', .comment = '#'},
      {.delimiter = ',', .quote = '\'', .escape = '\\', .comment = '#'},
  };
  return dialects;
}

contract::Contract ContractOf(size_t columns) {
  static const char* const kTypes[] = {"bigint", "decimal(12,2)", "string", "date", "timestamp", "decimal(38,10)"};
  contract::Contract contract;
  contract.zone = "UTC";
  for (size_t i = 0; i < columns; ++i) {
    contract.columns.emplace_back();
    contract.columns.back().name = fmt::format("c{}", i);
    contract.columns.back().type = *contract::ParseType(kTypes[columns == 1 ? 2 : i]);
  }
  return contract;
}

class Dirt {
 public:
  Dirt(uint64_t seed, const CsvDialect& dialect) : random_(seed), dialect_(dialect) {}

  std::string File(size_t columns) {
    std::string text;
    for (size_t i = 0; i < columns; ++i) text += fmt::format("{}c{}", i == 0 ? "" : std::string(1, dialect_.delimiter), i);
    text += Pick({"\n", "\r\n", "\r"});
    const std::string newline = Pick({"\n", "\n", "\r\n", "\r"});
    const uint64_t dirty = Below(3), records = Below(12);
    for (uint64_t r = 0; r < records; ++r) {
      for (size_t c = 0; c < columns; ++c) text += (c == 0 ? "" : std::string(1, dialect_.delimiter)) + Field(c, dirty);
      text += dirty > 0 && Below(6) == 0 ? Scrap() : newline;
    }
    if (Below(2) == 0) text += Scrap();
    return text;
  }

 private:
  uint64_t Below(uint64_t n) { return random_.Next() % n; }
  std::string Pick(const std::vector<std::string>& of) { return of[Below(of.size())]; }
  std::string Digits(uint64_t most) {
    std::string digits;
    for (uint64_t i = 0, n = Below(most + 1); i < n; ++i) digits += static_cast<char>('0' + Below(10));
    return digits;
  }

  std::string Value(size_t column) {
    switch (column) {
      case 0:
        return Pick({"0", "-0", "+7", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "00000000000000000000001",
                     "99999999999999999999999", "1e3", "1.0", "-", "", Digits(20), "-" + Digits(20)});
      case 1:
      case 5:
        return Pick({"0.00", "-.5", "5.", ".", "1234567890.12", "12345678901.1", "1.005", "1.500", "1,5", "-0.0",
                     Digits(12) + "." + Digits(4), "-" + Digits(30) + "." + Digits(12), "0000000000000000000000000000000000000000001.1"});
      case 3:
        return Pick({"2024-02-29", "2023-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2024-1-01", "2024-13-01", "24-01-01",
                     "2024-01-01 ", fmt::format("2{:03}-{:02}-{:02}", Below(1000), Below(14), Below(33))});
      case 4:
        return Pick({"2024-02-29T10:00:00Z", "2024-02-29 10:00", "2024-02-29", "2024-02-29T24:00:00", "2024-02-29T10:00:60Z",
                     "2024-02-29T10:00:00.1234567", "2024-02-29T10:00:00.123456000+05:30", "1969-12-31t23:59:59.999999z",
                     "2024-01-01T00:00:00+1800", "2024-01-01T00:00:00-18:01", "2024-01-01T00:00:00+", "2024-01-01T00:00.5",
                     fmt::format("2{:03}-{:02}-{:02}T{:02}:{:02}:{:02}.{}-{:02}", Below(1000), 1 + Below(12), 1 + Below(28), Below(24),
                                 Below(60), Below(60), 1 + Below(1000000), Below(19))});
      default:
        return Pick({"", "plain", "two words", "x", "0123456789012345678901234567890123456789012345678901234567890123456789", "#", "\\"});
    }
  }

  std::string Field(size_t column, uint64_t dirty) {
    std::string value = Value(column);
    if (dirty > 0 && Below(8) == 0) value += Scrap();
    if (dialect_.quote == '\0' || Below(3) != 0) return value;
    std::string quoted(1, dialect_.quote);
    for (const char c : value) {
      if ((c == dialect_.quote || c == dialect_.escape) && (dirty == 0 || Below(8) != 0)) quoted += dialect_.escape;
      quoted += c;
    }
    if (Below(3) == 0) quoted += Pick({"\n", "\r\n", std::string(1, dialect_.delimiter)});
    return quoted + (dirty > 1 && Below(12) == 0 ? "" : std::string(1, dialect_.quote));
  }

  std::string Scrap() {
    const std::string quote(1, dialect_.quote == '\0' ? '"' : dialect_.quote), delimiter(1, dialect_.delimiter);
    return Pick({quote, quote + quote, quote + quote + quote, delimiter, "\n", "\r", "\r\n", "\n\n", "\\", "\\" + quote, "\\\\", "#",
                 delimiter + quote, quote + delimiter, quote + "\n", std::string(1, '\0'), "\xff", "a"});
  }

  SeededRandom random_;
  const CsvDialect& dialect_;
};

uint64_t FirstSeed() {
  const char* given = std::getenv("SLUICE_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20240229;
}

TEST(CsvReference, RandomDirtOverBlocksOfEverySize) {
  const uint64_t first = FirstSeed();
  RecordProperty("first_seed", std::to_string(first));
  for (uint64_t seed = first; seed < first + 600; ++seed) {
    const CsvDialect& dialect = Dialects()[seed % Dialects().size()];
    const size_t columns = 1 + seed / 7 % 6;
    const contract::Contract contract = ContractOf(columns);
    const std::string text = Dirt(seed, dialect).File(columns);
    const auto expected = Reference(text, dialect, contract);
    // All sizes for some texts, for the others those around the steps of the scanner.
    std::vector<int64_t> sizes = {1, 2, 3, 17, 63, 64, 65, 128, 1 << 20};
    if (seed % 30 == 0) {
      sizes.clear();
      for (size_t size = 1; size <= text.size() + 1; ++size) sizes.push_back(static_cast<int64_t>(size));
    }
    for (const int64_t block : sizes) {
      ASSERT_EQ(Read(text, dialect, contract, block), expected)
          << "SLUICE_TEST_SEED=" << seed << ", blocks of " << block << " bytes, dialect " << seed % Dialects().size() << "\n"
          << text;
    }
  }
}

// There is no simple reference for records beyond the limit; but where the blocks end must not matter.
TEST(CsvReference, TheLimitOfARecordDoesNotDependOnTheBlocks) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + 400; ++seed) {
    const CsvDialect& dialect = Dialects()[seed % Dialects().size()];
    const size_t columns = 1 + seed / 7 % 6;
    const contract::Contract contract = ContractOf(columns);
    const std::string text = Dirt(seed, dialect).File(columns);
    const int64_t limit = 20 + static_cast<int64_t>(seed % 60);
    const auto whole = Read(text, dialect, contract, 1 << 20, limit);
    for (const int64_t block : {1, 2, 3, 17, 63, 64, 65, 128}) {
      ASSERT_EQ(Read(text, dialect, contract, block, limit), whole)
          << "SLUICE_TEST_SEED=" << seed << ", blocks of " << block << " bytes, limit " << limit << "\n"
          << text;
    }
  }
}

TEST(CsvReference, ARecordBeyondTheLimitCostsItselfAlone) {
  const contract::Contract contract = ContractOf(3);
  const std::string before = "c0,c1,c2\n1,1.00,a\n", after = "3,3.00,c\n";
  const std::string long_text(200000, 'x'), euros = [] {
    std::string text;
    for (int i = 0; i < 60000; ++i) text += "€";
    return text;
  }();
  for (const std::string& record : {"2,2.00," + long_text, "2,2.00,\"" + long_text + "\"", "2,2.00,\"" + long_text, "2,2.00," + euros}) {
    for (const std::string newline : {"\n", "\r\n", "\r"}) {
      for (const int64_t block : {1000, 4096, 1 << 20}) {
        const auto records = Read(before + record + newline + after, {}, contract, block, 100000);
        ASSERT_EQ(records.size(), 3u) << record.substr(0, 10);
        EXPECT_EQ(records[1].broken, std::vector<std::string>{":length"});
        EXPECT_EQ(records[1].offset, before.size());
        EXPECT_TRUE(record.starts_with(records[1].raw));
        EXPECT_NEAR(static_cast<double>(records[1].raw.size()), 65536, 2);
        EXPECT_EQ(records[2].raw, after.substr(0, after.size() - 1));
        EXPECT_EQ(records[2].line, 4);
        EXPECT_EQ(records[2].offset, before.size() + record.size() + newline.size());
      }
    }
  }
}

TEST(CsvReference, AnOverlongRecordOfOneColumnLeavesNoEmptyOneBehind) {
  const contract::Contract contract = ContractOf(1);
  for (const int64_t block : {1, 64, 1 << 20}) {
    const auto records = Read("c0\nfirst\n" + std::string(500, 'x') + "\nlast\n", {}, contract, block, 100);
    ASSERT_EQ(records.size(), 3u) << block;
    EXPECT_EQ(records[1].broken, std::vector<std::string>{":length"});
    EXPECT_EQ(records[2].cells, std::vector<std::string>{"=last"});
  }
}

TEST(CsvReference, WithoutAHeaderABadFirstRecordIsARecord) {
  const auto records = Read("1,\"2.00\"x,a\n2,2.00,b\n", {.header = false}, ContractOf(3), 1 << 20);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].broken, std::vector<std::string>{":quote"});
  EXPECT_EQ(records[1].cells, (std::vector<std::string>{"=2", "=2.00", "=b"}));
}

}  // namespace
}  // namespace sluice::formats
