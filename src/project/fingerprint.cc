#include <fmt/format.h>

#include "core/text.h"
#include "project/build.h"

namespace sluice::project {
namespace {

// Canonical text: each value with its length, so that no two lists of values give the same text.
class Canonical {
 public:
  void Add(std::string_view value) { text_ += fmt::format("{}:{};", value.size(), value); }
  void Add(int64_t value) { Add(std::to_string(value)); }
  void Add(double value) { Add(fmt::format("{}", value)); }
  void Add(const std::vector<std::string>& values) {
    Add(static_cast<int64_t>(values.size()));
    for (const std::string& value : values) Add(value);
  }
  template <typename T>
  void Add(const std::optional<T>& value) {
    text_ += value ? "+" : "-";
    if (value) Add(*value);
  }
  // A key that came later: without it the text is what it was before.
  void AddIf(bool given, std::string_view key, std::string_view value) {
    if (given) text_ += fmt::format("{}={}:{};", key, value.size(), value);
  }
  void Flag(bool value) { text_ += value ? "1" : "0"; }
  void Flag(const std::optional<bool>& value) { text_ += !value ? "-" : *value ? "1" : "0"; }
  template <typename E>
  void Choice(E value) {
    Add(static_cast<int64_t>(value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

using sources::Read;
// Nothing where they are not used, so that fingerprints of before they were there hold.
void AddOptions(const sources::Read& read, Canonical& out) {
  const formats::FormatOptions& options = read.options;
  if (!read.members.empty()) out.Add("members " + read.members);
  if (read.format == formats::FileFormat::kXlsx) {
    out.Add(options.xlsx.sheet);
    out.Add(options.xlsx.range);
  }
  if (read.format == formats::FileFormat::kXml) out.Add(options.record);
  if (read.format != formats::FileFormat::kFixed) return;
  out.Flag(options.fixed.pad);
  for (const formats::FixedField& field : options.fixed.fields) {
    out.Add(field.name);
    out.Add(field.start);
    out.Add(field.width);
  }
}

void AddRead(const sources::Read& read, Canonical& out) {
  out.Add(read.files);
  out.Choice(read.format);
  out.Add(read.compression);
  for (const auto& character : {read.csv.delimiter, read.csv.quote, read.csv.escape, read.csv.comment}) out.Add(character);
  out.Flag(read.csv.header);
  out.Add(read.csv.skip ? std::optional<int64_t>(*read.csv.skip) : std::nullopt);
  out.Choice(read.on_changed_file);
  out.AddIf(!read.encoding.empty(), "encoding", read.encoding);
  out.AddIf(read.csv.header_rows > 1, "header_rows", std::to_string(read.csv.header_rows));
  out.AddIf(read.csv.footer > 0, "footer", std::to_string(read.csv.footer));
  AddOptions(read, out);
  if (read.on_renamed_file != Read{}.on_renamed_file) out.Add("on_renamed_file");
  if (read.on_copied_file != Read{}.on_copied_file) out.Add("on_copied_file");
  if (read.order != Read{}.order) out.Add("order");
}

void AddStyle(const contract::GivenStyle& style, Canonical& out) {
  out.AddIf(style.decimal.has_value(), "decimal", style.decimal.value_or(""));
  out.AddIf(style.thousands.has_value(), "thousands", style.thousands.value_or(""));
}

void AddColumn(const contract::ColumnContract& column, Canonical& out) {
  out.Add(column.name);
  out.Add(column.from);
  out.Add(column.type.ToString());
  out.Flag(column.not_null);
  for (const auto& text : {column.pattern, column.min, column.max, column.zone, column.default_value}) out.Add(text);
  out.Add(column.min_length);
  out.Add(column.max_length);
  out.Add(column.values);
  out.Choice(column.on_fail);
  out.Add(column.rule_where);
  out.Add(column.formats);
  out.Add(column.null_tokens);
  out.Flag(column.trim);
  AddStyle(column.numbers, out);
}

void AddContract(const contract::Contract& contract, Canonical& out) {
  out.Flag(contract.declared);
  for (const auto& column : contract.columns) AddColumn(column, out);
  for (const auto& rule : contract.rules) {
    out.Add(rule.name);
    out.Add(rule.predicate);
    out.Choice(rule.on_fail);
  }
  out.Choice(contract.on_violation);
  out.Choice(contract.on_new_column);
  out.Choice(contract.on_missing_column);
  out.Choice(contract.on_type_change);
  out.Add(contract.max_quarantined.share);
  out.Add(contract.max_quarantined.min_rows);
  out.Add(contract.max_quarantined.rows);
  out.Add(contract.null_tokens);
  out.Flag(contract.trim);
  out.Add(contract.zone);
  out.Add(contract.unique);
  AddStyle(contract.numbers, out);
}

void AddRequest(const sources::http::Request& request, Canonical& out) {
  for (const std::string* text : {&request.method, &request.path, &request.body, &request.records, &request.value}) out.Add(*text);
  for (const auto* pairs : {&request.parameters, &request.headers, &request.carry}) {
    out.Add(static_cast<int64_t>(pairs->size()));
    for (const auto& [name, value] : *pairs) {
      out.Add(name);
      out.Add(value);
    }
  }
  out.Add(request.keys);
  out.Flag(request.missing_is_empty);
  out.Choice(request.pages.by);
  for (const std::string* text : {&request.pages.from, &request.pages.total, &request.pages.more}) out.Add(*text);
}

void AddHttp(const sources::http::Read& read, Canonical& out) {
  AddRequest(read.request, out);
  out.Flag(read.parent != nullptr);
  if (read.parent) AddRequest(*read.parent, out);
  out.Flag(read.windows.has_value());
  if (read.windows) {
    out.Add(read.windows->every_micros);
    out.Add(read.windows->start.micros);
    out.Choice(read.windows->form);
  }
}

// A project that is moved as a whole, landing folder included, ingests the same.
std::string RelativeTo(const std::string& path, const std::string& root) {
  return path.starts_with(root + "/") ? path.substr(root.size() + 1) : path;
}

}  // namespace

std::string Fingerprint(const Source& source, const std::string& root) {
  Canonical out;
  out.Add(source.connection.type);
  out.Add(RelativeTo(source.connection.path, root));
  AddRead(source.read, out);
  const sources::RowsRead& rows = source.rows;
  for (const auto& [key, value] : {std::pair("table", &rows.table), std::pair("query", &rows.query), std::pair("cursor", &rows.cursor)})
    out.AddIf(!value->empty(), key, *value);
  out.AddIf(!rows.command.empty(), "command", Join(rows.command, "\n"));
  out.AddIf(!rows.exclude.empty(), "exclude", Join(rows.exclude, "\n"));
  out.AddIf(!rows.hash.empty(), "hash", Join(rows.hash, "\n"));
  if (rows.http) AddHttp(*rows.http, out);
  out.Choice(source.load);
  if (source.external) {
    out.Choice(source.external->format);
    out.Add(RelativeTo(source.external->folder, root));
    out.Add(source.external->files);
  }
  out.Choice(source.keep);
  out.Add(source.deduplicate.key);
  out.Add(source.deduplicate.order_by);
  out.Add(source.partition_by);
  AddContract(source.contract, out);
  return Hex(Hash64(out.text()));
}

}  // namespace sluice::project
