#include "sources/files/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include "core/text.h"
#include "formats/csv_header.h"
#include "sources/files/split.h"
#include "sources/values.h"

namespace sluice::sources {
namespace {

using formats::CsvDialect;

constexpr std::array<std::string_view, 5> kDelimiters = {",", ";", "\t", "|", "\x01"};
// Of several bytes. Where all bars of the first line stand in one of these, it takes the place of the bar if it splits as well; the colons
// are only looked at where no single byte splits the text, for "::" stands in many a value.
constexpr std::array<std::string_view, 3> kBars = {"|~|", "~|~", "||"};
constexpr std::string_view kColons = "::";
constexpr size_t kMaxRecords = 5000;
constexpr int kMaxTitleLines = 20;
constexpr double kSureShare = 0.6;    // of the records must agree on the number of fields
constexpr double kRivalShare = 0.05;  // a candidate this near to the best one makes the answer unsure

struct Candidate {
  CsvDialect dialect;
  std::vector<SplitRecord> records;  // title lines left out
  size_t fields = 0;                 // of most records
  double share = 0;                  // of the records that have them and are not broken
  double ranking = 0;                // the same, title lines counted: a candidate that needs none left out is the better one
  int names = 0;                     // expected names among the first record's fields
  int quoted = 0;                    // fields in good quotes
  bool short_header = false;         // the line before the records has one field less than they, and was taken for a title
};

std::string Show(const CsvDialect& dialect) {
  const std::string text = dialect.delimiter_text();
  if (text == "\t") return "\"\\t\"";
  if (text == "\x01") return "\"\\x01\"";
  return fmt::format("\"{}\"", text);
}

// An error, or a doubt where guesses are accepted.
Status Unsure(const DialectRequest& request, const std::string& why, const std::string& pin) {
  if (request.doubts == nullptr)
    return Fail(
        DataError("unsure-dialect", fmt::format("{}: {}", request.file, why)).Hint(fmt::format("pin it in the source's `read`: {}", pin)));
  request.doubts->push_back(why);
  return Ok();
}

Result<std::optional<char>> OneByte(const std::optional<std::string>& pin, const char* what) {
  if (!pin) return std::optional<char>();
  if (pin->empty()) return std::optional<char>('\0');
  if (pin->size() != 1) return Fail(UserError("bad-dialect", fmt::format("{} \"{}\" is not one byte", what, *pin)));
  return std::optional<char>((*pin)[0]);
}

int CountExpected(const std::vector<std::string>& fields, const std::vector<std::string>& expected) {
  int count = 0;
  for (const std::string& field : fields)
    count += std::any_of(expected.begin(), expected.end(), [&](const std::string& name) { return EqualsIgnoreCase(Trim(field), name); });
  return count;
}

size_t MostFrequentFieldCount(const std::vector<SplitRecord>& records) {
  std::map<size_t, int> votes;
  for (const SplitRecord& record : records)
    if (!record.broken) ++votes[record.fields.size()];
  size_t best = 0;
  for (const auto& [fields, count] : votes)
    if (best == 0 || count >= votes[best]) best = fields;  // more fields win a tie
  return best;
}

// Does nearly every record of the usual size end with a delimiter?
bool EndsInDelimiters(const Candidate& c) {
  int64_t closed = 0, all = 0;
  for (const SplitRecord& record : c.records) {
    if (record.broken || record.fields.size() != c.fields) continue;
    closed += c.fields > 1 && record.fields.back().empty();
    ++all;
  }
  return closed > 0 && closed * 10 >= all * 9;
}

// Does the first record end with a delimiter, and nearly every other one not? Then a header was written so.
bool OnlyHeaderIsClosed(const Candidate& c) {
  const SplitRecord& first = c.records[0];
  if (first.broken || first.fields.size() < 3 || !first.fields.back().empty()) return false;
  int64_t open = 0, all = 0;
  for (size_t i = 1; i < c.records.size(); ++i) {
    open += !c.records[i].broken && c.records[i].fields.size() + 1 == first.fields.size();
    ++all;
  }
  return open > 0 && open * 10 >= all * 9;
}

// Lines of prose before the table: they have fewer fields than it, and the record after them has `columns`: all that are named.
void DropTitleLines(Candidate* c, size_t columns) {
  size_t first = 0;
  while (first < c->records.size() && (c->records[first].broken || c->records[first].fields.size() < columns)) ++first;
  if (first == 0 || first > kMaxTitleLines || first + 1 >= c->records.size()) return;
  if (c->records[first].fields.size() < columns || c->records[first].fields.size() > c->fields || c->fields < 2) return;
  c->dialect.skip += c->records[first].line - c->dialect.skip;
  const SplitRecord& before = c->records[first - 1];
  c->short_header = !before.broken && before.fields.size() > 1 && before.fields.size() + 1 == c->fields;
  c->records.erase(c->records.begin(), c->records.begin() + static_cast<int64_t>(first));
}

// Several header rows become one record.
void JoinHeader(Candidate* c) {
  const auto rows = std::min(c->records.size(), static_cast<size_t>(c->dialect.header ? c->dialect.header_rows : 1));
  if (rows < 2) return;
  std::vector<std::vector<std::string>> texts;
  for (size_t i = 0; i < rows; ++i) texts.push_back(c->records[i].fields);
  CsvDialect plain = c->dialect;
  plain.trailing_delimiter = false;
  c->records[0].fields = formats::HeaderNames(texts, plain);
  c->records.erase(c->records.begin() + 1, c->records.begin() + static_cast<int64_t>(rows));
}

Candidate Evaluate(const DialectRequest& request, const CsvDialect& dialect) {
  Candidate c;
  c.dialect = dialect;
  c.records = SplitSample(request.sample, request.whole, dialect, kMaxRecords);
  c.fields = MostFrequentFieldCount(c.records);
  const size_t all = c.records.size();
  const bool closed = EndsInDelimiters(c) && request.pins.header.value_or(true);
  if (!request.pins.skip) DropTitleLines(&c, c.fields - (closed && c.fields > 2));
  JoinHeader(&c);
  if (c.records.empty()) return c;
  if (request.pins.header.value_or(true) && OnlyHeaderIsClosed(c)) {
    c.dialect.header_delimiter = true;
    c.records[0].fields.pop_back();
    c.fields = c.records[0].fields.size();
  }
  c.dialect.trailing_delimiter = closed && !c.records[0].broken && c.records[0].fields.size() + 1 == c.fields;
  int64_t agree = c.dialect.trailing_delimiter;  // its header
  for (const SplitRecord& record : c.records) {
    agree += !record.broken && record.fields.size() == c.fields;
    c.quoted += record.quoted;
  }
  c.share = static_cast<double>(agree) / static_cast<double>(c.records.size());
  c.ranking = static_cast<double>(agree) / static_cast<double>(all);
  c.names = CountExpected(c.records[0].fields, request.expected_names);
  return c;
}

// The quotes worth trying beside a delimiter: single ones and a backslash as escape are seldom, so only where the text has them.
std::vector<CsvDialect> QuoteVariants(const CsvDialect& base, std::optional<char> quote, std::optional<char> escape,
                                      std::string_view sample) {
  std::vector<char> quotes = quote ? std::vector<char>{*quote} : std::vector<char>{'"'};
  if (!quote && sample.find('\'') != std::string_view::npos) quotes.push_back('\'');
  std::vector<CsvDialect> variants;
  for (const char q : quotes) {
    CsvDialect dialect = base;
    dialect.quote = q;
    dialect.escape = escape.value_or(q);
    variants.push_back(dialect);
    if (escape || q == '\0' || sample.find(std::string("\\") + q) == std::string_view::npos) continue;
    dialect.escape = '\\';
    variants.push_back(dialect);
  }
  return variants;
}

// Another quote or escape than the usual must explain more: more records agree, or (single quotes) it wraps fields where no
// double quote does.
Candidate BestQuotes(const DialectRequest& request, const std::vector<CsvDialect>& variants) {
  Candidate best = Evaluate(request, variants[0]);
  for (size_t i = 1; i < variants.size(); ++i) {
    Candidate other = Evaluate(request, variants[i]);
    const bool wraps = best.quoted == 0 && other.quoted >= static_cast<int>(other.records.size()) && other.share >= best.share;
    if (other.share > best.share + 1e-9 || wraps) best = std::move(other);
  }
  return best;
}

Result<CsvDialect> PinnedBase(const CsvPins& pins) {
  CsvDialect base;
  SLUICE_TRY(const auto comment, OneByte(pins.comment, "comment"));
  base.comment = comment.value_or('\0');
  base.header = pins.header.value_or(true);
  base.skip = pins.skip.value_or(0);
  base.header_rows = pins.header_rows;
  base.footer = pins.footer;
  return base;
}

bool Better(const Candidate& a, const Candidate& b) {
  if (a.names != b.names) return a.names > b.names;
  if ((a.fields > 1) != (b.fields > 1)) return a.fields > 1;
  if (a.ranking != b.ranking) return a.ranking > b.ranking;
  return a.fields > b.fields;
}

Status CheckSure(const DialectRequest& request, const std::vector<Candidate>& sorted) {
  const Candidate& best = sorted[0];
  if (best.names > 0 && (sorted.size() == 1 || best.names > sorted[1].names)) return Ok();
  if (request.pins.delimiter) return Ok();
  if (best.fields <= 1) {
    if (request.expected_names.size() == 1) return Ok();
    return Unsure(request, "no delimiter splits it into columns",
                  "delimiter: \",\" (any delimiter that does not occur, for a file of one column)");
  }
  if (best.share < kSureShare)
    return Unsure(
        request,
        fmt::format("with the delimiter {} only {:.0f}% of the records have {} fields", Show(best.dialect), best.share * 100, best.fields),
        "delimiter, quote and escape");
  if (sorted.size() > 1 && sorted[1].fields > 1 && sorted[1].names == best.names && sorted[1].ranking >= best.ranking - kRivalShare)
    return Unsure(request,
                  fmt::format("both {} ({} fields) and {} ({} fields) split it evenly", Show(best.dialect), best.fields,
                              Show(sorted[1].dialect), sorted[1].fields),
                  fmt::format("delimiter: {}", Show(best.dialect)));
  return Ok();
}

bool LooksLikeNames(const std::vector<std::string>& fields) {
  return std::none_of(fields.begin(), fields.end(), [](const std::string& field) {
    const std::string_view name = Trim(field);
    return name.size() > 100 || LooksLikeValue(name);
  });
}

// Why names cannot all be columns: one is empty or stands twice. "": they can.
std::string FaultOfNames(const std::vector<std::string>& fields) {
  std::set<std::string> seen;
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string name = ToLower(Trim(fields[i]));
    const bool index_column = i == 0 && name.empty() && fields.size() > 1;  // as data frames export their row numbers
    if (name.empty() && !index_column) return fmt::format("its field {} is empty", i + 1);
    if (!seen.insert(name).second) return fmt::format("\"{}\" stands in it twice", Trim(fields[i]));
  }
  return "";
}

// A column whose values are numbers or dates below a first field that is neither.
bool TypesChangeBelow(const std::vector<SplitRecord>& records) {
  for (size_t column = 0; column < records[0].fields.size(); ++column) {
    int64_t values = 0, texts = 0;
    for (size_t i = 1; i < records.size(); ++i) {
      if (records[i].broken || column >= records[i].fields.size() || Trim(records[i].fields[column]).empty()) continue;
      (LooksLikeValue(records[i].fields[column]) ? values : texts)++;
    }
    if (values > 9 * texts && !LooksLikeValue(records[0].fields[column])) return true;
  }
  return false;
}

bool IdentifierLike(const std::vector<std::string>& fields) {
  return std::all_of(fields.begin(), fields.end(), [](const std::string& field) {
    const std::string_view name = Trim(field);
    return name.size() <= 64 &&
           std::none_of(name.begin(), name.end(), [](char c) { return c == '"' || c == '\'' || c == '@' || c == '!' || c == '?'; });
  });
}

bool RepeatsBelow(const std::vector<SplitRecord>& records) {
  for (size_t i = 1; i < records.size(); ++i)
    for (size_t c = 0; c < std::min(records[i].fields.size(), records[0].fields.size()); ++c)
      if (!records[0].fields[c].empty() && records[i].fields[c] == records[0].fields[c] && records[i].fields != records[0].fields)
        return true;
  return false;
}

// Was a header taken for a title? One that is followed by another header surely was none.
Status CheckShortHeader(const DialectRequest& request, const Candidate& c) {
  if (!c.short_header || request.pins.header || (LooksLikeNames(c.records[0].fields) && TypesChangeBelow(c.records))) return Ok();
  return Unsure(request,
                fmt::format("the line before the records has {} fields, they have {}: a header that lacks a name, or a title", c.fields - 1,
                            c.fields),
                "skip: N and header: false for a title, or mend the header");
}

Result<bool> DetectHeader(const DialectRequest& request, const Candidate& c) {
  if (request.pins.header) return *request.pins.header;
  if (c.records.empty()) return true;
  const std::vector<std::string>& first = c.records[0].fields;
  if (c.names > 0 && 2 * c.names >= static_cast<int>(std::min(first.size(), request.expected_names.size()))) return true;
  if (!LooksLikeNames(first)) return false;
  const std::string fault = FaultOfNames(first);
  if (!fault.empty() && !TypesChangeBelow(c.records)) return false;
  if (!fault.empty()) {
    SLUICE_CHECK(
        Unsure(request, "its first line may be a header, but " + fault, "header: true (or false: the contract names the columns)"));
    return true;
  }
  if (TypesChangeBelow(c.records) || c.records.size() == 1) return true;
  if (IdentifierLike(first) && !RepeatsBelow(c.records)) return true;
  SLUICE_CHECK(Unsure(request, "its first line may be a header or a record: every column is text", "header: true (or false)"));
  return true;
}

size_t CountOf(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

// All bars of the first line that has any stand in `delimiter`.
bool ExplainsBars(std::string_view sample, std::string_view delimiter) {
  const size_t first = sample.find('|');
  if (first == std::string_view::npos) return false;
  const size_t begin = sample.find_last_of("\r\n", first) + 1;  // npos + 1 = 0
  const std::string_view line = sample.substr(begin, std::min(sample.find_first_of("\r\n", first), sample.size()) - begin);
  const auto bars = [](std::string_view text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '|')); };
  return CountOf(line, delimiter) * bars(delimiter) == bars(line);
}

void SetDelimiter(std::string_view text, CsvDialect* dialect) {
  dialect->delimiter = text[0];
  dialect->delimiter_rest = text.substr(1);
}

// What may stand between fields, as far as the sample has it.
std::vector<std::string_view> DelimitersOf(std::string_view sample) {
  std::vector<std::string_view> some;
  for (const std::string_view d : kDelimiters)
    if (d == "," || sample.find(d) != std::string_view::npos) some.push_back(d);
  return some;
}

}  // namespace

Result<CsvDialect> DetectDialect(const DialectRequest& request) {
  SLUICE_TRY(const CsvDialect base, PinnedBase(request.pins));
  const std::optional<std::string>& delimiter = request.pins.delimiter;
  if (delimiter && delimiter->empty()) return Fail(UserError("bad-dialect", "the delimiter is empty"));
  SLUICE_TRY(const auto quote, OneByte(request.pins.quote, "quote"));
  SLUICE_TRY(const auto escape, OneByte(request.pins.escape, "escape"));
  if (Trim(WithoutBom(request.sample)).empty()) return base;  // no rows, whatever its dialect
  std::vector<Candidate> candidates;
  const auto evaluate = [&](std::string_view d) {
    CsvDialect dialect = base;
    SetDelimiter(d, &dialect);
    candidates.push_back(BestQuotes(request, QuoteVariants(dialect, quote, escape, request.sample)));
  };
  for (const std::string_view d : delimiter ? std::vector<std::string_view>{*delimiter} : DelimitersOf(request.sample)) evaluate(d);
  const auto* bars = std::find_if(kBars.begin(), kBars.end(), [&](auto b) { return !delimiter && ExplainsBars(request.sample, b); });
  if (bars != kBars.end()) {
    const auto bar = std::find_if(candidates.begin(), candidates.end(), [](const Candidate& c) { return c.dialect.delimiter == '|'; });
    const auto at = bar - candidates.begin();
    evaluate(*bars);
    const bool as_well = candidates.back().fields > 1 && candidates.back().ranking >= candidates[static_cast<size_t>(at)].ranking;
    candidates.erase(as_well ? candidates.begin() + at : candidates.end() - 1);
  }
  std::stable_sort(candidates.begin(), candidates.end(), Better);
  const bool explained = candidates[0].fields > 1 && candidates[0].share >= kSureShare;
  if (!delimiter && !explained && request.sample.find(kColons) != std::string_view::npos) {
    evaluate(kColons);
    std::stable_sort(candidates.begin(), candidates.end(), Better);
  }
  SLUICE_CHECK(CheckSure(request, candidates));
  SLUICE_CHECK(CheckShortHeader(request, candidates[0]));
  CsvDialect dialect = candidates[0].dialect;
  SLUICE_TRY(dialect.header, DetectHeader(request, candidates[0]));
  dialect.header_delimiter &= dialect.header;
  return dialect;
}

bool SameHead(const CsvDialect& dialect, std::string_view known_sample, std::string_view sample) {
  if (!dialect.header) return false;
  const auto past_line = [](std::string_view text, size_t at) { return std::min(text.find('\n', at), text.size() - 1) + 1; };
  const auto head = [&](std::string_view text) {
    size_t at = 0;
    for (int i = 0; i < dialect.skip + dialect.header_rows && at < text.size(); ++i) at = past_line(text, at);
    return text.substr(0, at);
  };
  // Are these lines the header, whole?
  const auto plain = [&](std::string_view lines) {
    const auto rows = SplitSample(lines, true, dialect, static_cast<size_t>(dialect.header_rows) + 1);
    return rows.size() == static_cast<size_t>(dialect.header_rows) &&
           std::none_of(rows.begin(), rows.end(), [](const SplitRecord& row) { return row.broken; });
  };
  const auto closed = [&](std::string_view text) {  // does the first record end with a delimiter?
    const size_t begin = head(text).size();
    if (begin == text.size()) return false;
    std::string_view line = text.substr(begin, past_line(text, begin) - begin);
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    return line.ends_with(dialect.delimiter_text());
  };
  return !sample.empty() && head(known_sample) == head(sample) && plain(head(sample)) && closed(known_sample) == closed(sample);
}

}  // namespace sluice::sources
