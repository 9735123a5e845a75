#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "core/time.h"
#include "project/build.h"
#include "project/names.h"

namespace sluice::project {
namespace {

using config::GivenKey;

struct StoreKey {
  const char* key;
  std::vector<Store> stores;
};

// Which stores each key belongs to; keys that are not here belong to all.
const std::vector<StoreKey>& StoreKeys() {
  using enum Store;
  static const std::vector<StoreKey> keys = {
      {"key", {kMerge, kScd2}},
      {"sequence_by", {kMerge, kScd2}},
      {"delete_when", {kMerge, kScd2}},
      {"update", {kMerge}},
      {"on_missing", {kMerge}},
      {"track", {kScd2}},
      {"on_delete", {kScd2}},
      {"column", {kInterval}},
      {"every", {kInterval}},
      {"lookback", {kInterval}},
      {"start", {kInterval}},
      {"on_change", {kAppend, kMerge, kScd2, kInterval}},
      {"partition_by", {kTable, kAppend, kMerge, kScd2, kInterval}},
      {"readers", {kTable, kAppend, kMerge, kScd2, kInterval}},
      {"change_data_feed", {kTable, kAppend, kMerge, kScd2, kInterval}},
      {"publish", {kTable, kAppend, kMerge, kScd2, kInterval}},
      {"maintenance", {kTable, kAppend, kMerge, kScd2, kInterval}},
  };
  return keys;
}

std::string StoreName(Store store) {
  switch (store) {
    case Store::kView:
      return "view";
    case Store::kTable:
      return "table";
    case Store::kAppend:
      return "append";
    case Store::kMerge:
      return "merge";
    case Store::kScd2:
      return "scd2";
    case Store::kInterval:
      return "interval";
  }
  return "";
}

std::string StoreList(const std::vector<Store>& stores) {
  std::string text;
  for (size_t i = 0; i < stores.size(); ++i) text += (i == 0 ? "" : i + 1 == stores.size() ? " or " : ", ") + StoreName(stores[i]);
  return text;
}

// A default by path may say what only some of the models can use.
void CheckStoreKeys(const ModelSpec& spec, Diagnostics& diagnostics) {
  for (const GivenKey& given : spec.given) {
    const auto key = std::find_if(StoreKeys().begin(), StoreKeys().end(), [&](const StoreKey& k) { return k.key == given.name; });
    if (key == StoreKeys().end() || given.inherited) continue;
    if (std::find(key->stores.begin(), key->stores.end(), spec.store) != key->stores.end()) continue;
    diagnostics.Add(UserError("key-of-another-store", fmt::format("\"{}\" is of store: {}, and this model is a {}", given.name,
                                                                  StoreList(key->stores), StoreName(spec.store)))
                        .At(given.where)
                        .Hint(fmt::format("write store: {}, or remove {}", StoreName(key->stores[0]), given.name)));
  }
}

void NeedKey(bool has, const ModelSpec& spec, const std::string& key, const std::string& why, Diagnostics& diagnostics) {
  const bool given = std::any_of(spec.given.begin(), spec.given.end(), [&](const GivenKey& k) { return k.name == key; });
  if (has || given) return;  // what was given and is not there was refused
  diagnostics.Add(UserError("missing-key", fmt::format("store: {} needs \"{}\"", StoreName(spec.store), key)).At(spec.where).Hint(why));
}

void CheckKeyed(const ModelSpec& spec, Diagnostics& diagnostics) {
  NeedKey(!spec.key.empty(), spec, "key", "add key: [COLUMN], the columns that identify a row", diagnostics);
  NeedKey(!spec.sequence_by.empty(), spec, "sequence_by",
          "add sequence_by: [updated_at], what tells which row is newer, or sequence_by: arrival for the later batch", diagnostics);
  CheckDistinct(spec.key, "duplicate-item", "the key column", diagnostics);
  CheckDistinct(spec.sequence_by, "duplicate-item", "the sequence_by column", diagnostics);
  for (const PlacedText& by : spec.sequence_by)
    if (by.value == "arrival" && spec.sequence_by.size() > 1)
      diagnostics.Add(UserError("bad-sequence", "\"arrival\" stands alone: it means the later batch")
                          .At(by.where)
                          .Hint("write sequence_by: arrival, or columns only"));
  for (const PlacedText& column : spec.update)
    for (const PlacedText& key : spec.key)
      if (EqualsIgnoreCase(column.value, key.value))
        diagnostics.Add(UserError("key-is-updated", fmt::format("\"{}\" is of the key, which no update changes", column.value))
                            .At(column.where)
                            .Hint("remove it from update"));
  if (spec.on_delete == OnDelete::kClose && !spec.delete_when)
    diagnostics.Add(UserError("missing-key", "on_delete: close needs \"delete_when\"")
                        .At(spec.where)
                        .Hint("add delete_when: \"status = 'deleted'\", what tells a deletion"));
}

std::string EveryName(Every every) {
  return every == Every::kHour ? "hour" : every == Every::kDay ? "day" : every == Every::kMonth ? "month" : "year";
}

// Is the instant (micros) the first of a window?
bool StartsWindow(int64_t micros, Every every) {
  constexpr int64_t kHourMicros = 3'600'000'000LL;
  if (micros % kHourMicros != 0) return false;
  if (every == Every::kHour) return true;
  const int64_t hours = micros / kHourMicros;
  if (hours % 24 != 0) return false;
  const CivilDate date = CivilFromDays(static_cast<int32_t>(hours / 24));
  return every == Every::kDay || (date.day == 1 && (every == Every::kMonth || date.month == 1));
}

void CheckStart(const PlacedText& start, Every every, Diagnostics& diagnostics) {
  std::optional<int64_t> micros;
  if (const auto days = ParseDate(start.value))
    micros = int64_t{*days} * 86'400'000'000LL;
  else if (const auto instant = ParseInstant(start.value))
    micros = instant->micros;
  else if (const auto wall = ParseInstant(start.value + "Z"))
    micros = wall->micros;
  if (!micros)
    diagnostics.Add(
        UserError("bad-start", fmt::format("\"{}\" is no date or timestamp", start.value)).At(start.where).Hint("write start: 2024-01-01"));
  else if (!StartsWindow(*micros, every))
    diagnostics.Add(
        UserError("bad-start", fmt::format("\"{}\" is not the first moment of a window of one {}", start.value, EveryName(every)))
            .At(start.where)
            .Hint(fmt::format("write the first moment of its {}", EveryName(every))));
}

void CheckInterval(const ModelSpec& spec, Diagnostics& diagnostics) {
  NeedKey(spec.column.has_value(), spec, "column", "add column: NAME, the date or timestamp that says which window a row is in",
          diagnostics);
  NeedKey(spec.start.has_value(), spec, "start", "add start: 2024-01-01, where the first window begins", diagnostics);
  if (spec.start) CheckStart(*spec.start, spec.every, diagnostics);
}

std::vector<ColumnSpec> BuildColumns(const ModelSpec& spec, Diagnostics& diagnostics) {
  std::vector<ColumnSpec> columns;
  Texts names;
  for (const ColumnSpecSpec& column : spec.columns) {
    if (column.name.value.empty()) continue;
    CheckColumnName(column.name, diagnostics);
    names.push_back(column.name);
    columns.push_back(
        {column.name.value, column.type ? std::optional(column.type->value) : std::nullopt, column.description, column.pii, column.where});
  }
  CheckDistinct(names, "duplicate-column", "the column", diagnostics);
  return columns;
}

void CheckLayer(const ModelFile& file, const Project& project, Diagnostics& diagnostics) {
  if (std::find(project.layers.begin(), project.layers.end(), file.layer) != project.layers.end()) return;
  diagnostics.Add(UserError("unknown-layer", fmt::format("the folder \"{}\" is no layer of the project{}", file.layer,
                                                         DidYouMean(file.layer, project.layers)))
                      .At({file.stem + ".sql", 1, 1})
                      .Hint("layers: " + Join(project.layers, ", ") + "; move the file, or add the layer to layers: in sluice.yml"));
}

void CheckStore(const ModelSpec& spec, Diagnostics& diagnostics) {
  CheckStoreKeys(spec, diagnostics);
  if (spec.store == Store::kMerge || spec.store == Store::kScd2) CheckKeyed(spec, diagnostics);
  if (spec.store == Store::kInterval) CheckInterval(spec, diagnostics);
  CheckPartitioning(spec.partition_by, {}, diagnostics);
}

std::map<std::string, Location> ColumnPlaces(const ModelSpec& spec) {
  std::map<std::string, Location> places;
  const auto add = [&](const char* key, const std::vector<PlacedText>& names) {
    for (const PlacedText& name : names) places.emplace(fmt::format("{}.{}", key, name.value), name.where);
  };
  add("key", spec.key);
  add("sequence_by", spec.sequence_by);
  add("update", spec.update);
  add("track", spec.track);
  if (spec.column) add("column", {*spec.column});
  return places;
}

Readers DefaultReaders(const std::string& layer) { return layer == "silver" ? Readers::kDelta : Readers::kAny; }

}  // namespace

Model BuildModel(const ModelSpec& spec, const ModelFile& file, const Project& project, Diagnostics& diagnostics) {
  Model model;
  model.layer = file.layer;
  model.name = file.name;
  model.sql = file.sql;
  model.sql_file = file.stem + ".sql";
  model.where = file.yaml ? spec.where : Location{model.sql_file, 1, 1};
  CheckLayer(file, project, diagnostics);
  CheckName({file.name, {model.sql_file, 1, 1}}, "a model", diagnostics);
  CheckStore(spec, diagnostics);
  model.store = spec.store;
  model.key = TextsOf(spec.key);
  model.sequence_by = TextsOf(spec.sequence_by);
  if (spec.delete_when) {
    model.delete_when = spec.delete_when->value;
    model.delete_when_where = spec.delete_when->where;
  }
  model.update = TextsOf(spec.update);
  model.track = TextsOf(spec.track);
  model.on_missing = spec.on_missing;
  model.on_delete = spec.on_delete.value_or(OnDelete::kIgnore);
  model.readers = spec.readers.value_or(DefaultReaders(file.layer));
  model.change_data_feed = spec.change_data_feed;
  if (spec.column) model.interval_column = spec.column->value;
  model.every = spec.every;
  model.lookback = static_cast<int>(spec.lookback);
  if (spec.start) model.start = spec.start->value;
  model.partition_by = TextsOf(spec.partition_by);
  model.on_change = spec.on_change;
  if (spec.publish && spec.store != Store::kView && CheckName(*spec.publish, "a publish group", diagnostics)) {
    model.publish = spec.publish->value;
    model.publish_where = spec.publish->where;
  }
  model.column_places = ColumnPlaces(spec);
  model.columns = BuildColumns(spec, diagnostics);
  model.checks = BuildChecks(spec.checks, {model.table(), {}}, diagnostics);
  if (spec.store != Store::kView) model.maintenance = BuildMaintenance(spec.maintenance, diagnostics);
  model.properties = BuildProperties(spec.properties, project, diagnostics);
  return model;
}

}  // namespace sluice::project
