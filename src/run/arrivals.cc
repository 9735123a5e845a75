#include "run/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/text.h"
#include "tables/file_stats.h"
#include "tables/scan.h"

namespace sluice::run {
namespace {

using engines::TableUse;
using engines::UseMode;

constexpr const char* kBatch = "_batch_id";
constexpr const char* kVersion = "_commit_version";

Arrivals Unknown(std::string why, std::string remedy) { return {"", {}, std::move(why), std::move(remedy)}; }

// The batches of `files`, each written by one, as ingest and models write them; nullopt where statistics do not tell.
std::optional<std::vector<int64_t>> BatchesOf(const std::vector<delta::Add>& files) {
  std::set<int64_t> batches;
  for (const delta::Add& file : files) {
    const auto bounds = tables::BoundsOf(file, kBatch);
    if (!bounds || bounds->first != bounds->second) return std::nullopt;
    batches.insert(bounds->first);
  }
  return std::vector<int64_t>(batches.begin(), batches.end());
}

// The values of `column` in `relation`, ascending; nullopt where a row has none.
Result<std::optional<std::vector<int64_t>>> ValuesOf(Session& session, const char* column, const std::string& relation) {
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  SLUICE_TRY(const auto rows, connection->Rows(fmt::format("SELECT DISTINCT {0} FROM {1} ORDER BY {0} NULLS FIRST", column, relation)));
  std::vector<int64_t> values;
  for (const auto& row : rows) {
    if (!row[0]) return std::optional<std::vector<int64_t>>();
    std::from_chars(row[0]->data(), row[0]->data() + row[0]->size(), values.emplace_back());
  }
  return std::optional(std::move(values));
}

bool MayHold(const delta::Add& file, int64_t batch) {
  const auto bounds = tables::BoundsOf(file, kBatch);
  return !bounds || (bounds->first <= batch && batch <= bounds->second);
}

bool IsFresh(const TableUse& use) { return use.mode == UseMode::kNew || use.mode == UseMode::kChanges; }

// Of rows that commits changed: one arrival for each version.
Status AddVersions(Session& session, const TableUse& use, const Pinned& pinned, const Feed& feed, Arrivals* arrivals) {
  SLUICE_TRY(const auto versions, ValuesOf(session, kVersion, feed.rows->scan->sql));
  for (const int64_t version : versions.value_or(std::vector<int64_t>())) {
    SLUICE_TRY(TableRelation one, RelationOf(session, use, pinned, feed, std::nullopt, fmt::format("{} = {}", kVersion, version)));
    arrivals->relations.push_back(std::move(one.sql));
  }
  return Ok();
}

// Of whole files: one for each batch that wrote rows of them. False: some rows do not say.
Result<bool> AddBatches(Session& session, const TableUse& use, const Pinned& pinned, const Feed& feed, Arrivals* arrivals) {
  auto batches = BatchesOf(feed.files);
  if (!batches) {
    SLUICE_TRY(const TableRelation all, RelationOf(session, use, pinned, feed));
    SLUICE_TRY(batches, ValuesOf(session, kBatch, all.sql));
  }
  if (!batches) return false;
  for (const int64_t batch : *batches) {
    std::vector<delta::Add> only;
    std::copy_if(feed.files.begin(), feed.files.end(), std::back_inserter(only),
                 [&](const delta::Add& file) { return MayHold(file, batch); });
    SLUICE_TRY(TableRelation one, RelationOf(session, use, pinned, feed, std::move(only), fmt::format("{} = {}", kBatch, batch)));
    arrivals->relations.push_back(std::move(one.sql));
  }
  return true;
}

}  // namespace

Result<Arrivals> ArrivalsOf(Session& session, const PinOf& pin_of, const std::vector<TableUse>& uses, const ConsumedInputs* consumed) {
  std::vector<const TableUse*> fresh;
  std::vector<std::string> names;
  for (const TableUse& use : uses) {
    if (IsFresh(use)) fresh.push_back(&use);
    if (IsFresh(use) || use.mode == UseMode::kWhole) names.push_back(use.id());
  }
  const std::string order = "give sequence_by a column that orders the changes of a key";
  if (fresh.empty())
    return Unknown(fmt::format("it reads {} whole, so which of its rows came later is not known", Join(names, " and ")),
                   fmt::format("read new(…) of the table whose rows arrive, which tells their batches; or {}", order));
  if (fresh.size() > 1)
    return Unknown(fmt::format("it reads {}, whose batches have no order among each other", Join(names, " and ")),
                   fmt::format("read new(…) of one table only; or {}", order));
  const TableUse& use = *fresh.front();
  const std::string table = use.schema + "." + use.name;
  Arrivals arrivals{use.id(), {}, "", fmt::format("a batch of {} may have a key once only: deduplicate it; or {}", table, order)};
  SLUICE_TRY(const Pinned pinned, pin_of(table));
  if (!pinned.snapshot) return arrivals;
  SLUICE_TRY(const Feed feed, FeedOf(session, use, pinned, consumed));
  if (feed.kind == Feed::Kind::kRows) {
    arrivals.remedy = fmt::format("a version of {} may give a key once only: leave out its update_preimage rows; or {}", table, order);
    SLUICE_CHECK(AddVersions(session, use, pinned, feed, &arrivals));
    return arrivals;
  }
  if (pinned.snapshot->schema.Find(kBatch) == nullptr)
    return Unknown(fmt::format("the rows of {} say no batch that wrote them (it has no {})", table, kBatch), order);
  SLUICE_TRY(const bool told, AddBatches(session, use, pinned, feed, &arrivals));
  if (!told) return Unknown(fmt::format("some rows of {} say no batch that wrote them (their {} is NULL)", table, kBatch), order);
  return arrivals;
}

}  // namespace sluice::run
