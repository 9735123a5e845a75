#include "sources/files/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include "core/text.h"
#include "sources/files/split.h"
#include "sources/values.h"

namespace sluice::sources {
namespace {

using formats::CsvDialect;

constexpr std::string_view kDelimiters = ",;\t|\x01";
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
};

std::string Show(char c) {
  if (c == '\t') return "\"\\t\"";
  if (c == '\x01') return "\"\\x01\"";
  return fmt::format("\"{}\"", c);
}

Error Unsure(const DialectRequest& request, const std::string& why, const std::string& pin) {
  return DataError("unsure-dialect", fmt::format("{}: {}", request.file, why)).Hint(fmt::format("pin it in the source's `read`: {}", pin));
}

Result<std::optional<char>> OneByte(const std::optional<std::string>& pin, const char* what) {
  if (!pin) return std::optional<char>();
  if (pin->empty()) return std::optional<char>('\0');
  if (*pin == "\\t" || *pin == "tab") return std::optional<char>('\t');
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

// Lines of prose before the table: they have fewer fields than it, and the record after them has all.
void DropTitleLines(Candidate* c) {
  size_t first = 0;
  while (first < c->records.size() && (c->records[first].broken || c->records[first].fields.size() < c->fields)) ++first;
  if (first == 0 || first > kMaxTitleLines || first + 1 >= c->records.size()) return;
  if (c->records[first].fields.size() != c->fields || c->fields < 2) return;
  c->dialect.skip += c->records[first].line - c->dialect.skip;
  c->records.erase(c->records.begin(), c->records.begin() + static_cast<int64_t>(first));
}

Candidate Evaluate(const DialectRequest& request, const CsvDialect& dialect) {
  Candidate c;
  c.dialect = dialect;
  c.records = SplitSample(request.sample, request.whole, dialect, kMaxRecords);
  c.fields = MostFrequentFieldCount(c.records);
  const size_t all = c.records.size();
  if (!request.pins.skip) DropTitleLines(&c);
  int64_t agree = 0;
  for (const SplitRecord& record : c.records) {
    agree += !record.broken && record.fields.size() == c.fields;
    c.quoted += record.quoted;
  }
  if (c.records.empty()) return c;
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
    return Fail(Unsure(request, "no delimiter splits it into columns",
                       "delimiter: \",\" (any delimiter that does not occur, for a file of one column)"));
  }
  if (best.share < kSureShare)
    return Fail(Unsure(request,
                       fmt::format("with the delimiter {} only {:.0f}% of the records have {} fields", Show(best.dialect.delimiter),
                                   best.share * 100, best.fields),
                       "delimiter, quote and escape"));
  if (sorted.size() > 1 && sorted[1].fields > 1 && sorted[1].names == best.names && sorted[1].ranking >= best.ranking - kRivalShare)
    return Fail(Unsure(request,
                       fmt::format("both {} ({} fields) and {} ({} fields) split it evenly", Show(best.dialect.delimiter), best.fields,
                                   Show(sorted[1].dialect.delimiter), sorted[1].fields),
                       fmt::format("delimiter: {}", Show(best.dialect.delimiter))));
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

Result<bool> DetectHeader(const DialectRequest& request, const Candidate& c) {
  if (request.pins.header) return *request.pins.header;
  if (c.records.empty()) return true;
  const std::vector<std::string>& first = c.records[0].fields;
  if (c.names > 0 && 2 * c.names >= static_cast<int>(std::min(first.size(), request.expected_names.size()))) return true;
  if (!LooksLikeNames(first)) return false;
  const std::string fault = FaultOfNames(first);
  if (!fault.empty() && !TypesChangeBelow(c.records)) return false;
  if (!fault.empty())
    return Fail(Unsure(request, "its first line may be a header, but " + fault, "header: true (or false: the contract names the columns)"));
  if (TypesChangeBelow(c.records) || c.records.size() == 1) return true;
  if (IdentifierLike(first) && !RepeatsBelow(c.records)) return true;
  return Fail(Unsure(request, "its first line may be a header or a record: every column is text", "header: true (or false)"));
}

}  // namespace

Result<CsvDialect> DetectDialect(const DialectRequest& request) {
  SLUICE_TRY(const CsvDialect base, PinnedBase(request.pins));
  SLUICE_TRY(const auto delimiter, OneByte(request.pins.delimiter, "delimiter"));
  SLUICE_TRY(const auto quote, OneByte(request.pins.quote, "quote"));
  SLUICE_TRY(const auto escape, OneByte(request.pins.escape, "escape"));
  if (Trim(WithoutBom(request.sample)).empty()) return base;  // no rows, whatever its dialect
  std::vector<Candidate> candidates;
  for (const char d : delimiter ? std::string(1, *delimiter) : std::string(kDelimiters)) {
    if (!delimiter && d != ',' && request.sample.find(d) == std::string_view::npos) continue;
    CsvDialect dialect = base;
    dialect.delimiter = d;
    candidates.push_back(BestQuotes(request, QuoteVariants(dialect, quote, escape, request.sample)));
  }
  std::stable_sort(candidates.begin(), candidates.end(), Better);
  SLUICE_CHECK(CheckSure(request, candidates));
  CsvDialect dialect = candidates[0].dialect;
  SLUICE_TRY(dialect.header, DetectHeader(request, candidates[0]));
  return dialect;
}

bool SameHead(const CsvDialect& dialect, std::string_view known_sample, std::string_view sample) {
  if (!dialect.header) return false;
  const auto head = [&](std::string_view text) {
    size_t at = 0;
    for (int i = 0; i <= dialect.skip && at < text.size(); ++i) at = std::min(text.find('\n', at), text.size() - 1) + 1;
    return text.substr(0, at);
  };
  return !sample.empty() && head(known_sample) == head(sample);
}

}  // namespace sluice::sources
