#include "tables/table_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/partitioning.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;

bool IsGenerated(const Field& field) { return field.metadata.contains("delta.generationExpression"); }

bool Uses(const DataType& type, TypeKind kind) {
  return type.kind == kind ||
         std::any_of(type.children.begin(), type.children.end(), [&](const Field& child) { return Uses(child.type, kind); });
}

bool SameNames(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) { return EqualsIgnoreCase(x, y); });
}

std::string PartitionText(const std::vector<std::string>& columns) {
  return columns.empty() ? "not partitioned" : "partitioned by " + Join(columns, ", ");
}

// Widened types and new fields of structs, in the order that the table has.
DataType EvolvedType(const DataType& before, const DataType& after) {
  if (before.kind != TypeKind::kStruct || after.kind != TypeKind::kStruct) return after;
  DataType out = before;
  const contract::Schema wanted{after.children}, present{before.children};
  for (Field& child : out.children) {
    const Field* now = wanted.Find(child.name);
    if (now == nullptr) continue;
    child.type = EvolvedType(child.type, now->type);
    child.nullable = child.nullable || now->nullable;
  }
  for (const Field& child : after.children)
    if (present.Find(child.name) == nullptr) out.children.push_back(child);
  return out;
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
  if (freedom == Freedom::kReplace && (target.replace_schema || change.breaking.empty())) return wanted;
  if (!change.breaking.empty()) return Fail(Breaking(target, change.breaking));
  plan->widened = change.widened;
  return Evolved(before.schema, wanted);
}

void Describe(const TableTarget& target, delta::Metadata* metadata) {
  for (const auto& [key, value] : target.properties) metadata->configuration[key] = value;
  if (!target.description.empty()) metadata->description = target.description;
}

delta::Metadata NewMetadata(const TableTarget& target, const TablePlan& plan, const StageOptions& options) {
  delta::Metadata metadata;
  metadata.id = plan.table_id;
  metadata.schema_string = delta::ToSchemaString(plan.schema);
  metadata.partition_columns = plan.partition_columns;
  metadata.created_time = ClockOf(options).Now().millis();
  Describe(target, &metadata);
  return metadata;
}

std::set<std::string> ImpliedByWriterVersion(int version) {
  std::set<std::string> features;
  if (version >= 2) features.insert({"appendOnly", "invariants"});
  if (version >= 3) features.insert("checkConstraints");
  if (version >= 4) features.insert({"changeDataFeed", "generatedColumns"});
  if (version >= 5) features.insert("columnMapping");
  if (version >= 6) features.insert("identityColumns");
  return features;
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

delta::Protocol ProtocolFor(const contract::Schema& schema, const std::optional<delta::Protocol>& current) {
  delta::Protocol protocol = current.value_or(delta::Protocol{});
  const bool ntz =
      std::any_of(schema.fields.begin(), schema.fields.end(), [](const Field& f) { return Uses(f.type, TypeKind::kTimestampNtz); });
  const bool generated = std::any_of(schema.fields.begin(), schema.fields.end(), IsGenerated);
  if (ntz && protocol.min_writer_version < 7) {
    protocol.writer_features = ImpliedByWriterVersion(protocol.min_writer_version);
    protocol.min_writer_version = 7;
  }
  if (ntz) {
    if (protocol.min_reader_version < 3) {
      protocol.reader_features.emplace();
      if (protocol.min_reader_version == 2) protocol.reader_features->insert("columnMapping");
      protocol.min_reader_version = 3;
    }
    if (!protocol.reader_features) protocol.reader_features.emplace();
    protocol.reader_features->insert("timestampNtz");
    protocol.writer_features->insert("timestampNtz");
  }
  if (generated) {
    if (protocol.min_writer_version >= 7)
      protocol.writer_features->insert("generatedColumns");
    else
      protocol.min_writer_version = std::max(protocol.min_writer_version, 4);
  }
  return protocol;
}

Result<TablePlan> PlanTable(const TableTarget& target, Freedom freedom, const StageOptions& options) {
  TablePlan plan;
  plan.schema = target.schema;
  SLUICE_TRY(plan.partition_columns, ResolvePartitioning(target.partition_by, &plan.schema));
  if (!target.snapshot) {
    plan.table_id = NewUuid(ClockOf(options), RandomOf(options));
    plan.protocol = ProtocolFor(plan.schema, std::nullopt);
    plan.metadata = NewMetadata(target, plan, options);
    plan.schema_changed = true;
    return plan;
  }
  const delta::Snapshot& before = *target.snapshot;
  SLUICE_CHECK(delta::CheckWritable(before.protocol, before.metadata));
  SLUICE_TRY(plan.schema, SchemaAfter(target, contract::Schema(plan.schema), plan.partition_columns, freedom, &plan));
  if (SameNames(plan.partition_columns, before.metadata.partition_columns)) plan.partition_columns = before.metadata.partition_columns;
  plan.table_id = before.metadata.id;
  plan.read_version = before.version;
  plan.schema_changed = !(plan.schema == before.schema);
  delta::Metadata metadata = before.metadata;
  metadata.partition_columns = plan.partition_columns;
  if (plan.schema_changed) metadata.schema_string = delta::ToSchemaString(plan.schema);
  Describe(target, &metadata);
  if (!(metadata == before.metadata)) plan.metadata = std::move(metadata);
  if (delta::Protocol protocol = ProtocolFor(plan.schema, before.protocol); !(protocol == before.protocol))
    plan.protocol = std::move(protocol);
  return plan;
}

StagedChange NoChange(const TablePlan& plan, ChangeCounts counts) {
  StagedChange change;
  change.counts = counts;
  change.schema = plan.schema;
  change.partition_columns = plan.partition_columns;
  return change;
}

StagedChange MakeChange(const TableTarget& target, TablePlan plan, CommitParts parts, const StageOptions& options) {
  StagedChange change;
  change.empty = false;
  change.counts = parts.counts;
  change.commit.table_id = plan.table_id;
  change.commit.read_version = plan.read_version;
  change.commit.reads = parts.reads;
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
    remove.extended_file_metadata = true;
    remove.partition_values = add->partition_values;
    remove.size = add->size;
    remove.deletion_vector = add->deletion_vector;
    change.removed_paths.push_back(add->path);
    actions.emplace_back(std::move(remove));
  }
  int64_t rows = 0, bytes = 0;
  for (const StagedFile& file : parts.added) {
    actions.emplace_back(file.add);
    rows += file.rows;
    bytes += file.add.size;
  }
  change.commit.operation_metrics = {{"numFiles", std::to_string(parts.added.size())},
                                     {"numRemovedFiles", std::to_string(parts.removed.size())},
                                     {"numOutputRows", std::to_string(rows)},
                                     {"numOutputBytes", std::to_string(bytes)}};
  change.added = std::move(parts.added);
  change.schema = std::move(plan.schema);
  change.partition_columns = std::move(plan.partition_columns);
  return change;
}

}  // namespace sluice::tables
