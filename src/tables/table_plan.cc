#include "tables/table_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/text.h"
#include "delta/features.h"
#include "delta/json_text.h"
#include "delta/type_widening.h"
#include "tables/file_stats.h"
#include "tables/generated.h"
#include "tables/partitioning.h"

namespace sluice::tables {
namespace {

using contract::Field;

constexpr const char* kChangeDataFeed = "delta.enableChangeDataFeed";
constexpr const char* kDeletionVectors = "delta.enableDeletionVectors";

bool SameNames(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) { return EqualsIgnoreCase(x, y); });
}

std::string PartitionText(const std::vector<std::string>& columns) {
  return columns.empty() ? "not partitioned" : "partitioned by " + Join(columns, ", ");
}

contract::Schema Evolved(const contract::Schema& before, const contract::Schema& wanted) {
  contract::Schema out = before;
  for (Field& field : out.fields) {
    const Field* now = wanted.Find(field.name);
    if (now == nullptr || IsGenerated(field)) continue;
    field.type = EvolvedType(field.type, now->type);
    field.nullable = field.nullable || now->nullable;
  }
  for (const Field& field : wanted.fields) {
    if (before.Find(field.name) != nullptr) continue;
    Field added = field;
    added.nullable = true;  // the rows of before have none
    out.fields.push_back(std::move(added));
  }
  return out;
}

Error Breaking(const TableTarget& target, const std::vector<std::string>& what) {
  return UserError("schema-change", fmt::format("{}: the table's readers would break: {}", target.name, Join(what, "; ")))
      .Hint("rebuild it on purpose: --full-refresh");
}

// Before and wanted brought together; errors where that would break readers.
Result<contract::Schema> SchemaAfter(const TableTarget& target, const contract::Schema& wanted, const std::vector<std::string>& partitions,
                                     Freedom freedom, TablePlan* plan) {
  const delta::Snapshot& before = *target.snapshot;
  SchemaChange change = CompareSchemas(before.schema, wanted);
  if (!SameNames(partitions, before.metadata.partition_columns))
    change.breaking.push_back(
        fmt::format("it is {}, and would be {}", PartitionText(before.metadata.partition_columns), PartitionText(partitions)));
  if (freedom == Freedom::kReplace && (target.replace_schema || change.breaking.empty())) return WithIdsOf(before.schema, wanted);
  if (!change.breaking.empty()) return Fail(Breaking(target, change.breaking));
  contract::Schema after = Evolved(before.schema, wanted);
  if (delta::IsEnabled(before.metadata, "delta.enableTypeWidening") && delta::AreTypeChanges(before.schema, after))
    delta::RecordTypeChanges(before.schema, &after);  // old files stay, and are read as the wider type
  else
    plan->widened = change.widened;
  return after;
}

void Describe(const TableTarget& target, delta::Metadata* metadata) {
  for (const auto& [key, value] : delta::StoredProperties(target.properties)) metadata->configuration[key] = value;
  if (!target.description.empty()) metadata->description = target.description;
}

delta::Metadata NewMetadata(const TableTarget& target, const TablePlan& plan, const StageOptions& options) {
  delta::Metadata metadata;
  metadata.id = plan.table_id;
  metadata.partition_columns = plan.partition_columns;
  metadata.created_time = ClockOf(options).Now().millis();
  Describe(target, &metadata);
  return metadata;
}

std::string PropertyOf(const delta::Metadata& metadata, const std::string& key) {
  const auto found = metadata.configuration.find(key);
  return found == metadata.configuration.end() ? "" : found->second;
}

// Properties that say something of the rows and commits before them cannot simply be set on a table that has some.
Status CheckPropertyChanges(const delta::Metadata& before, const delta::Metadata& after) {
  for (const auto& [key, value] : after.configuration) {
    const bool fixed =
        key.starts_with("delta.constraints.") || key == "delta.columnMapping.mode" || key == "delta.enableInCommitTimestamps";
    if (fixed && !EqualsIgnoreCase(PropertyOf(before, key), value))
      return Fail(UnsupportedError("unsupported-feature", fmt::format("{} = {} can only be set where the table is created", key, value)));
  }
  return Ok();
}

// Generated columns must be ones that we can compute.
Status CheckGenerated(const TablePlan& plan) {
  for (const Field& field : plan.schema.fields) SLUICE_CHECK(GeneratedOf(field, plan.schema));
  return Ok();
}

bool Names(const std::vector<std::string>& columns, const std::string& name) {
  return std::any_of(columns.begin(), columns.end(), [&](const std::string& column) { return EqualsIgnoreCase(column, name); });
}

// A column that the table generates stays one: where the rows do not bring it, and where they do. Of a table made anew, only those by which
// the project partitions it.
Status TakeGenerated(const TableTarget& target, bool anew, contract::Schema* wanted) {
  constexpr const char* kExpression = "delta.generationExpression";
  for (const Field& field : target.snapshot->schema.fields) {
    if (!IsGenerated(field) || (anew && !Names(target.partition_by, field.name))) continue;
    const int at = wanted->IndexOf(field.name);
    if (at < 0) {
      wanted->fields.push_back(field);
      continue;
    }
    Field& brought = wanted->fields[static_cast<size_t>(at)];
    if (anew) continue;
    if (!(brought.type == field.type))
      return Fail(Breaking(target, {fmt::format("{}: {} → {}", field.name, field.type.ToString(), brought.type.ToString())}));
    brought.metadata[kExpression] = field.metadata.at(kExpression);
  }
  return Ok();
}

// Gives the plan what follows from its schema and the table's properties: protocol, column ids, the rules of its files.
Status Complete(const TableTarget& target, const std::optional<delta::Protocol>& before, delta::Metadata* metadata, TablePlan* plan) {
  auto asked = metadata->configuration;
  for (const auto& [key, value] : target.properties) asked[key] = value;  // "delta.feature.…" among them
  SLUICE_TRY(delta::Protocol protocol, delta::ProtocolFor(plan->schema, asked, before));
  SLUICE_CHECK(CheckGenerated(*plan));
  SLUICE_TRY(plan->rules, RulesOf(protocol, *metadata, &plan->schema));
  if (plan->rules.mapping != delta::ColumnMapping::kNone) delta::AssignColumnIds(&plan->schema, &metadata->configuration);
  if (!before || !(protocol == *before)) plan->protocol = std::move(protocol);
  return Ok();
}

}  // namespace

Clock& ClockOf(const StageOptions& options) { return options.clock ? *options.clock : SystemClock(); }
Random& RandomOf(const StageOptions& options) { return options.random ? *options.random : SystemRandom(); }

std::vector<std::string> TablePlan::InputColumns() const {
  std::vector<std::string> names;
  for (const Field& field : schema.fields)
    if (!IsGenerated(field)) names.push_back(field.name);
  return names;
}

std::vector<std::string> TablePlan::AllColumns() const {
  std::vector<std::string> names = InputColumns();
  for (const Field& field : schema.fields)
    if (IsGenerated(field)) names.push_back(field.name);
  return names;
}

bool MayMarkRows(const TableTarget& target) {
  if (!target.deletion_vectors || !target.snapshot) return false;
  const auto& properties = target.snapshot->metadata.configuration;
  const auto set = properties.find(kDeletionVectors);
  return set == properties.end() || EqualsIgnoreCase(set->second, "true");
}

bool KeepsChangeData(const TableTarget& target, const TablePlan& plan) {
  if (plan.metadata) return delta::IsEnabled(*plan.metadata, kChangeDataFeed);
  return target.snapshot && delta::IsEnabled(target.snapshot->metadata, kChangeDataFeed);
}

Status RequireDomains(const TableTarget& target, TablePlan* plan) {
  std::optional<delta::Protocol> current = plan->protocol;
  if (!current && target.snapshot) current = target.snapshot->protocol;
  SLUICE_TRY(delta::Protocol protocol, delta::ProtocolFor(plan->schema, {{"delta.feature.domainMetadata", "supported"}}, current));
  if (!target.snapshot || !(protocol == target.snapshot->protocol)) plan->protocol = std::move(protocol);
  return Ok();
}

Status EnableDeletionVectors(const TableTarget& target, TablePlan* plan) {
  delta::Metadata metadata = plan->metadata.value_or(target.snapshot->metadata);
  metadata.configuration[kDeletionVectors] = "true";
  SLUICE_TRY(delta::Protocol protocol,
             delta::ProtocolFor(plan->schema, metadata.configuration, plan->protocol.value_or(target.snapshot->protocol)));
  if (!(protocol == target.snapshot->protocol)) plan->protocol = std::move(protocol);
  if (!(metadata == target.snapshot->metadata)) plan->metadata = std::move(metadata);
  return Ok();
}

Result<TablePlan> PlanTable(const TableTarget& target, Freedom freedom, const StageOptions& options) {
  TablePlan plan;
  plan.schema = target.schema;
  const bool anew = freedom == Freedom::kReplace && target.replace_schema;
  if (target.snapshot) SLUICE_CHECK(TakeGenerated(target, anew, &plan.schema));
  SLUICE_TRY(plan.partition_columns, ResolvePartitioning(target.partition_by, &plan.schema));
  if (!target.snapshot) {
    plan.table_id = NewUuid(ClockOf(options), RandomOf(options));
    plan.metadata = NewMetadata(target, plan, options);
    SLUICE_CHECK(Complete(target, std::nullopt, &*plan.metadata, &plan));
    plan.metadata->schema_string = delta::ToSchemaString(plan.schema);
    plan.schema_changed = true;
    return plan;
  }
  const delta::Snapshot& before = *target.snapshot;
  SLUICE_CHECK(delta::CheckWritable(before.protocol, before.metadata));
  SLUICE_TRY(plan.schema, SchemaAfter(target, contract::Schema(plan.schema), plan.partition_columns, freedom, &plan));
  if (SameNames(plan.partition_columns, before.metadata.partition_columns)) plan.partition_columns = before.metadata.partition_columns;
  plan.table_id = before.metadata.id;
  plan.read_version = before.version;
  delta::Metadata metadata = before.metadata;
  metadata.partition_columns = plan.partition_columns;
  Describe(target, &metadata);
  SLUICE_CHECK(CheckPropertyChanges(before.metadata, metadata));
  SLUICE_CHECK(Complete(target, before.protocol, &metadata, &plan));
  plan.schema_changed = !(plan.schema == before.schema);
  if (plan.schema_changed) metadata.schema_string = delta::ToSchemaString(plan.schema);
  if (!(metadata == before.metadata)) plan.metadata = std::move(metadata);
  return plan;
}

Result<TablePlan> PlanUnchanged(const TableTarget& target) {
  if (!target.snapshot) return Fail(BugError(fmt::format("{}: there is no table to change", target.name)));
  const delta::Snapshot& before = *target.snapshot;
  SLUICE_CHECK(delta::CheckWritable(before.protocol, before.metadata));
  TablePlan plan;
  plan.schema = before.schema;
  plan.partition_columns = before.metadata.partition_columns;
  plan.table_id = before.metadata.id;
  plan.read_version = before.version;
  SLUICE_CHECK(CheckGenerated(plan));
  SLUICE_TRY(plan.rules, RulesOf(before.protocol, before.metadata, &plan.schema));
  return plan;
}

StagedChange NoChange(const TablePlan& plan, ChangeCounts counts) {
  StagedChange change;
  change.counts = counts;
  change.schema = plan.schema;
  change.partition_columns = plan.partition_columns;
  change.mapping = plan.rules.mapping;
  return change;
}

void SetReads(std::optional<delta::AnyPartitionConditions> where, CommitParts* parts) {
  parts->reads = where ? delta::ReadScope::kPartitions : delta::ReadScope::kWholeTable;
  if (where) parts->read_where = *std::move(where);
}

Result<StagedChange> MakeChange(const TableTarget& target, TablePlan plan, CommitParts parts, const StageOptions& options) {
  StagedChange change;
  change.empty = false;
  change.counts = parts.counts;
  change.commit.table_id = plan.table_id;
  change.commit.read_version = plan.read_version;
  change.commit.reads = parts.reads;
  if (parts.reads == delta::ReadScope::kPartitions) change.commit.read_where = std::move(parts.read_where);
  change.commit.operation = target.snapshot ? parts.operation : "CREATE TABLE AS SELECT";
  change.commit.operation_parameters = std::move(parts.parameters);
  auto& actions = change.commit.actions;
  if (plan.protocol) actions.emplace_back(*plan.protocol);
  if (plan.metadata) actions.emplace_back(*plan.metadata);
  const int64_t now = ClockOf(options).Now().millis();
  for (const delta::Add* add : parts.removed) {
    delta::Remove remove;
    remove.path = add->path;
    remove.deletion_timestamp = now;
    remove.data_change = parts.data_change;
    remove.extended_file_metadata = true;
    remove.partition_values = add->partition_values;
    remove.size = add->size;
    remove.deletion_vector = add->deletion_vector;
    change.removed_paths.push_back(add->path);
    actions.emplace_back(std::move(remove));
  }
  for (const delta::Add& add : parts.marked) {
    actions.emplace_back(add);
    change.added.push_back({add, RowsOf(add).value_or(0)});
  }
  if (parts.domain) actions.emplace_back(*parts.domain);
  change.domain = std::move(parts.domain);
  for (delta::CdcFile& file : parts.change_data) actions.emplace_back(std::move(file));
  int64_t rows = 0, bytes = 0;
  for (StagedFile& file : parts.added) {
    file.add.data_change = parts.data_change;
    actions.emplace_back(file.add);
    rows += file.rows;
    bytes += file.add.size;
  }
  change.commit.operation_metrics = {{"numFiles", std::to_string(parts.added.size())},
                                     {"numRemovedFiles", std::to_string(parts.removed.size() - parts.marked.size())},
                                     {"numDeletionVectorsAdded", std::to_string(parts.marked.size())},
                                     {"numOutputRows", std::to_string(rows)},
                                     {"numOutputBytes", std::to_string(bytes)}};
  std::move(parts.added.begin(), parts.added.end(), std::back_inserter(change.added));
  if (target.snapshot) SLUICE_CHECK(delta::CheckAppendOnly(target.snapshot->protocol, target.snapshot->metadata, actions));
  change.mapping = plan.rules.mapping;
  change.schema = std::move(plan.schema);
  change.partition_columns = std::move(plan.partition_columns);
  return change;
}

}  // namespace sluice::tables
