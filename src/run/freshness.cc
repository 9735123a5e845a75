#include "run/freshness.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/time.h"
#include "delta/column_mapping.h"
#include "run/external.h"
#include "tables/scan.h"

namespace sluice::run {
namespace {

using contract::TypeKind;

constexpr int64_t kDayMicros = 86'400'000'000;
constexpr const char* kLoadedAt = "_ingested_at";

bool TellsTime(TypeKind kind) { return kind == TypeKind::kDate || kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz; }

// As statistics write it: 2024-01-31, 2024-01-31T10:00:00.000Z, and without a zone for timestamp_ntz.
std::optional<Instant> ParseStatistic(const std::string& text, TypeKind kind) {
  if (kind != TypeKind::kDate) return ParseInstant(kind == TypeKind::kTimestampNtz ? text + "Z" : text);
  const auto days = ParseDate(text);
  return days ? std::optional(Instant{*days * kDayMicros}) : std::nullopt;
}

// What a file's statistics say of its newest value.
struct FileSays {
  bool known = false;
  std::optional<Instant> newest;  // known and none: all its values are NULL
};

FileSays NewestIn(const delta::Add& add, const contract::Field& column) {
  const auto stats = nlohmann::json::parse(add.stats, nullptr, false);
  if (!stats.is_object()) return {};
  if (const auto max = stats.find("maxValues"); max != stats.end() && max->is_object() && max->contains(column.name)) {
    const auto& value = max->at(column.name);
    const auto instant = value.is_string() ? ParseStatistic(value.get<std::string>(), column.type.kind) : std::nullopt;
    return {instant.has_value(), instant};
  }
  const auto nulls = stats.find("nullCount"), rows = stats.find("numRecords");
  const bool only_nulls =
      nulls != stats.end() && rows != stats.end() && nulls->is_object() && nulls->contains(column.name) && nulls->at(column.name) == *rows;
  return {only_nulls, std::nullopt};
}

Result<std::optional<Instant>> NewestByReading(Session& session, const plan::Node& node, const delta::Snapshot& bronze,
                                               const std::string& column, std::vector<delta::Add> files) {
  tables::ScanOptions options;
  options.columns = {column};
  options.only = std::move(files);
  SLUICE_TRY(const tables::Scan scan, tables::ScanFor(session.lake(), Session::RootOf(node.table), bronze, options));
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  SLUICE_TRY(const auto text, connection->Scalar(fmt::format("SELECT CAST(epoch_us(CAST(max({}) AS TIMESTAMPTZ)) AS VARCHAR) FROM {}",
                                                             QuoteIdentifier(column), scan.sql)));
  int64_t micros = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), micros).ec != std::errc()) return std::optional<Instant>();
  return std::optional(Instant{micros});
}

Result<std::optional<Instant>> Newest(Session& session, const plan::Node& node, const delta::Snapshot& bronze,
                                      const contract::Field& column) {
  std::optional<Instant> newest;
  std::vector<delta::Add> unknown;
  // Statistics of a mapped table name its columns otherwise, and a deleted row may be the newest one.
  const bool by_name = delta::ColumnMappingOf(bronze.protocol, bronze.metadata) == delta::ColumnMapping::kNone;
  for (const delta::Add& add : bronze.files) {
    const FileSays says = by_name && !add.deletion_vector ? NewestIn(add, column) : FileSays{};
    if (!says.known) unknown.push_back(add);
    if (says.newest) newest = newest ? std::max(*newest, *says.newest) : *says.newest;
  }
  if (unknown.empty()) return newest;
  SLUICE_TRY(const auto read, NewestByReading(session, node, bronze, column.name, std::move(unknown)));
  if (read) newest = newest ? std::max(*newest, *read) : *read;
  return newest;
}

// "2d 3h", "3h 20m", "45s": the two greatest units.
std::string AgeText(int64_t micros) {
  constexpr std::pair<int64_t, char> kUnits[] = {{kDayMicros, 'd'}, {3'600'000'000, 'h'}, {60'000'000, 'm'}, {1'000'000, 's'}};
  std::string text;
  int shown = 0;
  for (const auto& [unit, name] : kUnits) {
    const int64_t count = micros / unit;
    micros -= count * unit;
    if (count > 0) text += fmt::format("{}{}{}", text.empty() ? "" : " ", count, name);
    if (!text.empty() && ++shown == 2) break;
  }
  return text.empty() ? "0s" : text;
}

Result<contract::Field> ColumnOf(const plan::Node& node, const delta::Snapshot& bronze) {
  const project::Freshness& freshness = *node.source->freshness;
  const std::string name = freshness.of.empty() ? kLoadedAt : freshness.of;
  const contract::Field* column = bronze.schema.Find(name);
  if (column != nullptr && TellsTime(column->type.kind)) return *column;
  const std::string what = column == nullptr ? fmt::format("{} has no column \"{}\"", node.table, name)
                                             : fmt::format("column \"{}\" of {} is a {}", name, node.table, column->type.ToString());
  return Fail(UserError("freshness-column", what + ": it can't tell how fresh the table is")
                  .At(freshness.where)
                  .Hint("of: names a date or timestamp; without it the time of the last load counts"));
}

}  // namespace

Result<CheckOutcome> CheckFreshness(Session& session, const plan::Node& node, const delta::Snapshot& bronze) {
  const project::Freshness& freshness = *node.source->freshness;
  CheckOutcome outcome;
  outcome.where = freshness.where;
  std::optional<Instant> newest;
  if (node.source->external && freshness.of.empty()) {
    outcome.name = "freshness";
    newest = LastChange(*node.source, bronze);
  } else {
    SLUICE_TRY(const contract::Field column, ColumnOf(node, bronze));
    outcome.name = fmt::format("freshness({})", column.name);
    SLUICE_TRY(newest, Newest(session, node, bronze, column));
  }
  if (!newest) {
    outcome.status = CheckStatus::kWarned;
    outcome.violations = 1;
    outcome.samples = {"there is no row yet that could tell"};
    return outcome;
  }
  const int64_t age = std::max<int64_t>(0, session.clock().Now().micros - newest->micros);
  const bool failed = freshness.within_micros && age > *freshness.within_micros;
  const bool warned = freshness.warn_micros && age > *freshness.warn_micros;
  if (!failed && !warned) return outcome;
  const int64_t allowed = failed ? *freshness.within_micros : *freshness.warn_micros;
  outcome.status = failed ? CheckStatus::kFailed : CheckStatus::kWarned;
  outcome.violations = 1;
  outcome.samples = {fmt::format("the newest is of {}, {} ago: more than {}", FormatInstant(*newest), AgeText(age), AgeText(allowed))};
  return outcome;
}

}  // namespace sluice::run
