#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <numeric>

#include "delta/action_reader.h"
#include "delta/arrow_fields.h"
#include "delta/checkpoint.h"
#include "delta/parsed_stats.h"
#include "delta/path.h"

namespace sluice::delta {
namespace {

constexpr int64_t kBatchRows = 16384;

// The columns that replay needs; partition values in parsed form are passed over, and statistics too where they stand there as text.
constexpr std::string_view kColumns[] = {"add.path",
                                         "add.partitionValues",
                                         "add.size",
                                         "add.modificationTime",
                                         "add.dataChange",
                                         "add.stats",
                                         "add.tags",
                                         "add.deletionVector",
                                         "add.baseRowId",
                                         "add.defaultRowCommitVersion",
                                         "add.clusteringProvider",
                                         "remove.path",
                                         "remove.deletionTimestamp",
                                         "remove.dataChange",
                                         "remove.extendedFileMetadata",
                                         "remove.partitionValues",
                                         "remove.size",
                                         "remove.deletionVector",
                                         "metaData",
                                         "protocol",
                                         "txn",
                                         "domainMetadata",
                                         "sidecar.path"};

bool IsBelow(std::string_view leaf, std::string_view column) {
  return leaf.starts_with(column) && (leaf.size() == column.size() || leaf[column.size()] == '.');
}

bool IsWanted(std::string_view leaf) {
  return std::any_of(std::begin(kColumns), std::end(kColumns), [&](std::string_view column) { return IsBelow(leaf, column); });
}

// ---- One struct column → actions. Members are looked up once per batch.

class DeletionVectors {
 public:
  explicit DeletionVectors(const StructField& file) : dv_(file.Struct("deletionVector")) {}
  Boxed<DeletionVector> At(int64_t row) const {
    if (!dv_.IsSet(row)) return {};
    DeletionVector dv;
    dv.storage_type = type_.At(row);
    dv.path_or_inline = path_.At(row);
    if (const auto offset = offset_.At(row)) dv.offset = static_cast<int32_t>(*offset);
    dv.size_in_bytes = static_cast<int32_t>(size_.At(row).value_or(0));
    dv.cardinality = cardinality_.At(row).value_or(0);
    return dv;
  }

 private:
  StructField dv_;
  TextField type_ = dv_.Text("storageType"), path_ = dv_.Text("pathOrInlineDv");
  IntField offset_ = dv_.Int("offset"), size_ = dv_.Int("sizeInBytes"), cardinality_ = dv_.Int("cardinality");
};

PartitionValues PartitionValuesAt(const MapField& map, int64_t row) {
  PartitionValues values;
  map.ForEach(row, [&](std::string_view key, std::optional<std::string_view> value) {
    if (value && value->empty()) value.reset();  // an empty value is NULL
    values[std::string(key)] = value;
  });
  return values;
}

std::map<std::string, std::string> StringsAt(const MapField& map, int64_t row) {
  std::map<std::string, std::string> strings;
  map.ForEach(row, [&](std::string_view key, std::optional<std::string_view> value) {
    if (value) strings[std::string(key)] = *value;
  });
  return strings;
}

std::shared_ptr<arrow::StructArray> ParsedStats(const arrow::RecordBatch& batch) {
  const auto add = batch.GetColumnByName("add");
  if (!add || add->type_id() != arrow::Type::STRUCT) return nullptr;
  const auto stats = static_cast<const arrow::StructArray&>(*add).GetFieldByName("stats_parsed");
  return stats && stats->type_id() == arrow::Type::STRUCT ? std::static_pointer_cast<arrow::StructArray>(stats) : nullptr;
}

void TakeAdds(const StructField& add, const arrow::StructArray* parsed_stats, Replay* replay) {
  const TextField path = add.Text("path"), stats = add.Text("stats"), clustering = add.Text("clusteringProvider");
  const MapField partition_values = add.Map("partitionValues"), tags = add.Map("tags");
  const IntField size = add.Int("size"), modified = add.Int("modificationTime"), base_row_id = add.Int("baseRowId"),
                 row_version = add.Int("defaultRowCommitVersion");
  const BoolField data_change = add.Bool("dataChange");
  const DeletionVectors vectors(add);
  Action action;  // the room of the one being read
  for (int64_t row = 0; row < add.length(); ++row) {
    if (!add.IsSet(row) || path.At(row).empty()) continue;
    Add& file = action.emplace<Add>();
    file.path = path.At(row);
    file.partition_values = PartitionValuesAt(partition_values, row);
    file.size = size.At(row).value_or(0);
    file.modification_time = modified.At(row).value_or(0);
    file.data_change = data_change.At(row).value_or(false);
    file.stats = stats.At(row);
    if (file.stats.empty() && parsed_stats != nullptr) file.stats = StatsText(*parsed_stats, row);
    file.tags = StringsAt(tags, row);
    file.deletion_vector = vectors.At(row);
    file.base_row_id = base_row_id.At(row);
    file.default_row_commit_version = row_version.At(row);
    file.clustering_provider = clustering.At(row);
    replay->TakeCheckpoint(std::move(action));
  }
}

void TakeRemoves(const StructField& remove, Replay* replay) {
  const TextField path = remove.Text("path");
  const MapField partition_values = remove.Map("partitionValues");
  const IntField size = remove.Int("size"), deleted = remove.Int("deletionTimestamp");
  const BoolField data_change = remove.Bool("dataChange"), extended = remove.Bool("extendedFileMetadata");
  const DeletionVectors vectors(remove);
  Action action;
  for (int64_t row = 0; row < remove.length(); ++row) {
    if (!remove.IsSet(row) || path.At(row).empty()) continue;
    Remove& file = action.emplace<Remove>();
    file.path = path.At(row);
    file.deletion_timestamp = deleted.At(row);
    file.data_change = data_change.At(row).value_or(false);
    file.extended_file_metadata = extended.At(row).value_or(false);
    file.partition_values = PartitionValuesAt(partition_values, row);
    file.size = size.At(row);
    file.deletion_vector = vectors.At(row);
    replay->TakeCheckpoint(std::move(action));
  }
}

void TakeMetadata(const StructField& column, Replay* replay) {
  const TextField id = column.Text("id"), name = column.Text("name"), description = column.Text("description"),
                  schema = column.Text("schemaString"), provider = column.Struct("format").Text("provider");
  const ListField partitions = column.List("partitionColumns");
  const MapField configuration = column.Map("configuration");
  const IntField created = column.Int("createdTime");
  for (int64_t row = 0; row < column.length(); ++row) {
    if (!column.IsSet(row)) continue;
    Metadata metadata;
    metadata.id = id.At(row);
    if (name.IsSet(row)) metadata.name = name.At(row);
    if (description.IsSet(row)) metadata.description = description.At(row);
    metadata.schema_string = schema.At(row);
    if (auto columns = partitions.At(row)) metadata.partition_columns = std::move(*columns);
    metadata.configuration = StringsAt(configuration, row);
    metadata.created_time = created.At(row);
    if (!provider.At(row).empty()) metadata.format_provider = provider.At(row);
    replay->TakeCheckpoint(std::move(metadata));
  }
}

void TakeProtocols(const StructField& column, Replay* replay) {
  const IntField reader = column.Int("minReaderVersion"), writer = column.Int("minWriterVersion");
  const ListField reader_features = column.List("readerFeatures"), writer_features = column.List("writerFeatures");
  for (int64_t row = 0; row < column.length(); ++row) {
    if (!column.IsSet(row)) continue;
    Protocol protocol;
    protocol.min_reader_version = static_cast<int>(reader.At(row).value_or(1));
    protocol.min_writer_version = static_cast<int>(writer.At(row).value_or(2));
    // Lists may stand there empty for want of a better NULL: features exist only from these versions on.
    if (auto names = reader_features.At(row); names && protocol.min_reader_version >= 3)
      protocol.reader_features.emplace(names->begin(), names->end());
    if (auto names = writer_features.At(row); names && protocol.min_writer_version >= 7)
      protocol.writer_features.emplace(names->begin(), names->end());
    replay->TakeCheckpoint(std::move(protocol));
  }
}

void TakeTxns(const StructField& column, Replay* replay) {
  const TextField app = column.Text("appId");
  const IntField version = column.Int("version"), updated = column.Int("lastUpdated");
  for (int64_t row = 0; row < column.length(); ++row)
    if (column.IsSet(row)) replay->TakeCheckpoint(Txn{std::string(app.At(row)), version.At(row).value_or(0), updated.At(row)});
}

void TakeDomains(const StructField& column, Replay* replay) {
  const TextField domain = column.Text("domain"), configuration = column.Text("configuration");
  const BoolField removed = column.Bool("removed");
  for (int64_t row = 0; row < column.length(); ++row)
    if (column.IsSet(row))
      replay->TakeCheckpoint(
          DomainMetadata{std::string(domain.At(row)), std::string(configuration.At(row)), removed.At(row).value_or(false)});
}

void TakeSidecars(const StructField& column, std::vector<Sidecar>* sidecars) {
  const TextField path = column.Text("path");
  for (int64_t row = 0; row < column.length(); ++row)
    if (column.IsSet(row)) sidecars->push_back({std::string(path.At(row))});
}

// ---- Files

// Does any row have its statistics as text? By the file's own counts: the column may be there and all NULL.
bool HasJsonStats(parquet::ParquetFileReader& file) {
  const auto& metadata = *file.metadata();
  for (int i = 0; i < metadata.num_columns(); ++i) {
    if (metadata.schema()->Column(i)->path()->ToDotString() != "add.stats") continue;
    for (int group = 0; group < metadata.num_row_groups(); ++group) {
      const auto chunk = metadata.RowGroup(group)->ColumnChunk(i);
      const auto counts = chunk->statistics();
      if (!counts || !counts->HasNullCount() || counts->null_count() < chunk->num_values()) return true;
    }
  }
  return false;
}

// Arrow's exceptions and errors end here, as "bad-delta-log".
Status ReadParquet(std::string bytes, Replay* replay, std::vector<Sidecar>* sidecars) try {
  parquet::arrow::FileReaderBuilder builder;
  PARQUET_THROW_NOT_OK(builder.Open(std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(bytes)))));
  std::unique_ptr<parquet::arrow::FileReader> reader;
  PARQUET_ASSIGN_OR_THROW(reader, builder.Build());
  reader->set_batch_size(kBatchRows);
  const parquet::SchemaDescriptor& schema = *reader->parquet_reader()->metadata()->schema();
  std::vector<int> columns, groups(reader->num_row_groups());
  std::iota(groups.begin(), groups.end(), 0);
  const bool json_stats = HasJsonStats(*reader->parquet_reader());
  for (int i = 0; i < schema.num_columns(); ++i) {
    const std::string leaf = schema.Column(i)->path()->ToDotString();
    if (IsWanted(leaf) || (!json_stats && IsBelow(leaf, "add.stats_parsed"))) columns.push_back(i);
  }
  replay->Expect(static_cast<size_t>(std::max<int64_t>(0, reader->parquet_reader()->metadata()->num_rows())));
  std::unique_ptr<arrow::RecordBatchReader> batches;
  PARQUET_ASSIGN_OR_THROW(batches, reader->GetRecordBatchReader(groups, columns));
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    PARQUET_THROW_NOT_OK(batches->ReadNext(&batch));
    if (!batch) return Ok();
    TakeAdds(StructField(*batch, "add"), ParsedStats(*batch).get(), replay);
    TakeRemoves(StructField(*batch, "remove"), replay);
    TakeMetadata(StructField(*batch, "metaData"), replay);
    TakeProtocols(StructField(*batch, "protocol"), replay);
    TakeTxns(StructField(*batch, "txn"), replay);
    TakeDomains(StructField(*batch, "domainMetadata"), replay);
    TakeSidecars(StructField(*batch, "sidecar"), sidecars);
  }
} catch (const std::exception& error) {
  return Fail(BadLog(fmt::format("broken checkpoint: {}", error.what())));
}

Status ReadJson(std::string text, Replay* replay, std::vector<Sidecar>* sidecars) {
  return ForEachLine(std::move(text), [&](LogLine&& line) {
    if (auto* action = std::get_if<Action>(&line))
      replay->TakeCheckpoint(std::move(*action));
    else
      sidecars->push_back(std::move(std::get<Sidecar>(line)));
  });
}

Status ReadFile(store::ObjectStore& store, const std::string& key, Replay* replay, std::vector<Sidecar>* sidecars) {
  SLUICE_TRY(auto bytes, store.Get(key));
  auto read = key.ends_with(".json") ? ReadJson(std::move(bytes), replay, sidecars) : ReadParquet(std::move(bytes), replay, sidecars);
  if (read) return read;
  Error error = std::move(read).error();
  error.message = fmt::format("{}: {}", store.Uri(key), error.message);
  return Fail(std::move(error));
}

// A sidecar lies in _delta_log/_sidecars; writers should name the file only, but may give its whole path.
std::string SidecarKey(std::string_view table_root, const Sidecar& sidecar) {
  const std::string path = PathKey(sidecar.path);
  return LogKey(table_root, fmt::format("_sidecars/{}", path.substr(path.rfind('/') + 1)));
}

}  // namespace

Status ReadCheckpoint(store::ObjectStore& store, std::string_view table_root, const CheckpointFiles& checkpoint, Replay* replay) {
  std::vector<Sidecar> sidecars, nested;
  for (const auto& file : checkpoint.files) SLUICE_CHECK(ReadFile(store, file.key, replay, &sidecars));
  for (const Sidecar& sidecar : sidecars) SLUICE_CHECK(ReadFile(store, SidecarKey(table_root, sidecar), replay, &nested));
  return Ok();
}

Result<std::vector<std::string>> SidecarsOf(store::ObjectStore& store, std::string_view table_root, const CheckpointFiles& checkpoint) {
  Replay passed_over;
  std::vector<Sidecar> sidecars;
  for (const auto& file : checkpoint.files) SLUICE_CHECK(ReadFile(store, file.key, &passed_over, &sidecars));
  std::vector<std::string> keys;
  for (const Sidecar& sidecar : sidecars) keys.push_back(SidecarKey(table_root, sidecar));
  return keys;
}

}  // namespace sluice::delta
