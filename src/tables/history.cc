#include "tables/history.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tables/file_stats.h"

namespace sluice::tables {
namespace {

std::string TextOf(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void ReadCommitInfo(const std::string& text, HistoryEntry* entry) {
  const auto info = nlohmann::json::parse(text, nullptr, false);
  if (!info.is_object()) return;
  entry->operation = TextOf(info, "operation");
  entry->engine = TextOf(info, "engineInfo");
  entry->run_id = TextOf(info, "sluiceRunId");
  entry->batch = TextOf(info, "sluiceBatch");
  entry->node = TextOf(info, "sluiceNode");
}

HistoryEntry Describe(const delta::LogCommit& commit) {
  HistoryEntry entry;
  entry.version = commit.version;
  entry.rows_added = 0;
  for (const delta::Action& action : commit.actions) {
    if (const auto* add = std::get_if<delta::Add>(&action)) {
      ++entry.files_added;
      const auto rows = RowsOf(*add);
      entry.rows_added = rows && entry.rows_added >= 0 ? entry.rows_added + *rows : -1;
    }
    if (std::holds_alternative<delta::Remove>(action)) ++entry.files_removed;
    if (std::holds_alternative<delta::Metadata>(action)) entry.schema_changed = true;
    if (std::holds_alternative<delta::Protocol>(action)) entry.protocol_changed = true;
    if (const auto* info = std::get_if<delta::CommitInfo>(&action)) ReadCommitInfo(info->json, &entry);
  }
  return entry;
}

}  // namespace

Result<std::vector<HistoryEntry>> History(store::ObjectStore& store, std::string_view table_root, std::optional<int64_t> limit) {
  SLUICE_TRY(const delta::Snapshot newest, delta::LoadSnapshot(store, table_root));
  const int64_t after = limit ? std::max<int64_t>(-1, newest.version - *limit) : -1;
  SLUICE_TRY(const delta::LogRange range, delta::ReadCommits(store, table_root, after, newest.version));
  SLUICE_TRY(const auto times, delta::CommitTimes(store, table_root, newest, range.commits));
  std::vector<HistoryEntry> entries;
  for (auto commit = range.commits.rbegin(); commit != range.commits.rend(); ++commit) {
    entries.push_back(Describe(*commit));
    if (const auto time = times.find(commit->version); time != times.end()) entries.back().timestamp = time->second;
  }
  return entries;
}

TableSummary Summarise(const delta::Snapshot& snapshot) {
  TableSummary summary;
  summary.id = snapshot.metadata.id;
  summary.description = snapshot.metadata.description.value_or("");
  summary.version = snapshot.version;
  summary.timestamp = snapshot.timestamp;
  summary.min_reader_version = snapshot.protocol.min_reader_version;
  summary.min_writer_version = snapshot.protocol.min_writer_version;
  std::set<std::string> features = snapshot.protocol.writer_features.value_or(std::set<std::string>{});
  if (snapshot.protocol.reader_features)
    features.insert(snapshot.protocol.reader_features->begin(), snapshot.protocol.reader_features->end());
  summary.features.assign(features.begin(), features.end());
  summary.partition_columns = snapshot.metadata.partition_columns;
  summary.properties = snapshot.metadata.configuration;
  summary.schema = snapshot.schema;
  summary.files = static_cast<int64_t>(snapshot.files.size());
  summary.rows = 0;
  std::set<delta::PartitionValues> partitions;
  const delta::PartitionValues* last = nullptr;  // files of one partition mostly follow each other
  for (const delta::Add& add : snapshot.files) {
    summary.bytes += add.size;
    const auto rows = RowsOf(add);
    summary.rows = rows && summary.rows >= 0 ? summary.rows + *rows : -1;
    if (last == nullptr || !(*last == add.partition_values)) partitions.insert(add.partition_values);
    last = &add.partition_values;
  }
  summary.partitions = summary.partition_columns.empty() ? 0 : static_cast<int64_t>(partitions.size());
  return summary;
}

}  // namespace sluice::tables
