// Actions → the lines of a commit file.
#include <fmt/format.h>

#include "delta/actions.h"
#include "delta/json_text.h"

namespace sluice::delta {
namespace {

void WriteMap(JsonObject& object, std::string_view key, const std::map<std::string, std::string>& map, std::string* out) {
  object.Key(key);
  JsonObject inner(out);
  for (const auto& [name, value] : map) inner.Text(name, value);
  inner.Close();
}

void WritePartitionValues(JsonObject& object, const PartitionValues& values, std::string* out) {
  object.Key("partitionValues");
  JsonObject inner(out);
  for (const auto& [name, value] : values) {
    if (value && !value->empty())
      inner.Text(name, *value);
    else
      inner.Raw(name, "null");
  }
  inner.Close();
}

template <typename Strings>
void WriteStrings(JsonObject& object, std::string_view key, const Strings& strings, std::string* out) {
  object.Key(key);
  *out += '[';
  bool first = true;
  for (const auto& text : strings) {
    if (!first) *out += ',';
    first = false;
    AppendJsonString(text, out);
  }
  *out += ']';
}

void WriteDeletionVector(JsonObject& object, const Boxed<DeletionVector>& dv, std::string* out) {
  if (!dv) return;
  object.Key("deletionVector");
  JsonObject inner(out);
  inner.Text("storageType", dv->storage_type);
  inner.Text("pathOrInlineDv", dv->path_or_inline);
  if (dv->offset) inner.Int("offset", *dv->offset);
  inner.Int("sizeInBytes", dv->size_in_bytes);
  inner.Int("cardinality", dv->cardinality);
  inner.Close();
}

void WriteBody(const Add& add, std::string* out) {
  JsonObject object(out);
  object.Text("path", add.path);
  WritePartitionValues(object, add.partition_values, out);
  object.Int("size", add.size);
  object.Int("modificationTime", add.modification_time);
  object.Bool("dataChange", add.data_change);
  if (!add.stats.empty()) object.Text("stats", add.stats);
  if (!add.tags.empty()) WriteMap(object, "tags", add.tags, out);
  WriteDeletionVector(object, add.deletion_vector, out);
  if (add.base_row_id) object.Int("baseRowId", *add.base_row_id);
  if (add.default_row_commit_version) object.Int("defaultRowCommitVersion", *add.default_row_commit_version);
  if (!add.clustering_provider.empty()) object.Text("clusteringProvider", add.clustering_provider);
  object.Close();
}

void WriteBody(const Remove& remove, std::string* out) {
  JsonObject object(out);
  object.Text("path", remove.path);
  if (remove.deletion_timestamp) object.Int("deletionTimestamp", *remove.deletion_timestamp);
  object.Bool("dataChange", remove.data_change);
  if (remove.extended_file_metadata) {
    object.Bool("extendedFileMetadata", true);
    WritePartitionValues(object, remove.partition_values, out);
  }
  if (remove.size) object.Int("size", *remove.size);
  WriteDeletionVector(object, remove.deletion_vector, out);
  object.Close();
}

void WriteBody(const Metadata& metadata, std::string* out) {
  JsonObject object(out);
  object.Text("id", metadata.id);
  if (metadata.name) object.Text("name", *metadata.name);
  if (metadata.description) object.Text("description", *metadata.description);
  object.Raw("format", fmt::format(R"({{"provider":{},"options":{{}}}})", JsonString(metadata.format_provider)));
  object.Text("schemaString", metadata.schema_string);
  WriteStrings(object, "partitionColumns", metadata.partition_columns, out);
  WriteMap(object, "configuration", metadata.configuration, out);
  if (metadata.created_time) object.Int("createdTime", *metadata.created_time);
  object.Close();
}

void WriteBody(const Protocol& protocol, std::string* out) {
  JsonObject object(out);
  object.Int("minReaderVersion", protocol.min_reader_version);
  object.Int("minWriterVersion", protocol.min_writer_version);
  if (protocol.reader_features) WriteStrings(object, "readerFeatures", *protocol.reader_features, out);
  if (protocol.writer_features) WriteStrings(object, "writerFeatures", *protocol.writer_features, out);
  object.Close();
}

void WriteBody(const Txn& txn, std::string* out) {
  JsonObject object(out);
  object.Text("appId", txn.app_id);
  object.Int("version", txn.version);
  if (txn.last_updated) object.Int("lastUpdated", *txn.last_updated);
  object.Close();
}

void WriteBody(const DomainMetadata& domain, std::string* out) {
  JsonObject object(out);
  object.Text("domain", domain.domain);
  object.Text("configuration", domain.configuration);
  object.Bool("removed", domain.removed);
  object.Close();
}

void WriteBody(const CdcFile& cdc, std::string* out) {
  JsonObject object(out);
  object.Text("path", cdc.path);
  WritePartitionValues(object, cdc.partition_values, out);
  object.Int("size", cdc.size);
  object.Bool("dataChange", false);
  if (!cdc.tags.empty()) WriteMap(object, "tags", cdc.tags, out);
  object.Close();
}

void WriteBody(const CommitInfo& info, std::string* out) { *out += info.json; }

constexpr std::string_view kKinds[] = {"add", "remove", "metaData", "protocol", "txn", "domainMetadata", "cdc", "commitInfo"};
static_assert(std::size(kKinds) == std::variant_size_v<Action>);

}  // namespace

std::string ToJsonLine(const Action& action) {
  std::string line;
  JsonObject object(&line);
  object.Key(kKinds[action.index()]);
  std::visit([&](const auto& body) { WriteBody(body, &line); }, action);
  object.Close();
  return line;
}

std::string CommitFileName(int64_t version) { return fmt::format("{:020}.json", version); }

std::string UniqueId(const DeletionVector& dv) {
  std::string id = dv.storage_type + dv.path_or_inline;
  if (dv.offset) id += "@" + std::to_string(*dv.offset);
  return id;
}

}  // namespace sluice::delta
