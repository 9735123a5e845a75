#include "tables/file_stats.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/scan.h"

namespace sluice::tables {

namespace {

// `stats` with this top-level key set. The other values keep their texts: a decimal's digits are not read as a double.
std::string With(const std::string& stats, std::string_view key, const std::string& value) {
  std::string out;
  delta::JsonObject object(&out);
  object.Raw(key, value);
  simdjson::ondemand::parser parser;
  const simdjson::padded_string text(stats.empty() ? "{}" : stats);
  simdjson::ondemand::document document;
  simdjson::ondemand::object present;
  if (!parser.iterate(text).get(document) && !document.get_object().get(present)) {
    for (auto field : present) {
      std::string_view name, raw;
      if (field.unescaped_key().get(name) || name == key) continue;
      const std::string kept(name);
      if (!field.value().raw_json().get(raw)) object.Raw(kept, Trim(raw));
    }
  }
  object.Close();
  return out;
}

std::optional<std::string> ScalarText(simdjson::ondemand::document& document, std::string_view object, const std::string& column) {
  simdjson::ondemand::object values;
  if (document[object].get(values)) return std::nullopt;
  for (auto field : values) {
    std::string_view name;
    if (field.unescaped_key().get(name)) return std::nullopt;
    if (!EqualsIgnoreCase(name, column)) continue;
    simdjson::ondemand::value value = field.value();
    simdjson::ondemand::json_type type{};
    std::string_view out;
    if (value.type().get(type)) return std::nullopt;
    if (type == simdjson::ondemand::json_type::string) return value.get_string().get(out) ? std::nullopt : std::optional(std::string(out));
    const bool scalar = type == simdjson::ondemand::json_type::number || type == simdjson::ondemand::json_type::boolean;
    if (!scalar || value.raw_json().get(out)) return std::nullopt;
    return std::string(Trim(out));
  }
  return std::nullopt;
}

}  // namespace

std::optional<int64_t> RecordsOf(const delta::Add& add) {
  if (add.stats.empty()) return std::nullopt;
  // Every writer puts it first; a table may have a million files.
  constexpr std::string_view kFirst = R"({"numRecords":)";
  if (add.stats.starts_with(kFirst)) {
    int64_t first = 0;
    const char* last = add.stats.data() + add.stats.size();
    const auto [end, error] = std::from_chars(add.stats.data() + kFirst.size(), last, first);
    if (error == std::errc() && end != last && (*end == ',' || *end == '}')) return first;
  }
  simdjson::ondemand::parser parser;
  const simdjson::padded_string text(add.stats);
  simdjson::ondemand::document document;
  int64_t rows = 0;
  if (parser.iterate(text).get(document) || document["numRecords"].get(rows)) return std::nullopt;
  return rows;
}

std::optional<int64_t> RowsOf(const delta::Add& add) {
  const auto records = RecordsOf(add);
  return records ? std::optional(*records - (add.deletion_vector ? add.deletion_vector->cardinality : 0)) : std::nullopt;
}

BoundTexts BoundTextsOf(const delta::Add& add, const std::string& column) {
  BoundTexts bounds;
  if (add.stats.empty()) return bounds;
  simdjson::ondemand::parser parser;
  const simdjson::padded_string text(add.stats);
  simdjson::ondemand::document document;
  if (parser.iterate(text).get(document)) return bounds;
  bounds.min = ScalarText(document, "minValues", column);
  document.rewind();
  bounds.max = ScalarText(document, "maxValues", column);
  return bounds;
}

std::optional<std::pair<int64_t, int64_t>> BoundsOf(const delta::Add& add, const std::string& column) {
  const BoundTexts texts = BoundTextsOf(add, column);
  std::pair<int64_t, int64_t> bounds;
  const auto whole = [](const std::optional<std::string>& text, int64_t* out) {
    return text && std::from_chars(text->data(), text->data() + text->size(), *out).ptr == text->data() + text->size();
  };
  return whole(texts.min, &bounds.first) && whole(texts.max, &bounds.second) ? std::optional(bounds) : std::nullopt;
}

Result<int64_t> EnsureRecords(engines::Connection& connection, const std::string& location, delta::Add* add) {
  if (const auto records = RecordsOf(*add)) return *records;
  SLUICE_TRY(const auto records,
             connection.Scalar(fmt::format("SELECT sum(num_rows) FROM parquet_file_metadata({})", QuoteLiteral(EscapeGlob(location)))));
  add->stats = With(add->stats, "numRecords", records.value_or("0"));
  return std::stoll(records.value_or("0"));
}

void LoosenBounds(delta::Add* add) { add->stats = With(add->stats, "tightBounds", "false"); }

void AddCountedColumns(const delta::Add& add, std::set<std::string>* columns) {
  if (add.stats.empty()) return;
  simdjson::ondemand::parser parser;
  const simdjson::padded_string text(add.stats);
  simdjson::ondemand::document document;
  simdjson::ondemand::object counts;
  if (parser.iterate(text).get(document) || document["nullCount"].get(counts)) return;
  for (auto field : counts) {
    std::string_view name;
    if (field.unescaped_key().get(name)) return;
    columns->insert(ToLower(name));
  }
}

}  // namespace sluice::tables
