#include "run/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text.h"
#include "delta/path.h"
#include "run/external.h"
#include "tables/net_adds.h"
#include "tables/restore.h"

namespace sluice::run {
namespace {

using engines::TableUse;
using engines::UseMode;

std::string TableOf(const TableUse& use) { return use.schema + "." + use.name; }

// Does it do more than add files? Only what changes data counts.
bool TakesRows(const delta::LogCommit& commit) {
  return std::any_of(commit.actions.begin(), commit.actions.end(), [](const delta::Action& action) {
    if (const auto* remove = std::get_if<delta::Remove>(&action)) return remove->data_change;
    return std::holds_alternative<delta::CdcFile>(action);
  });
}

bool IsRestore(const delta::LogCommit& commit) {
  return std::any_of(commit.actions.begin(), commit.actions.end(), [](const delta::Action& action) {
    const auto* info = std::get_if<delta::CommitInfo>(&action);
    const auto said = info ? nlohmann::json::parse(info->json, nullptr, false) : nlohmann::json();
    return said.is_object() && said.value("operation", nlohmann::json()) == "RESTORE";
  });
}

std::vector<delta::Add> AddedBy(const std::vector<delta::LogCommit>& commits) {
  std::vector<delta::Add> added;
  for (const auto& commit : commits)
    for (const auto& action : commit.actions)
      if (const auto* add = std::get_if<delta::Add>(&action); add && add->data_change) added.push_back(*add);
  return added;
}

// Those of `files` that the table does not hold any more: they were only rearranged (OPTIMIZE).
std::vector<const delta::Add*> NotLive(const std::vector<delta::Add>& files, const delta::Snapshot& snapshot) {
  std::map<std::string_view, const delta::Add*> left;
  for (const auto& file : files) left[file.path] = &file;
  if (!left.empty())
    for (const auto& live : snapshot.files) left.erase(live.path);
  std::vector<const delta::Add*> gone;
  for (const auto& [path, file] : left) gone.push_back(file);
  return gone;
}

Result<bool> IsThere(Session& session, const std::string& table, const std::string& path) {
  if (delta::IsAbsolutePath(path)) return true;
  const auto found = session.lake().Head(delta::StoreKey(Session::RootOf(table), path));
  if (!found && found.error().kind != ErrorKind::kNotFound) return Fail(found.error());
  return found.has_value();
}

// Why files that commits only added cannot be read as such; "" = they can.
Result<std::string> WhyNotAdded(Session& session, const std::string& table, const std::vector<delta::Add>& added,
                                const delta::Snapshot& snapshot, int64_t after) {
  const auto rearranged = NotLive(added, snapshot);
  if (rearranged.empty()) return std::string();
  std::set<std::string_view> tombstones;
  for (const auto& gone : snapshot.tombstones) tombstones.insert(gone.path);
  for (const delta::Add* file : rearranged) {
    SLUICE_TRY(const bool there, IsThere(session, table, file->path));
    if (!there) return fmt::format("the file {} was removed (VACUUM)", file->path);
    // A commit that was put into a cleaned slot is in the log's folder and not in the table.
    if (!tombstones.contains(file->path)) return fmt::format("its log after version {} was cleaned", after);
  }
  return std::string();
}

Feed Whole(const Pinned& pinned, std::string because = "") {
  Feed feed;
  feed.files = pinned.snapshot->files.ToVector();
  feed.whole_because = std::move(because);
  return feed;
}

std::optional<int64_t> StagedTimestamp(const Pinned& pinned) {
  return pinned.staged ? std::optional(pinned.snapshot->timestamp) : std::nullopt;
}

Result<tables::Changes> RowChanges(Session& session, const std::string& table, const Pinned& pinned, delta::LogRange range) {
  return tables::ChangesIn(session.lake(), Session::RootOf(table), {*pinned.snapshot, std::move(range.commits), StagedTimestamp(pinned)});
}

// Of Parquet files of another owner, those that were replaced or went: nobody has kept what they held. "" = none, or another table.
std::string WhyFilesLost(Session& session, const std::string& table, const std::vector<delta::LogCommit>& commits) {
  const project::Source* source = FindExternal(session.project(), table);
  if (source == nullptr || source->external->format != project::External::Format::kParquet) return "";
  for (const delta::LogCommit& commit : commits)
    for (const delta::Action& action : commit.actions)
      if (const auto* remove = std::get_if<delta::Remove>(&action))
        return fmt::format("its version {} has another file {} or none", commit.version, delta::PathKey(remove->path));
  return "";
}

// Bronze is an append log: where rows leave it, it was made anew from its source.
std::optional<Feed> BronzeMadeAnew(const plan::Node* node, const Pinned& pinned, const std::vector<delta::LogCommit>& commits) {
  if (node == nullptr || node->source == nullptr || node->source->external) return std::nullopt;
  const auto replaced = std::find_if(commits.begin(), commits.end(), TakesRows);
  if (replaced == commits.end()) return std::nullopt;
  Feed feed = Whole(pinned, fmt::format("its version {} replaced rows (a reload, a file that was replaced, or a column that grew wider)",
                                        replaced->version));
  if (node->source->load == project::Load::kFull && node->source->keep == project::Keep::kLatest) {
    feed.whole_because = "its source keeps only the latest snapshot";
    feed.snapshots = true;
  }
  return feed;
}

Result<Feed> FeedSince(Session& session, const TableUse& use, const Pinned& pinned, const Consumed& from) {
  const std::string table = TableOf(use);
  const delta::Snapshot& snapshot = *pinned.snapshot;
  if (from.table_id != snapshot.metadata.id) return Whole(pinned, "it was replaced since");
  if (from.version > snapshot.version)
    return Whole(pinned, fmt::format("it went back from version {} to {}", from.version, snapshot.version));
  SLUICE_TRY(delta::LogRange range, CommitsAfter(session, table, pinned, from.version));
  if (!range.complete || !range.anchored) return Whole(pinned, fmt::format("its log after version {} was cleaned", from.version));
  if (std::string lost = WhyFilesLost(session, table, range.commits); !lost.empty()) return Whole(pinned, std::move(lost));
  const bool takes_rows = std::any_of(range.commits.begin(), range.commits.end(), TakesRows);
  if (use.mode == UseMode::kNew && std::any_of(range.commits.begin(), range.commits.end(), IsRestore)) {
    // Taken back meanwhile is as if it had never come, as long as nothing that was read is gone.
    auto net = tables::NetAdds(session.lake(), Session::RootOf(table), from.version, snapshot);
    if (net && *net) return Feed{.kind = Feed::Kind::kAdded, .files = **std::move(net)};
  }
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  if (auto anew = BronzeMadeAnew(graph->Find(table), pinned, range.commits)) return *std::move(anew);
  Feed feed;
  if (!takes_rows) {
    feed.files = AddedBy(range.commits);
    SLUICE_TRY(const std::string why_not, WhyNotAdded(session, table, feed.files, snapshot, from.version));
    if (!why_not.empty()) return Whole(pinned, why_not);
    feed.kind = Feed::Kind::kAdded;
    if (use.mode == UseMode::kNew) return feed;
  }
  feed.files.clear();
  SLUICE_TRY(feed.rows, RowChanges(session, table, pinned, std::move(range)));
  if (!feed.rows->why_not.empty()) return Whole(pinned, feed.rows->why_not);
  feed.kind = Feed::Kind::kRows;
  return feed;
}

Status CheckChangeColumns(const TableUse& use, const contract::Schema& schema) {
  if (use.mode != UseMode::kChanges) return Ok();
  for (const contract::Field& field : contract::ChangeColumns())
    if (schema.Find(field.name) != nullptr)
      return Fail(
          UserError("reserved-column", fmt::format("changes({0}) can't be read: {0} has a column {1} of its own", TableOf(use), field.name))
              .At(use.where)
              .Hint(fmt::format("read new({}), or rename that column where the table is made", TableOf(use))));
  return Ok();
}

// Rows of a table as it stands, as changes(t) has them.
void AsInserts(const delta::Snapshot& snapshot, TableRelation* relation) {
  relation->sql = fmt::format(
      "(SELECT *, 'insert' AS _change_type, CAST({} AS BIGINT) AS _commit_version, make_timestamptz({}) AS _commit_timestamp FROM {})",
      snapshot.version, snapshot.timestamp * 1000, relation->sql);
  for (const contract::Field& field : contract::ChangeColumns()) relation->schema.fields.push_back(field);
}

// Rows with new values, as the table's columns have them.
void OnlyAfter(TableRelation* relation) {
  std::erase_if(relation->schema.fields, [](const contract::Field& field) { return contract::IsChangeColumn(field.name); });
  std::vector<std::string> names;
  for (const contract::Field& field : relation->schema.fields) names.push_back(QuoteIdentifier(field.name));
  relation->sql = fmt::format("(SELECT {} FROM {} WHERE _change_type IN ('insert', 'update_postimage'))", Join(names, ", "), relation->sql);
}

std::string Compared(const contract::Schema& schema, const std::vector<std::string>& metadata_compared) {
  std::vector<std::string> names;
  for (const contract::Field& field : schema.fields) {
    const bool wanted = std::find(metadata_compared.begin(), metadata_compared.end(), ToLower(field.name)) != metadata_compared.end();
    if (wanted || !contract::IsMetadataColumn(field.name)) names.push_back(QuoteIdentifier(field.name));
  }
  return Join(names, ", ");
}

// The two versions held against each other, file by file and row by row.
Result<std::optional<std::string>> DifferenceSince(Session& session, const std::string& table, const Pinned& pinned, int64_t version,
                                                   const std::vector<std::string>& metadata_compared) {
  const std::string root = Session::RootOf(table);
  const auto before = delta::LoadSnapshot(session.lake(), root, version);
  if (!before) return std::optional<std::string>();  // the old version can't be read any more
  const auto removed = tables::FilesWithout(*before, *pinned.snapshot), added = tables::FilesWithout(*pinned.snapshot, *before);
  for (const delta::Add& file : removed) {
    SLUICE_TRY(const bool there, IsThere(session, table, file.path));
    if (!there) return std::optional<std::string>();
  }
  SLUICE_TRY(const tables::Scan lost, tables::ScanFor(session.lake(), root, *pinned.snapshot, {.only = removed}));
  SLUICE_TRY(const tables::Scan gained, tables::ScanFor(session.lake(), root, *pinned.snapshot, {.only = added}));
  if (removed.empty()) return std::optional(gained.sql);
  const std::string columns = Compared(pinned.snapshot->schema, metadata_compared);
  return std::optional(
      fmt::format("(SELECT * FROM ((SELECT {0} FROM {1} EXCEPT ALL SELECT {0} FROM {2}) UNION ALL (SELECT {0} FROM {2} EXCEPT ALL SELECT "
                  "{0} FROM {1})))",
                  columns, gained.sql, lost.sql));
}

}  // namespace

Result<delta::LogRange> CommitsAfter(Session& session, const std::string& table, const Pinned& pinned, int64_t after) {
  const int64_t logged = pinned.snapshot->version - (pinned.staged ? 1 : 0);
  SLUICE_TRY(delta::LogRange range, delta::ReadCommits(session.lake(), Session::RootOf(table), std::min(after, logged), logged));
  if (pinned.staged && after < pinned.staged->version) range.commits.push_back(*pinned.staged);
  return range;
}

Result<Feed> FeedOf(Session& session, const TableUse& use, const Pinned& pinned, const ConsumedInputs* consumed) {
  SLUICE_CHECK(CheckChangeColumns(use, pinned.snapshot->schema));
  if (consumed == nullptr) return Whole(pinned);
  const auto from = consumed->find(TableOf(use));
  if (from == consumed->end() || from->second.table_id.empty()) return Whole(pinned);
  return FeedSince(session, use, pinned, from->second);
}

Result<TableRelation> RelationOf(Session& session, const TableUse& use, const Pinned& pinned, const Feed& feed,
                                 const std::optional<std::vector<delta::Add>>& only, const std::string& where) {
  TableRelation relation;
  if (feed.kind == Feed::Kind::kRows) {
    relation = {feed.rows->scan->sql, feed.rows->scan->schema, -1};
  } else {
    SLUICE_TRY(tables::Scan scan,
               tables::ScanFor(session.lake(), Session::RootOf(TableOf(use)), *pinned.snapshot, {.only = only ? *only : feed.files}));
    relation = {std::move(scan.sql), std::move(scan.schema), scan.rows};
  }
  if (!where.empty()) relation.sql = fmt::format("(SELECT * FROM {} WHERE {})", relation.sql, where);
  if (feed.kind == Feed::Kind::kRows && use.mode == UseMode::kNew) OnlyAfter(&relation);
  if (feed.kind != Feed::Kind::kRows && use.mode == UseMode::kChanges) AsInserts(*pinned.snapshot, &relation);
  return relation;
}

Result<std::optional<std::string>> RowsTouched(Session& session, const std::string& table, const Pinned& pinned, const Consumed& from,
                                               const std::vector<std::string>& metadata_compared) {
  if (from.table_id != pinned.snapshot->metadata.id || from.version > pinned.snapshot->version) return std::optional<std::string>();
  SLUICE_TRY(delta::LogRange range, CommitsAfter(session, table, pinned, from.version));
  if (!WhyFilesLost(session, table, range.commits).empty()) return std::optional<std::string>();
  if (range.complete && range.anchored && metadata_compared.empty()) {
    SLUICE_TRY(const tables::Changes changes, RowChanges(session, table, pinned, std::move(range)));
    if (changes.scan) return std::optional(changes.scan->sql);
  }
  return DifferenceSince(session, table, pinned, from.version, metadata_compared);
}

}  // namespace sluice::run
