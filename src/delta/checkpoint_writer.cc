// Classic single-part checkpoints of the V1 spec (PROTOCOL.md, "Checkpoint Schema").
#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include "core/text.h"
#include "delta/commit.h"
#include "delta/duration.h"
#include "delta/log_files.h"
#include "delta/parsed_stats.h"

namespace sluice::delta {
namespace {

using arrow::field;
using Fields = arrow::FieldVector;

// ---- The schema

std::shared_ptr<arrow::DataType> StringMap() { return arrow::map(arrow::utf8(), arrow::utf8()); }

Fields DeletionVectorFields() {
  return {field("storageType", arrow::utf8()), field("pathOrInlineDv", arrow::utf8()), field("offset", arrow::int32()),
          field("sizeInBytes", arrow::int32()), field("cardinality", arrow::int64())};
}

bool IsSet(const Metadata& metadata, const std::string& property, bool otherwise) {
  const auto found = metadata.configuration.find(property);
  return found == metadata.configuration.end() ? otherwise : EqualsIgnoreCase(found->second, "true");
}

// In which forms the table wants its statistics. Some form they have, whatever the properties say.
struct StatsForms {
  bool json = true;
  std::shared_ptr<arrow::DataType> stats, partition_values;  // as structs, where wanted
};

StatsForms FormsOf(const Snapshot& snapshot) {
  StatsForms forms;
  if (!IsSet(snapshot.metadata, "delta.checkpoint.writeStatsAsStruct", false)) return forms;
  forms.json = IsSet(snapshot.metadata, "delta.checkpoint.writeStatsAsJson", true);
  forms.stats = StatsType(snapshot);
  forms.partition_values = PartitionValuesType(snapshot);
  return forms;
}

std::shared_ptr<arrow::Schema> CheckpointSchema(const StatsForms& forms) {
  const auto vector = arrow::struct_(DeletionVectorFields());
  const auto strings = arrow::list(field("element", arrow::utf8()));
  const auto format = arrow::struct_({field("provider", arrow::utf8()), field("options", StringMap())});
  const auto txn = arrow::struct_({field("appId", arrow::utf8()), field("version", arrow::int64()), field("lastUpdated", arrow::int64())});
  Fields add_fields = {field("path", arrow::utf8()),
                       field("partitionValues", StringMap()),
                       field("size", arrow::int64()),
                       field("modificationTime", arrow::int64()),
                       field("dataChange", arrow::boolean()),
                       field("stats", arrow::utf8()),
                       field("tags", StringMap()),
                       field("deletionVector", vector),
                       field("baseRowId", arrow::int64()),
                       field("defaultRowCommitVersion", arrow::int64()),
                       field("clusteringProvider", arrow::utf8())};
  if (forms.partition_values) add_fields.push_back(field("partitionValues_parsed", forms.partition_values));
  if (forms.stats) add_fields.push_back(field("stats_parsed", forms.stats));
  const auto add = arrow::struct_(std::move(add_fields));
  const auto remove =
      arrow::struct_({field("path", arrow::utf8()), field("deletionTimestamp", arrow::int64()), field("dataChange", arrow::boolean()),
                      field("extendedFileMetadata", arrow::boolean()), field("partitionValues", StringMap()), field("size", arrow::int64()),
                      field("deletionVector", vector)});
  const auto metadata = arrow::struct_({field("id", arrow::utf8()), field("name", arrow::utf8()), field("description", arrow::utf8()),
                                        field("format", format), field("schemaString", arrow::utf8()), field("partitionColumns", strings),
                                        field("createdTime", arrow::int64()), field("configuration", StringMap())});
  const auto protocol = arrow::struct_({field("minReaderVersion", arrow::int32()), field("minWriterVersion", arrow::int32()),
                                        field("readerFeatures", strings), field("writerFeatures", strings)});
  const auto domain =
      arrow::struct_({field("domain", arrow::utf8()), field("configuration", arrow::utf8()), field("removed", arrow::boolean())});
  return arrow::schema({field("txn", txn), field("add", add), field("remove", remove), field("metaData", metadata),
                        field("protocol", protocol), field("domainMetadata", domain)});
}

// ---- One row per action. Arrow's errors are thrown as parquet's are, and caught in RenderCheckpoint.

void Check(const arrow::Status& status) { PARQUET_THROW_NOT_OK(status); }

void Append(arrow::ArrayBuilder* builder, std::string_view text) { Check(static_cast<arrow::StringBuilder*>(builder)->Append(text)); }
void Append(arrow::ArrayBuilder* builder, bool value) { Check(static_cast<arrow::BooleanBuilder*>(builder)->Append(value)); }
void Append(arrow::ArrayBuilder* builder, int64_t value) { Check(static_cast<arrow::Int64Builder*>(builder)->Append(value)); }
void Append(arrow::ArrayBuilder* builder, int32_t value) { Check(static_cast<arrow::Int32Builder*>(builder)->Append(value)); }
void Append(arrow::ArrayBuilder* builder, const std::string& text) { Append(builder, std::string_view(text)); }

template <typename T>
void Append(arrow::ArrayBuilder* builder, const std::optional<T>& value) {
  if (value)
    Append(builder, *value);
  else
    Check(builder->AppendNull());
}

// "" stands for no text in our values.
std::optional<std::string_view> NullIfEmpty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

template <typename Map>
void AppendMap(arrow::ArrayBuilder* builder, const Map& map) {
  auto* maps = static_cast<arrow::MapBuilder*>(builder);
  Check(maps->Append());
  for (const auto& [key, value] : map) {
    Append(maps->key_builder(), key);
    Append(maps->item_builder(), value);
  }
}

template <typename Strings>
void AppendList(arrow::ArrayBuilder* builder, const Strings& strings) {
  auto* list = static_cast<arrow::ListBuilder*>(builder);
  Check(list->Append());
  for (const auto& text : strings) Append(list->value_builder(), text);
}

// Appends one struct, member by member in the schema's order.
class Struct {
 public:
  explicit Struct(arrow::ArrayBuilder* builder) : builder_(static_cast<arrow::StructBuilder*>(builder)) { Check(builder_->Append()); }
  arrow::ArrayBuilder* Next() { return builder_->field_builder(next_++); }
  template <typename T>
  Struct& Put(const T& value) {
    Append(Next(), value);
    return *this;
  }

 private:
  arrow::StructBuilder* builder_;
  int next_ = 0;
};

void AppendDeletionVector(arrow::ArrayBuilder* builder, const Boxed<DeletionVector>& dv) {
  if (!dv) return Check(builder->AppendNull());
  Struct(builder).Put(dv->storage_type).Put(dv->path_or_inline).Put(dv->offset).Put(dv->size_in_bytes).Put(dv->cardinality);
}

void AppendRow(arrow::ArrayBuilder* builder, const StatsForms&, const Txn& txn) {
  Struct(builder).Put(txn.app_id).Put(txn.version).Put(txn.last_updated);
}

void AppendRow(arrow::ArrayBuilder* builder, const StatsForms& forms, const Add& add) {
  Struct row(builder);
  row.Put(add.path);
  AppendMap(row.Next(), add.partition_values);
  row.Put(add.size).Put(add.modification_time).Put(false).Put(forms.json ? NullIfEmpty(add.stats) : std::nullopt);
  add.tags.empty() ? Check(row.Next()->AppendNull()) : AppendMap(row.Next(), add.tags);
  AppendDeletionVector(row.Next(), add.deletion_vector);
  row.Put(add.base_row_id).Put(add.default_row_commit_version).Put(NullIfEmpty(add.clustering_provider));
  if (forms.partition_values) Check(AppendPartitionValues(add.partition_values, static_cast<arrow::StructBuilder*>(row.Next())));
  if (forms.stats) Check(AppendStats(add.stats, static_cast<arrow::StructBuilder*>(row.Next())));
}

void AppendRow(arrow::ArrayBuilder* builder, const StatsForms&, const Remove& remove) {
  Struct row(builder);
  row.Put(remove.path).Put(remove.deletion_timestamp).Put(false).Put(remove.extended_file_metadata);
  remove.extended_file_metadata ? AppendMap(row.Next(), remove.partition_values) : Check(row.Next()->AppendNull());
  row.Put(remove.size);
  AppendDeletionVector(row.Next(), remove.deletion_vector);
}

void AppendRow(arrow::ArrayBuilder* builder, const StatsForms&, const Metadata& metadata) {
  Struct row(builder);
  row.Put(metadata.id).Put(metadata.name).Put(metadata.description);
  Struct format(row.Next());
  format.Put(metadata.format_provider);
  AppendMap(format.Next(), std::map<std::string, std::string>());
  row.Put(metadata.schema_string);
  AppendList(row.Next(), metadata.partition_columns);
  row.Put(metadata.created_time);
  AppendMap(row.Next(), metadata.configuration);
}

void AppendFeatures(arrow::ArrayBuilder* builder, const std::optional<std::set<std::string>>& features) {
  features ? AppendList(builder, *features) : Check(builder->AppendNull());
}

void AppendRow(arrow::ArrayBuilder* builder, const StatsForms&, const Protocol& protocol) {
  Struct row(builder);
  row.Put(protocol.min_reader_version).Put(protocol.min_writer_version);
  AppendFeatures(row.Next(), protocol.reader_features);
  AppendFeatures(row.Next(), protocol.writer_features);
}

void AppendRow(arrow::ArrayBuilder* builder, const StatsForms&, const DomainMetadata& domain) {
  Struct(builder).Put(domain.domain).Put(domain.configuration).Put(domain.removed);
}

enum Column { kTxn, kAdd, kRemove, kMetadata, kProtocol, kDomain, kColumns };
int ColumnOf(const Txn&) { return kTxn; }
int ColumnOf(const Add&) { return kAdd; }
int ColumnOf(const Remove&) { return kRemove; }
int ColumnOf(const Metadata&) { return kMetadata; }
int ColumnOf(const Protocol&) { return kProtocol; }
int ColumnOf(const DomainMetadata&) { return kDomain; }

constexpr int64_t kRowGroupRows = 65536;

// Collects rows and writes a row group whenever enough are there, so that the checkpoint never lies in memory twice.
class Rows {
 public:
  explicit Rows(StatsForms forms) : forms_(std::move(forms)), schema_(CheckpointSchema(forms_)) {
    PARQUET_ASSIGN_OR_THROW(sink_, arrow::io::BufferOutputStream::Create());
    const auto properties = parquet::WriterProperties::Builder().compression(parquet::Compression::SNAPPY)->build();
    PARQUET_ASSIGN_OR_THROW(writer_, parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), sink_, properties));
    PARQUET_ASSIGN_OR_THROW(builder_, arrow::RecordBatchBuilder::Make(schema_, arrow::default_memory_pool()));
  }

  template <typename Body>
  void Add(const Body& body) {
    const int column = ColumnOf(body);
    for (int i = 0; i < kColumns; ++i)
      if (i != column) Check(builder_->GetField(i)->AppendNull());
    AppendRow(builder_->GetField(column), forms_, body);
    ++count_;
    if (++pending_ == kRowGroupRows) Flush();
  }

  std::shared_ptr<arrow::Buffer> Finish() {
    Flush();
    Check(writer_->Close());
    PARQUET_ASSIGN_OR_THROW(auto buffer, sink_->Finish());
    return buffer;
  }
  int64_t count() const { return count_; }

 private:
  void Flush() {
    if (pending_ == 0) return;
    PARQUET_ASSIGN_OR_THROW(auto batch, builder_->Flush());
    Check(writer_->NewBufferedRowGroup());
    Check(writer_->WriteRecordBatch(*batch));
    pending_ = 0;
  }

  const StatsForms forms_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::io::BufferOutputStream> sink_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::unique_ptr<arrow::RecordBatchBuilder> builder_;
  int64_t pending_ = 0, count_ = 0;
};

struct Rendered {
  std::shared_ptr<arrow::Buffer> bytes;
  int64_t actions = 0;
};

Result<Rendered> RenderCheckpoint(const Snapshot& snapshot, int64_t expired_before) try {
  Rows rows(FormsOf(snapshot));
  rows.Add(snapshot.protocol);
  rows.Add(snapshot.metadata);
  for (const auto& [id, txn] : snapshot.txns) rows.Add(txn);
  for (const auto& [name, domain] : snapshot.domains) rows.Add(domain);
  for (const Add& add : snapshot.files) rows.Add(add);
  for (const Remove& remove : snapshot.tombstones)
    if (remove.deletion_timestamp.value_or(0) > expired_before) rows.Add(remove);
  auto bytes = rows.Finish();
  return Rendered{std::move(bytes), rows.count()};
} catch (const std::exception& error) {
  return Fail(BugError(fmt::format("a checkpoint could not be made: {}", error.what())));
}

// A retention that cannot be read keeps everything: a tombstone too many harms nobody.
int64_t ExpiredBefore(const Metadata& metadata, Instant now) {
  const auto retention = DurationOf(metadata, "delta.deletedFileRetentionDuration", 7 * kDayMillis);
  return retention ? now.millis() - *retention : INT64_MIN;
}

}  // namespace

Status WriteCheckpoint(store::ObjectStore& store, std::string_view table_root, const Snapshot& snapshot, Clock& clock) {
  SLUICE_TRY(const auto checkpoint, RenderCheckpoint(snapshot, ExpiredBefore(snapshot.metadata, clock.Now())));
  const auto name = fmt::format("{:020}.checkpoint.parquet", snapshot.version);
  const std::string_view bytes(reinterpret_cast<const char*>(checkpoint.bytes->data()), static_cast<size_t>(checkpoint.bytes->size()));
  SLUICE_CHECK(store.Put(LogKey(table_root, name), bytes));
  if (LastCheckpointHint(store, table_root).value_or(-1) > snapshot.version) return Ok();
  const auto hint = fmt::format(R"({{"version":{},"size":{},"sizeInBytes":{},"numOfAddFiles":{}}})", snapshot.version, checkpoint.actions,
                                bytes.size(), snapshot.files.size());
  return store.Put(LogKey(table_root, "_last_checkpoint"), hint);
}

}  // namespace sluice::delta
