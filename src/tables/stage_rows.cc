// The stores without keys: append, overwrite, ready-made files; and the scans of what a change would leave.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "delta/json_text.h"
#include "delta/path.h"
#include "tables/change.h"
#include "tables/file_stats.h"
#include "tables/keyed.h"
#include "tables/partitioning.h"
#include "tables/prune.h"
#include "tables/read_where.h"
#include "tables/row_writer.h"
#include "tables/table_plan.h"
#include "tables/tombstones.h"

namespace sluice::tables {
namespace {

std::vector<const delta::Add*> AllFiles(const TableTarget& target) {
  std::vector<const delta::Add*> files;
  if (target.snapshot)
    for (const delta::Add& add : target.snapshot->files) files.push_back(&add);
  return files;
}

std::map<std::string, std::string> WriteParameters(std::string_view mode, const TablePlan& plan) {
  std::string columns;
  for (const std::string& name : plan.partition_columns) columns += (columns.empty() ? "" : ",") + delta::JsonString(name);
  return {{"mode", delta::JsonString(mode)}, {"partitionBy", delta::JsonString("[" + columns + "]")}};
}

Error NeedsConnection(const TableTarget& target, const std::vector<std::string>& widened) {
  return UserError("schema-change", fmt::format("{}: its files must be rewritten for wider columns: {}", target.name, Join(widened, "; ")))
      .Hint("rebuild it: --full-refresh");
}

// A table whose rows are all replaced remembers no deletes of before.
std::optional<delta::DomainMetadata> Forgotten(const TableTarget& target) {
  if (!target.snapshot || !target.snapshot->domains.contains(kTombstoneDomain)) return std::nullopt;
  return delta::DomainMetadata{kTombstoneDomain, "", true};
}

// The rows that are there, as the new schema has them.
Status RewriteAll(const TableTarget& target, const TablePlan& plan, engines::Connection& connection, RowWriter& writer) {
  SLUICE_TRY(const Scan scan,
             ScanFiles(*target.store, target.root, {plan.schema, plan.partition_columns, MappingOf(target), AllFiles(target)}));
  SLUICE_TRY(const auto reader, connection.Query("SELECT * FROM " + scan.sql));
  SLUICE_TRY([[maybe_unused]] const int64_t rows, writer.WriteAll(*reader, Brought::kKept));
  return Ok();
}

int64_t RowsIn(const std::vector<const delta::Add*>& files) {
  int64_t rows = 0;
  for (const delta::Add* add : files) rows += RowsOf(*add).value_or(0);
  return rows;
}

std::string Describe(const delta::PartitionValues& values) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : values) parts.push_back(fmt::format("{} = {}", name, value.value_or("NULL")));
  return Join(parts, ", ");
}

// The files that an overwrite where … replaces; an error if a new row lies elsewhere.
Result<std::vector<const delta::Add*>> FilesWhere(const TableTarget& target, const TablePlan& plan, const std::string& where,
                                                  const std::vector<StagedFile>& added, engines::Connection* connection) {
  if (plan.partition_columns.empty())
    return Fail(UserError("bad-partition", fmt::format("{} is not partitioned: only the whole of it can be overwritten", target.name)));
  if (connection == nullptr) return Fail(BugError("an overwrite by predicate needs a connection"));
  const auto present = AllFiles(target);
  std::vector<const delta::PartitionValues*> tuples;
  for (const delta::Add* add : present) tuples.push_back(&add->partition_values);
  for (const StagedFile& file : added) tuples.push_back(&file.add.partition_values);
  SLUICE_TRY(const auto matches, MatchingPartitions(*connection, {plan.schema, plan.partition_columns, MappingOf(target)}, where, tuples));
  for (size_t i = present.size(); i < tuples.size(); ++i)
    if (!matches[i])
      return Fail(DataError("row-outside-predicate", fmt::format("{}: rows with {} are outside of what is overwritten: {}", target.name,
                                                                 Describe(*tuples[i]), where)));
  std::vector<const delta::Add*> files;
  for (size_t i = 0; i < present.size(); ++i)
    if (matches[i]) files.push_back(present[i]);
  return files;
}

}  // namespace

Result<Scan> ScanAfter(const TableTarget& target, const StagedChange& change, const ScanOptions& options) {
  std::set<std::string> removed;
  for (const std::string& path : change.removed_paths) removed.insert(delta::PathKey(path));
  const bool as_it_is = change.empty && target.snapshot;
  const bool unknown = change.schema.fields.empty();
  ScanSource source{as_it_is  ? target.snapshot->schema
                    : unknown ? target.schema
                              : change.schema,
                    as_it_is ? target.snapshot->metadata.partition_columns : change.partition_columns,
                    as_it_is ? MappingOf(target) : change.mapping};
  for (const delta::Add* add : AllFiles(target))
    if (removed.empty() || !removed.contains(delta::PathKey(add->path))) source.files.push_back(add);
  for (const StagedFile& file : change.added) source.files.push_back(&file.add);
  return ScanFiles(*target.store, target.root, source, options);
}

Result<Scan> ScanAdded(const TableTarget& target, const StagedChange& change) {
  const std::set<std::string> removed(change.removed_paths.begin(), change.removed_paths.end());
  std::vector<StagedFile> fresh;  // a removed file that comes again has lost rows, and brings none
  std::copy_if(change.added.begin(), change.added.end(), std::back_inserter(fresh),
               [&](const StagedFile& file) { return !removed.contains(file.add.path); });
  return ScanStaged(*target.store, target.root, change.schema.fields.empty() ? target.schema : change.schema, change.partition_columns,
                    fresh, change.mapping);
}

Result<StagedChange> StageAppend(const TableTarget& target, arrow::RecordBatchReader& rows, const StageOptions& options,
                                 engines::Connection* connection) {
  SLUICE_TRY(TablePlan plan, PlanTable(target, Freedom::kEvolve, options));
  if (!plan.widened.empty() && connection == nullptr) return Fail(NeedsConnection(target, plan.widened));
  SLUICE_TRY(const auto writer, RowWriter::Open(target, plan, options));
  CommitParts parts;
  SLUICE_TRY(parts.counts.read, writer->WriteAll(rows));
  parts.counts.added = parts.counts.read;
  if (!plan.widened.empty()) {
    SLUICE_CHECK(RewriteAll(target, plan, *connection, *writer));
    parts.removed = AllFiles(target);
    parts.reads = delta::ReadScope::kWholeTable;
  }
  SLUICE_TRY(parts.added, writer->Finish());
  if (parts.added.empty() && parts.removed.empty() && !plan.schema_changed) return NoChange(plan, parts.counts);
  parts.operation = "WRITE";
  parts.parameters = WriteParameters("Append", plan);
  return MakeChange(target, std::move(plan), std::move(parts), options);
}

Result<StagedChange> StageOverwrite(const TableTarget& target, arrow::RecordBatchReader& rows, const OverwriteSpec& spec,
                                    const StageOptions& options, engines::Connection* connection) {
  SLUICE_TRY(TablePlan plan, PlanTable(target, spec.where.empty() ? Freedom::kReplace : Freedom::kEvolve, options));
  if (!plan.widened.empty()) return Fail(NeedsConnection(target, plan.widened));
  SLUICE_TRY(const auto writer, RowWriter::Open(target, plan, options));
  CommitParts parts;
  SLUICE_TRY(parts.counts.read, writer->WriteAll(rows));
  SLUICE_TRY(parts.added, writer->Finish());
  parts.counts.added = parts.counts.read;
  parts.removed = AllFiles(target);
  if (!spec.where.empty()) {
    SLUICE_TRY(parts.removed, FilesWhere(target, plan, spec.where, parts.added, connection));
  }
  parts.counts.removed = RowsIn(parts.removed);
  if (parts.added.empty() && parts.removed.empty() && !plan.schema_changed) return NoChange(plan, parts.counts);
  SetReads(std::nullopt, &parts);
  if (!spec.where.empty()) SetReads(PartitionsOf(*connection, FactsOf(target, plan), spec.where, false), &parts);
  parts.operation = "WRITE";
  parts.parameters = WriteParameters("Overwrite", plan);
  if (!spec.where.empty()) parts.parameters["predicate"] = delta::JsonString(spec.where);
  return MakeChange(target, std::move(plan), std::move(parts), options);
}

Result<StagedChange> StageFiles(const TableTarget& target, std::vector<StagedFile> files, bool replace, const StageOptions& options,
                                engines::Connection* connection, std::optional<delta::DomainMetadata> domain,
                                const std::vector<delta::Add>& gone) {
  SLUICE_TRY(TablePlan plan, PlanTable(target, replace ? Freedom::kReplace : Freedom::kEvolve, options));
  const bool rewrite = !plan.widened.empty() && !target.snapshot->files.empty();
  if (rewrite && connection == nullptr) return Fail(NeedsConnection(target, plan.widened));
  CommitParts parts;
  for (const StagedFile& file : files) parts.counts.read += file.rows;
  parts.counts.added = parts.counts.read;
  parts.added = std::move(files);
  if (rewrite) {
    SLUICE_TRY(const auto writer, RowWriter::Open(target, plan, options));
    SLUICE_CHECK(RewriteAll(target, plan, *connection, *writer));
    SLUICE_TRY(auto rewritten, writer->Finish());
    std::move(rewritten.begin(), rewritten.end(), std::back_inserter(parts.added));
  }
  if (rewrite && !gone.empty()) return Fail(BugError(target.name + ": files cannot go while all are rewritten"));
  for (const delta::Add& add : gone) parts.removed.push_back(&add);
  if (replace || rewrite) parts.removed = AllFiles(target);
  if (!parts.removed.empty() || replace || rewrite) {
    parts.reads = delta::ReadScope::kWholeTable;
  }
  if (replace) parts.counts.removed = RowsIn(parts.removed);
  if (parts.added.empty() && parts.removed.empty() && !plan.schema_changed) return NoChange(plan, parts.counts);
  parts.operation = gone.empty() ? "WRITE" : "UPDATE";
  if (gone.empty()) parts.parameters = WriteParameters(replace ? "Overwrite" : "Append", plan);
  parts.domain = std::move(domain);
  if (replace && !parts.domain) parts.domain = Forgotten(target);
  if (parts.domain) SLUICE_CHECK(RequireDomains(target, &plan));
  return MakeChange(target, std::move(plan), std::move(parts), options);
}

}  // namespace sluice::tables
