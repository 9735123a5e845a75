#include "run/windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/time.h"

namespace sluice::run {
namespace {

using nlohmann::json;
using project::Every;

constexpr int64_t kHour = 3600000000LL, kDay = 24 * kHour;

int64_t FloorTo(int64_t micros, int64_t unit) { return micros >= 0 ? micros / unit * unit : -((-micros + unit - 1) / unit) * unit; }

int64_t MonthStart(int year, int month) { return static_cast<int64_t>(DaysFromCivil(year, static_cast<unsigned>(month), 1)) * kDay; }

const char* TruncUnit(Every every) {
  static constexpr const char* kNames[] = {"hour", "day", "month", "year"};
  return kNames[static_cast<int>(every)];
}

bool IsWindowParameter(const json& node, std::string_view name) {
  return node.is_object() && node.value("class", "") == "PARAMETER" && node.value("identifier", "") == name;
}

// The column of `COLUMN >= $window_start` (or BETWEEN, or the comparison the other way round), looked for in the whole tree.
std::optional<std::string> ColumnOf(const json& node) {
  if (node.is_object() && node.value("class", "") == "COLUMN_REF" && node.contains("column_names") && !node["column_names"].empty())
    return node["column_names"].back().get<std::string>();
  if (node.is_object() && node.value("class", "") == "CAST" && node.contains("child")) return ColumnOf(node["child"]);
  return std::nullopt;
}

std::optional<std::string> FindWindowColumn(const json& node) {
  if (node.is_object()) {
    const std::string kind = node.value("class", "");
    if (kind == "COMPARISON") {
      if (IsWindowParameter(node["right"], "window_start")) return ColumnOf(node["left"]);
      if (IsWindowParameter(node["left"], "window_start")) return ColumnOf(node["right"]);
    }
    if (kind == "BETWEEN" && IsWindowParameter(node["lower"], "window_start")) return ColumnOf(node["input"]);
  }
  if (!node.is_structured()) return std::nullopt;
  for (const json& child : node)
    if (auto found = FindWindowColumn(child)) return found;
  return std::nullopt;
}

// Metadata columns that the SQL names: rows that differ in these alone are other rows to it.
std::vector<std::string> MetadataNamed(const engines::SqlTree& tree) {
  const std::string text = ToLower(tree.json().dump());
  std::vector<std::string> names;
  for (const auto& field : contract::BronzeMetadataColumns())
    if (text.find('"' + field.name + '"') != std::string::npos) names.push_back(field.name);
  return names;
}

Status AddTouched(Session& session, const std::string& rows, const std::string& column, Every every, WindowStarts& out) {
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  SLUICE_TRY(const auto starts,
             connection->Rows(fmt::format(
                 "SELECT DISTINCT epoch_us(date_trunc('{0}', CAST({1} AS TIMESTAMP))) FROM {2} AS changed WHERE {1} IS NOT NULL",
                 TruncUnit(every), QuoteIdentifier(column), rows)));
  for (const auto& row : starts) {
    int64_t micros = 0;
    if (row[0] && std::from_chars(row[0]->data(), row[0]->data() + row[0]->size(), micros).ec == std::errc()) out.insert(micros);
  }
  return Ok();
}

// $window_start and $window_end become literals; text inside quotes stays.
std::string BindWindow(const std::string& sql, const project::Model& model, const tables::Window& window) {
  const std::string type = WindowParameterType(model) == "date" ? "DATE" : "TIMESTAMPTZ";
  const std::pair<std::string_view, std::string> names[] = {
      {"$window_start", fmt::format("CAST({} AS {})", QuoteLiteral(window.from), type)},
      {"$window_end", fmt::format("CAST({} AS {})", QuoteLiteral(window.to), type)}};
  std::string out;
  char quote = 0;
  for (size_t i = 0; i < sql.size();) {
    const char c = sql[i];
    if (quote == 0) {
      const auto* hit = std::find_if(std::begin(names), std::end(names),
                                     [&](const auto& name) { return std::string_view(sql).substr(i).starts_with(name.first); });
      if (hit != std::end(names)) {
        out += hit->second;
        i += hit->first.size();
        continue;
      }
    }
    if (quote == 0 && (c == '\'' || c == '"'))
      quote = c;
    else if (c == quote)
      quote = 0;
    out += c;
    ++i;
  }
  return out;
}

}  // namespace

int64_t WindowStart(Every every, int64_t micros) {
  if (every == Every::kHour) return FloorTo(micros, kHour);
  const int64_t day = FloorTo(micros, kDay);
  if (every == Every::kDay) return day;
  const CivilDate date = CivilFromDays(static_cast<int32_t>(day / kDay));
  return MonthStart(date.year, every == Every::kMonth ? static_cast<int>(date.month) : 1);
}

int64_t NextWindow(Every every, int64_t start, int steps) {
  if (every == Every::kHour) return start + steps * kHour;
  if (every == Every::kDay) return start + steps * kDay;
  const CivilDate date = CivilFromDays(static_cast<int32_t>(start / kDay));
  const int months = date.year * 12 + static_cast<int>(date.month) - 1 + steps * (every == Every::kMonth ? 1 : 12);
  return MonthStart(months / 12, months % 12 + 1);
}

std::string WindowLiteral(const project::Model& model, int64_t micros) {
  if (WindowParameterType(model) == "timestamp") return FormatInstant({micros});
  return FormatDate(static_cast<int32_t>(micros / kDay));
}

Result<int64_t> ParseWindowLiteral(const std::string& text) {
  if (const auto date = ParseDate(text)) return static_cast<int64_t>(*date) * kDay;
  if (const auto instant = ParseInstant(text)) return instant->micros;
  return Fail(UserError("bad-start", fmt::format("\"{}\" is no date or RFC 3339 time", text)).Hint("write start: 2024-01-01"));
}

std::vector<tables::Window> JoinWindows(const project::Model& model, const WindowStarts& starts) {
  std::vector<tables::Window> windows;
  int64_t from = 0, to = 0;
  for (const int64_t start : starts) {
    if (!windows.empty() && start == to) {
      to = NextWindow(model.every, start);
      windows.back().to = WindowLiteral(model, to);
      continue;
    }
    from = start;
    to = NextWindow(model.every, start);
    windows.push_back({WindowLiteral(model, from), WindowLiteral(model, to)});
  }
  return windows;
}

Result<TouchedWindows> FindTouched(Session& session, const plan::Node& node, const std::vector<PinnedInput>& inputs,
                                   const ConsumedInputs& from) {
  SLUICE_TRY(const engines::SqlTree tree, session.sql().Tree(node.model->sql, node.model->sql_file));
  const auto column = FindWindowColumn(tree.json());
  if (!column) return TouchedWindows{std::nullopt, "its SQL compares no column with $window_start"};
  WindowStarts starts;
  for (const auto& input : inputs) {
    const auto before = from.find(input.table);
    const Consumed was = before == from.end() ? Consumed{} : before->second;
    if (!input.pinned.snapshot || was == input.now() || input.pinned.snapshot->schema.Find(*column) == nullptr) continue;
    if (was.version < 0) return TouchedWindows{std::nullopt, input.table + " is a new input"};
    SLUICE_TRY(const auto rows, RowsTouched(session, input.table, input.pinned, was, MetadataNamed(tree)));
    if (!rows) return TouchedWindows{std::nullopt, fmt::format("what changed in {} can't be told any more", input.table)};
    SLUICE_CHECK(AddTouched(session, *rows, *column, node.model->every, starts));
  }
  return TouchedWindows{std::move(starts), ""};
}

std::string OverWindows(const std::string& sql, const project::Model& model, const std::vector<tables::Window>& windows) {
  std::vector<std::string> parts;
  for (const auto& window : windows) parts.push_back("(" + BindWindow(sql, model, window) + ")");
  return Join(parts, " UNION ALL ");
}

}  // namespace sluice::run
