#include "sources/postgres/cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace sluice::sources::postgres {
namespace {

using nlohmann::json;

std::optional<int64_t> Number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

json ToValue(const std::optional<std::string>& text) { return text ? json(*text) : json(nullptr); }

std::optional<std::string> TextOf(const json& value) { return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt; }

// Are all the transactions over that may still have written below the mark's value?
bool IsOver(const Mark& mark, const Sight& sight) {
  if (sight.snapshot.xmin < mark.xmax) return false;
  return std::none_of(sight.open.begin(), sight.open.end(), [&](const std::string& open) {
    return open == "prepared" || std::find(mark.open.begin(), mark.open.end(), open) != mark.open.end();
  });
}

}  // namespace

Result<Snapshot> ParseSnapshot(std::string_view text) {
  const std::vector<std::string> parts = Split(text, ':');
  Snapshot snapshot;
  snapshot.text = text;
  const auto bad = [&] { return Fail(UnsupportedError("bad-cursor", fmt::format("\"{}\" is no snapshot of transactions", text))); };
  if (parts.size() != 3) return bad();
  const auto xmin = Number(parts[0]), xmax = Number(parts[1]);
  if (!xmin || !xmax || *xmin > *xmax) return bad();
  snapshot.xmin = *xmin;
  snapshot.xmax = *xmax;
  if (parts[2].empty()) return snapshot;
  for (const std::string& part : Split(parts[2], ',')) {
    const auto open = Number(part);
    if (!open) return bad();
    snapshot.open.push_back(*open);
  }
  std::sort(snapshot.open.begin(), snapshot.open.end());
  return snapshot;
}

std::string ToJson(const Cursor& cursor) {
  json out = {{"of", cursor.of},
              {"server", cursor.server},
              {"snapshot", cursor.snapshot},
              {"taken", cursor.taken},
              {"floor", ToValue(cursor.floor)}};
  if (cursor.mark) out["mark"] = {{"value", ToValue(cursor.mark->value)}, {"xmax", cursor.mark->xmax}, {"open", cursor.mark->open}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Cursor> ParseCursor(const std::string& text) {
  const json value = json::parse(text, nullptr, false);
  Cursor cursor;
  try {
    cursor.of = value.at("of");
    cursor.server = value.at("server");
    cursor.snapshot = value.at("snapshot");
    cursor.taken = value.at("taken").get<std::vector<int64_t>>();
    cursor.floor = TextOf(value.at("floor"));
    if (value.contains("mark")) {
      const json& mark = value.at("mark");
      cursor.mark = Mark{TextOf(mark.at("value")), mark.at("xmax"), mark.at("open")};
    }
  } catch (const json::exception& problem) {
    return Fail(UnsupportedError("bad-cursor", fmt::format("a cursor that cannot be read: {}", problem.what())));
  }
  return cursor;
}

Cursor Advance(const std::optional<Cursor>& before, const Sight& sight, const std::set<int64_t>& seen) {
  Cursor after{sight.of, sight.server, sight.snapshot.text, {}, before ? before->floor : std::nullopt, std::nullopt};
  std::set<int64_t> taken = seen;
  const bool same_server = before && before->server == sight.server;  // else values still mean what they did, transactions do not
  if (same_server) taken.insert(before->taken.begin(), before->taken.end());
  taken.erase(taken.begin(), taken.lower_bound(sight.snapshot.xmin));  // those below are over and need no list
  after.taken.assign(taken.begin(), taken.end());
  if (after.taken.size() > kMostTaken) after.taken.erase(after.taken.begin(), after.taken.end() - kMostTaken);
  after.mark = same_server ? before->mark : std::nullopt;
  if (after.mark && !IsOver(*after.mark, sight)) return after;
  if (after.mark) after.floor = after.mark->value;
  after.mark.reset();
  if (!sight.top) return after;
  // Whoever begins after `open` was listed writes no less than what was the highest value before that.
  after.mark = Mark{sight.top, sight.snapshot.xmax, sight.open};
  if (!IsOver(*after.mark, sight)) return after;
  after.floor = sight.top;
  after.mark.reset();
  return after;
}

int64_t WholeTransaction(uint32_t xmin, const Snapshot& now) {
  return now.xmax - static_cast<int64_t>(static_cast<uint32_t>(now.xmax) - xmin);
}

std::optional<int64_t> TransactionToKeep(uint32_t xmin, const Snapshot& now) {
  const int64_t whole = WholeTransaction(xmin, now);
  if (whole < now.xmin || whole >= now.xmax || std::binary_search(now.open.begin(), now.open.end(), whole)) return std::nullopt;
  return whole;
}

Result<std::optional<std::string>> NotTakenBefore(const Cursor& cursor, const Snapshot& now) {
  constexpr int64_t kWindow = int64_t{1} << 31;  // the column holds 32 bits of the 64
  SLUICE_TRY(const Snapshot before, ParseSnapshot(cursor.snapshot));
  if (now.xmax - before.xmin >= kWindow || now.xmax < before.xmin) return std::nullopt;
  // How many transactions before now.xmax the row was written.
  const std::string age = fmt::format("(({} - xmin::pg_catalog.text::pg_catalog.int8) & 4294967295)", now.xmax);
  std::string out = fmt::format("{} <= {}", age, now.xmax - before.xmin);
  if (cursor.taken.empty()) return out;
  std::vector<std::string> taken;
  for (const int64_t one : cursor.taken) taken.push_back(std::to_string(now.xmax - one));
  return fmt::format("({} AND {} NOT IN ({}))", out, age, Join(taken, ", "));
}

}  // namespace sluice::sources::postgres
