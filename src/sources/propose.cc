#include "sources/propose.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "contract/type.h"
#include "core/counted.h"
#include "core/one_line.h"
#include "core/text.h"

namespace sluice::sources {
namespace {

using contract::TypeKind;

constexpr int64_t kMaxValues = 12;    // a column with more different values has no list of them
constexpr double kRareValue = 0.005;  // of the rows; rarer ones are taken for slips

bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// The letters of western Europe (U+00C0 to U+00FF) as they are written where there are only A to Z; all else as it is.
std::string WithoutAccents(std::string_view text) {
  static constexpr std::string_view kPlain[64] = {"A", "A", "A", "A", "Ae", "A", "Ae", "C", "E", "E", "E", "E", "I",  "I", "I",  "I",
                                                  "D", "N", "O", "O", "O",  "O", "Oe", "",  "O", "U", "U", "U", "Ue", "Y", "Th", "ss",
                                                  "a", "a", "a", "a", "ae", "a", "ae", "c", "e", "e", "e", "e", "i",  "i", "i",  "i",
                                                  "d", "n", "o", "o", "o",  "o", "oe", "",  "o", "u", "u", "u", "ue", "y", "th", "y"};
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool letter = text[i] == '\xC3' && i + 1 < text.size() && (static_cast<unsigned char>(text[i + 1]) & 0xC0) == 0x80;
    if (letter)
      out += kPlain[static_cast<unsigned char>(text[++i]) & 0x3F];
    else
      out += text[i];
  }
  return out;
}

std::string Snake(std::string_view accented) {
  const std::string text = WithoutAccents(accented);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool upper = c >= 'A' && c <= 'Z';
    const bool after_lower = i > 0 && ((text[i - 1] >= 'a' && text[i - 1] <= 'z') || (text[i - 1] >= '0' && text[i - 1] <= '9'));
    if (upper && after_lower) out += '_';
    out += IsAlnum(c) ? static_cast<char>(std::tolower(static_cast<unsigned char>(c))) : '_';
  }
  std::string squeezed;
  for (const char c : out)
    if (c != '_' || (!squeezed.empty() && squeezed.back() != '_')) squeezed += c;
  while (squeezed.ends_with('_')) squeezed.pop_back();
  return squeezed;
}

bool IsIdLike(std::string_view name) {
  const std::string lower = Snake(name);
  for (const char* end : {"id", "key", "code", "number", "no", "uuid", "sku"})
    if (lower == end || lower.ends_with(std::string("_") + end)) return true;
  return false;
}

bool IsAmountLike(std::string_view name) {
  const std::string lower = Snake(name);
  for (const char* part : {"amount", "price", "quantity", "qty", "total", "cost", "stock", "count"})
    if (lower.find(part) != std::string::npos) return true;
  return false;
}

// Contract names of a profile's columns, all different.
std::vector<std::string> ColumnNames(const TableProfile& profile) {
  std::vector<std::string> names;
  std::set<std::string> used;
  for (const ColumnProfile& column : profile.columns) {
    const std::string base = ColumnName(column.field);
    std::string name = base;
    for (int i = 2; !used.insert(ToLower(name)).second; ++i) name = fmt::format("{}_{}", base, i);
    names.push_back(name);
  }
  return names;
}

const ColumnProfile* Find(const TableProfile& profile, const std::string& name) {
  const auto names = ColumnNames(profile);
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return &profile.columns[i];
  return nullptr;
}

// The values that a text column is made of, rare ones left out; empty: no such list.
std::vector<std::string> ValuesOf(const ColumnProfile& column, int64_t* left_out) {
  if (column.inferred.type.kind != TypeKind::kString || !column.pii.empty() || column.distinct.empty() || column.values < 50) return {};
  std::vector<std::string> values;
  int64_t kept = 0;
  for (const auto& [value, count] : column.distinct) {
    if (static_cast<double>(count) < std::max(2.0, kRareValue * static_cast<double>(column.values))) continue;
    values.push_back(value);
    kept += count;
  }
  *left_out = column.values - kept;
  const bool few =
      !values.empty() && static_cast<int64_t>(values.size()) <= kMaxValues && column.values >= 10 * static_cast<int64_t>(values.size());
  // More than a few slips are values of their own.
  return few && *left_out * 200 <= column.values ? values : std::vector<std::string>{};
}

std::string Percent(int64_t part, int64_t whole) {
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(std::max<int64_t>(whole, 1));
  return percent < 0.1 ? "under 0.1%" : percent < 10 ? fmt::format("{:.1f}%", percent) : fmt::format("{:.0f}%", percent);
}

std::string Flow(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(YamlText(text));
  return "[" + Join(quoted, ", ") + "]";
}

// Quoted unless it surely is no keyword: those have no underscore.
std::string SqlName(const std::string& name) {
  const bool plain = name.find('_') != std::string::npos &&
                     std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return plain ? name : QuoteIdentifier(name);
}

struct ColumnLine {
  std::vector<std::string> keys;
  std::vector<std::string> remarks;
};

void AddRules(const ColumnProfile& column, ColumnLine* line) {
  if (!column.pattern.empty()) line->keys.push_back("pattern: " + YamlText(column.pattern));
  int64_t left_out = 0;
  const auto values = ValuesOf(column, &left_out);
  if (!values.empty()) line->keys.push_back("values: " + Flow(values));
  if (left_out > 0 && !values.empty()) line->remarks.push_back(Counted(left_out, "row has", "rows have") + " another value");
  const bool number = column.inferred.type.kind == TypeKind::kDecimal || column.inferred.type.kind == TypeKind::kBigint;
  if (number && !column.negative && IsAmountLike(column.field) && !IsIdLike(column.field)) line->keys.push_back("min: 0");
}

void AddNumbers(const ColumnProfile& column, ColumnLine* line) {
  const contract::GivenStyle& style = column.inferred.numbers;
  if (style.decimal) line->keys.push_back("decimal: " + YamlText(*style.decimal));
  if (style.thousands) line->keys.push_back("thousands: " + YamlText(*style.thousands));
}

void AddTimes(const ColumnProfile& column, ColumnLine* line) {
  if (!column.inferred.formats.empty()) line->keys.push_back("formats: " + Flow(column.inferred.formats));
  if (column.inferred.type.kind == TypeKind::kTimestamp && column.inferred.without_zone)
    line->remarks.push_back("written without a zone: the project's timezone holds");
}

ColumnLine LineOf(const ColumnProfile& column, const std::string& name, bool is_key, int64_t records) {
  ColumnLine line;
  line.keys.push_back("name: " + YamlText(name));
  if (name != column.field) line.keys.push_back("from: " + YamlText(column.field));
  line.keys.push_back("type: " + YamlText(column.inferred.type.ToString()));
  const bool never_null = column.values > 0 && column.nulls == 0;
  if (is_key || never_null) line.keys.push_back("not_null: true");
  AddTimes(column, &line);
  AddNumbers(column, &line);
  if (!column.inferred.doubt.empty()) line.remarks.push_back(column.inferred.doubt);
  if (!column.null_words.empty()) {
    std::vector<std::string> tokens = {""};
    tokens.insert(tokens.end(), column.null_words.begin(), column.null_words.end());
    line.keys.push_back("null_tokens: " + Flow(tokens));
  }
  AddRules(column, &line);
  if (!column.pii.empty()) line.keys.push_back("pii: " + column.pii);
  if (column.values == 0)
    line.remarks.push_back("always empty so far: its type is a guess");
  else if (column.nulls > 0)
    line.remarks.push_back(Percent(column.nulls, records) + " empty");
  if (column.misfits > 0) line.remarks.push_back(Counted(column.misfits, "value does", "values do") + " not fit");
  return line;
}

std::string Contract(const TableProfile& profile, const std::string& indent) {
  const auto names = ColumnNames(profile);
  const auto key = ProposeKey(profile);
  std::vector<std::string> lines, remarks;
  size_t width = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool is_key = std::find(key.begin(), key.end(), names[i]) != key.end();
    const ColumnLine line = LineOf(profile.columns[i], names[i], is_key, profile.records - profile.unreadable);
    lines.push_back(fmt::format("{}    - {{ {} }}", indent, Join(line.keys, ", ")));
    remarks.push_back(Join(line.remarks, "; "));
    if (!line.remarks.empty()) width = std::max(width, std::min<size_t>(lines.back().size(), 100));
  }
  std::string out = indent + "contract:\n";
  out += indent + "  on_violation: quarantine       # rows that break a rule are kept aside with their reasons; or: fail\n";
  out += indent + "  on_new_column: evolve          # a new field becomes a column; or: freeze, quarantine\n";
  out += indent + "  max_quarantined: { share: 5%, min_rows: 100 }   # more than this and nothing is published\n";
  out += indent + "  columns:\n";
  for (size_t i = 0; i < lines.size(); ++i)
    out += remarks[i].empty() ? lines[i] + "\n" : fmt::format("{:<{}}  # {}\n", lines[i], width, remarks[i]);
  return out;
}

std::string CharacterYaml(char c) { return YamlText(c == '\0' ? "" : std::string(1, c)); }

// What detection may not be able to repeat on every file is pinned, and what was pinned stays so.
std::string CsvKeys(const SourceProposal& source) {
  const formats::CsvDialect& csv = source.csv;
  const bool guessed = !source.doubts.empty();
  const auto given = [&](std::string_view key) { return std::find(source.given.begin(), source.given.end(), key) != source.given.end(); };
  std::string keys;
  if (csv.delimiter_text() != "," || guessed || given("delimiter"))
    keys += ", delimiter: " + (csv.delimiter_text() == "\t" ? "tab" : YamlText(csv.delimiter_text()));
  if (csv.quote != '"' || given("quote")) keys += ", quote: " + CharacterYaml(csv.quote);
  if ((csv.escape != csv.quote && csv.quote != '\0') || given("escape")) keys += ", escape: " + CharacterYaml(csv.escape);
  if (csv.comment != '\0' || given("comment")) keys += ", comment: " + CharacterYaml(csv.comment);
  if (!csv.header) keys += ", header: false";
  if (csv.header && csv.header_rows > 1) keys += fmt::format(", header: {}", csv.header_rows);
  if (csv.header && csv.header_rows == 1 && (guessed || given("header"))) keys += ", header: true";
  if (csv.skip > 0 || given("skip")) keys += fmt::format(", skip: {}", csv.skip);
  if (csv.footer > 0 || given("footer")) keys += fmt::format(", footer: {}", csv.footer);
  return keys;
}

std::string XlsxKeys(const formats::XlsxOptions& xlsx) {
  std::string keys;
  if (!xlsx.sheet.empty()) keys += ", sheet: " + YamlText(xlsx.sheet);
  if (!xlsx.range.empty()) keys += ", range: " + YamlText(xlsx.range);
  if (xlsx.header) keys += fmt::format(", header: {}", *xlsx.header);
  return keys;
}

std::string FixedKeys(const formats::FixedOptions& fixed) {
  std::vector<std::string> widths;
  for (const formats::FixedField& field : fixed.fields) widths.push_back(std::to_string(field.width));
  std::string keys = ", widths: [" + Join(widths, ", ") + "]";
  if (fixed.pad) keys += ", short_lines: pad";
  if (fixed.skip > 0) keys += fmt::format(", skip: {}", fixed.skip);
  return keys;
}

std::string ReadKeys(const SourceProposal& source) {
  std::string keys = fmt::format("files: {}, format: {}", YamlText(source.files), formats::TraitsOf(source.profile.format).name);
  if (source.profile.format == FileFormat::kCsv) keys += CsvKeys(source);
  if (source.profile.format == FileFormat::kXlsx) keys += XlsxKeys(source.options.xlsx);
  if (source.profile.format == FileFormat::kFixed) keys += FixedKeys(source.options.fixed);
  const std::string& encoding = source.pinned.encoding.empty() ? source.encoding : source.pinned.encoding;
  if (!encoding.empty()) keys += ", encoding: " + encoding;
  if (source.pinned.compression != "auto") keys += ", compression: " + source.pinned.compression;
  if (!source.pinned.members.empty()) keys += ", members: " + YamlText(source.pinned.members);
  if (!source.options.record.empty()) keys += ", record: " + YamlText(source.options.record);
  return "{ " + keys + " }";
}

// A column that only some of the rows have is no key, nor is prose.
bool CanBeKey(const ColumnProfile& column) {
  const TypeKind kind = column.inferred.type.kind;
  return column.values > 0 && (kind == TypeKind::kString || column.inferred.type.is_integer()) && column.pii.empty();
}

}  // namespace

std::string ColumnName(std::string_view field) {
  const bool plain = !field.empty() && !(field[0] >= '0' && field[0] <= '9') &&
                     std::all_of(field.begin(), field.end(), [](char c) { return IsAlnum(c) || c == '_'; });
  std::string name = plain ? std::string(field) : Snake(field);
  if (name.empty()) name = "column";
  if ((name[0] >= '0' && name[0] <= '9') || contract::IsMetadataColumn(name))
    name = "c_" + std::string(name[0] == '_' ? name.substr(1) : name);
  return name;
}

std::string TableName(std::string_view text) {
  std::string name = Snake(text);
  if (name.empty()) return "data";
  if (name[0] >= '0' && name[0] <= '9') name = "t_" + name;
  return name.substr(0, 100);
}

std::vector<std::string> ProposeKey(const TableProfile& profile) {
  const auto names = ColumnNames(profile);
  int best = -1;
  double best_score = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const ColumnProfile& column = profile.columns[i];
    if (!CanBeKey(column)) continue;
    const double share = static_cast<double>(column.distinct_count) / static_cast<double>(column.values);
    const double filled = static_cast<double>(column.values) / static_cast<double>(std::max<int64_t>(1, column.values + column.nulls));
    if (share < (IsIdLike(column.field) ? 0.5 : 0.999) || filled < 0.95 || (!IsIdLike(column.field) && i > 0)) continue;
    const double score = share + filled + (IsIdLike(column.field) ? 1 : 0) - 0.01 * static_cast<double>(i);
    if (score > best_score) {
      best_score = score;
      best = static_cast<int>(i);
    }
  }
  if (best < 0) return {};
  return {names[static_cast<size_t>(best)]};
}

std::string ProposeSequence(const TableProfile& profile) {
  const auto names = ColumnNames(profile);
  for (const char* wanted : {"updated_at", "modified_at", "last_modified", "last_updated", "changed_at", "updated", "modified",
                             "event_time", "timestamp", "created_at"}) {
    for (size_t i = 0; i < names.size(); ++i) {
      const ColumnProfile& column = profile.columns[i];
      const TypeKind kind = column.inferred.type.kind;
      const bool time = kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz || kind == TypeKind::kDate;
      if (time && column.nulls == 0 && Snake(column.field) == wanted) return names[i];
    }
  }
  return "";
}

std::string ReadYaml(const SourceProposal& source) { return "read: " + ReadKeys(source) + "\n"; }

std::string ContractYaml(const TableProfile& profile) { return Contract(profile, ""); }

std::string SourceYaml(const SourceProposal& source) {
  const TableProfile& profile = source.profile;
  std::string out = fmt::format("# bronze.{}: every record of {}, as it came.\n", source.name, OnOneLine(source.files));
  out += fmt::format("# Proposed from {} of {}{}. Read it through: a contract is what you promise to your readers.\n",
                     Counted(profile.records, "record"), Counted(profile.files, "file"), profile.whole ? "" : " (a sample)");
  if (profile.unreadable > 0)
    out += fmt::format("# {} could not be read and would be quarantined.\n", Counted(profile.unreadable, "record"));
  for (const Misfit& misfit : profile.misfits) {
    const std::string at = misfit.place.line > 0 ? fmt::format("line {}", misfit.place.line) : fmt::format("row {}", misfit.place.row);
    const std::string value = misfit.value.size() > 40 ? misfit.value.substr(0, 37) + "..." : misfit.value;
    const std::string text = OnOneLine(fmt::format("{}, {}: {}{} ({})", misfit.place.file, at,
                                                   misfit.column.empty() ? "" : misfit.column + " = ", QuoteIdentifier(value), misfit.why));
    if (IsValidUtf8(text)) out += "#   " + text + "\n";
  }
  for (const std::string& doubt : source.doubts) out += "# CHECK: a guess was accepted: " + OnOneLine(doubt) + "\n";
  if (!source.connection.empty()) out += "connection: " + YamlText(source.connection) + "\n";
  out += "read: " + ReadKeys(source) + "\n";
  out += "load: append                     # each file once; or: full, where each file is the whole again\n";
  return out + Contract(profile, "");
}

std::string SilverSql(const SourceProposal& source) {
  const auto names = ColumnNames(source.profile);
  const auto key = ProposeKey(source.profile);
  const std::string sequence = ProposeSequence(source.profile);
  std::vector<std::string> columns, keys;
  for (const std::string& name : names) columns.push_back("  " + SqlName(name));
  for (const std::string& name : key) keys.push_back(SqlName(name));
  std::string out = fmt::format(
      "-- silver.{0}: {1}.\n-- Only the rows that have come in since the last run are read: new(bronze.{0}).\nselect\n{2}\nfrom "
      "new(bronze.{0})\n",
      source.name, key.empty() ? "the rows of bronze, typed and checked" : fmt::format("one row per {}, the latest", Join(key, ", ")),
      Join(columns, ",\n"));
  if (key.empty()) return out;
  const std::string newest = sequence.empty() ? "" : SqlName(sequence) + " desc, ";
  out += fmt::format(
      "-- of several rows of one {} in a batch, the newest\nqualify row_number() over (partition by {} order by {}_file desc, _row desc) = "
      "1\n",
      Join(key, ", "), Join(keys, ", "), newest);
  return out;
}

std::string SilverYaml(const SourceProposal& source) {
  const auto key = ProposeKey(source.profile);
  const std::string sequence = ProposeSequence(source.profile);
  std::string out =
      fmt::format("description: {}\n", YamlText(source.name + (key.empty() ? ", typed and checked" : ", typed and deduplicated")));
  if (key.empty()) return out + "store: append                    # no column looks like a key: rows are only added\n";
  const ColumnProfile* column = Find(source.profile, key[0]);
  out += "store: merge                     # a row per key; newer rows replace older ones\n";
  out += fmt::format("key: {}\n", Flow(key));
  if (column != nullptr && !column->unique())
    out += fmt::format("# CHECK: {} of {} there more than once in the files looked at. Is it the key?\n",
                       Counted(column->values - column->distinct_count, "value"),
                       key[0] + (column->values - column->distinct_count == 1 ? " is" : " are"));
  out += sequence.empty()
             ? "sequence_by: arrival             # the later batch wins; name a column that tells which row is newer, if there is one\n"
             : fmt::format("sequence_by: {}   # the highest wins, in whatever order rows come\n", Flow({sequence}));
  out += "checks:                          # looked at before anything is published\n";
  out += fmt::format("  - {{ unique: {} }}\n", Flow(key));
  out += fmt::format("  - {{ accounts_for: bronze.{}, key: {} }}   # no {} gets lost on the way\n", source.name, Flow(key), key[0]);
  return out;
}

std::string YamlText(std::string_view text) {
  static constexpr std::array kWords = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "~", "nan", ".nan", ".inf"};
  const bool plain = !text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_') &&
                     std::all_of(text.begin(), text.end(),
                                 [](char c) { return IsAlnum(c) || c == '_' || c == '-' || c == '.' || c == '/' || c == ' '; }) &&
                     text.back() != ' ';
  const bool word = std::any_of(kWords.begin(), kWords.end(), [&](const char* w) { return EqualsIgnoreCase(w, text); });
  if (plain && !word) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (c == '\t')
      out += "\\t";
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
  return out + "\"";
}

}  // namespace sluice::sources
