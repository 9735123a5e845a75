#include "tables/parquet_file.h"

#include <arrow/array/array_base.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/data.h>
#include <arrow/chunked_array.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <parquet/arrow/schema.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include <algorithm>
#include <future>
#include <utility>

#include "contract/arrow_types.h"
#include "core/profile.h"
#include "tables/batch_bytes.h"
#include "tables/conform.h"
#include "tables/encodings.h"
#include "tables/flat_file.h"
#include "tables/flat_type.h"
#include "tables/gather.h"
#include "tables/one_dictionary.h"
#include "tables/parquet_stream.h"
#include "tables/statistics.h"

namespace sluice::tables {
namespace {

constexpr int64_t kWorthAThread = 4 << 20;  // raw bytes of a row group
constexpr int64_t kChunkRows = 1024;        // below that, batches are joined before they are encoded
constexpr int64_t kSampledRows = 8192;      // of a row group, before its encodings are chosen

// A row group is written in one of two ways. Rows may wait until they fill one, which then goes out column by column; that costs half
// of the second way, in which each batch is encoded as it comes and what was encoded waits, all columns side by side.
class ArrowParquetFile : public ParquetFile {
 public:
  ArrowParquetFile(const FileShape& shape, std::shared_ptr<ObjectStream> stream, FileBuffering buffering,
                   std::shared_ptr<EncodingChoice> encodings)
      : schema_(shape.arrow_schema),
        statistics_(shape.fields, shape.indexed_columns),
        stream_(std::move(stream)),
        buffering_(buffering),
        encodings_(encodings ? std::move(encodings) : std::make_shared<EncodingChoice>()) {}

  ~ArrowParquetFile() override {
    (void)Settle();
    if (!finished_) (void)stream_->Abort();
  }

  Status Write(const PickedRows& rows) override {
    const StageTimer timer(Stage::kScatter);
    SLUICE_TRY(const auto batch, rows.AsBatch());
    return Write(*batch);
  }

  Status Write(const arrow::RecordBatch& batch) override {
    if (batch.num_rows() == 0) return Ok();
    group_rows_ += batch.num_rows();
    rows_ += batch.num_rows();
    if (!encodes_) return Wait(batch);
    SLUICE_CHECK(EncodeWaiting());
    return Encode(batch);
  }

  Status WriteRowGroup(int64_t rows, const ColumnValues& values) override {
    if (!writer_) SLUICE_CHECK(OpenWriterFor(*NoRows()));
    SLUICE_CHECK(stream_->Check([&] { return writer_->NewRowGroup(); }));
    for (int column = 0; column < schema_->num_fields(); ++column) {
      SLUICE_TRY(const auto chunks, values(column));
      for (const auto& chunk : chunks->chunks())
        if (chunk->type_id() != arrow::Type::DICTIONARY) statistics_.ObserveColumn(column, *chunk);
      SLUICE_CHECK(stream_->Check([&] { return writer_->WriteColumnChunk(chunks); }));
    }
    rows_ += rows;
    return Ok();
  }

  Status Relieve(const Scratch&, bool) override {
    return waiting_bytes_ > 0 && waiting_bytes_ < kMinGroupBytes ? EncodeWaiting() : EndRowGroup();
  }

  // What waits is encoded, and so is at once what comes later: it takes less memory.
  Status EncodeWaiting() {
    encodes_ = true;
    if (waiting_.empty()) return Ok();
    waiting_bytes_ = 0;
    SLUICE_TRY(const auto rows, ConcatenateBatches(std::exchange(waiting_, {})));
    return Encode(*rows);
  }

  Status EndRowGroup() override {
    if (!waiting_.empty()) return WriteWaiting();
    if (!in_group_) return Settle();
    const int64_t before = stream_->position();
    // The writer closes a row group where the next begins, or with the file.
    SLUICE_CHECK(stream_->Check([&] { return writer_->NewBufferedRowGroup(); }));
    Learn(before, encoded_bytes_);
    group_rows_ = encoded_bytes_ = 0;
    return Ok();
  }

  int64_t rows_in_group() const override { return group_rows_; }
  int64_t buffered_bytes() const override { return waiting_bytes_ + leaving_bytes_ + Scaled(encoded_bytes_); }
  int64_t size() const override { return settled_size_ + Scaled(waiting_bytes_ + leaving_bytes_ + encoded_bytes_); }

  Result<Finished> Close() override {
    const StageTimer timer(Stage::kEncode);
    if (!waiting_.empty()) SLUICE_CHECK(WriteWaiting());
    SLUICE_CHECK(Settle());
    if (!writer_) SLUICE_CHECK(OpenWriterFor(*NoRows()));
    SLUICE_CHECK(stream_->Check([&] { return writer_->Close(); }));
    SLUICE_CHECK(stream_->Check([&] { return stream_->Close(); }));
    finished_ = true;
    return Finished{stream_->position(), rows_, statistics_.Render(*writer_->metadata())};
  }

 private:
  Status Wait(const arrow::RecordBatch& batch) {
    waiting_bytes_ += BytesOf(batch);
    waiting_.push_back(batch.Slice(0));
    return waiting_bytes_ >= buffering_.row_group_bytes ? WriteWaiting() : Ok();
  }

  // The row group that waits goes out, behind the caller's back if it may; one at a time.
  Status WriteWaiting() {
    SLUICE_CHECK(Settle());
    leaving_bytes_ = std::exchange(waiting_bytes_, 0);
    group_rows_ = 0;
    const bool behind = buffering_.behind && leaving_bytes_ >= kWorthAThread;
    leaving_ = std::async(behind ? std::launch::async : std::launch::deferred,
                          [this, batches = std::exchange(waiting_, {}), profile = Profile::Current()] {
                            const ProfileThread thread(profile);
                            return WriteGroup(batches);
                          });
    return behind ? Ok() : Settle();
  }

  Status Settle() {
    if (!leaving_.valid()) return Ok();
    const int64_t before = settled_size_;
    const Status done = leaving_.get();
    Learn(before, std::exchange(leaving_bytes_, 0));
    return done;
  }

  Status WriteGroup(const arrow::RecordBatchVector& waited) {
    const StageTimer timer(Stage::kEncode);
    SLUICE_TRY(const auto batches, Joined(waited));
    for (const auto& batch : batches) statistics_.Observe(*batch);
    if (!writer_) {
      SLUICE_TRY(const auto sample, ConcatenateBatches(FirstRows(batches)));
      SLUICE_CHECK(OpenWriterFor(*sample));
    }
    SLUICE_CHECK(stream_->Check([&] { return writer_->NewRowGroup(); }));
    for (int column = 0; column < schema_->num_fields(); ++column) {
      arrow::ArrayVector chunks;
      for (const auto& batch : batches) chunks.push_back(batch->column(column));
      // With a second dictionary the Parquet writer would give up on dictionaries.
      SLUICE_TRY(chunks, WithOneDictionary(std::move(chunks)));
      const auto whole = std::make_shared<arrow::ChunkedArray>(std::move(chunks));
      SLUICE_CHECK(stream_->Check([&] { return writer_->WriteColumnChunk(whole); }));
    }
    return Ok();
  }

  // Each chunk of a column costs something of its own: many small batches become one.
  static Result<arrow::RecordBatchVector> Joined(const arrow::RecordBatchVector& batches) {
    int64_t rows = 0;
    for (const auto& batch : batches) rows += batch->num_rows();
    if (batches.size() == 1 || rows / static_cast<int64_t>(batches.size()) >= kChunkRows) return batches;
    SLUICE_TRY(auto whole, ConcatenateBatches(batches));
    return arrow::RecordBatchVector{std::move(whole)};
  }

  static arrow::RecordBatchVector FirstRows(const arrow::RecordBatchVector& batches) {
    int64_t rows = 0;
    arrow::RecordBatchVector first;
    for (size_t i = 0; i < batches.size() && rows < kSampledRows; rows += batches[i++]->num_rows()) first.push_back(batches[i]);
    return first;
  }

  // A dictionary that may be another in the next batch is of no use here.
  static Result<std::shared_ptr<arrow::RecordBatch>> WithConstantsAlone(const arrow::RecordBatch& batch) {
    arrow::ArrayVector columns = batch.columns();
    for (auto& column : columns)
      if (column->type_id() == arrow::Type::DICTIONARY && column->data()->dictionary->length > 1) {
        SLUICE_TRY(column, Dense(column));
      }
    return arrow::RecordBatch::Make(batch.schema(), batch.num_rows(), std::move(columns));
  }

  Status Encode(const arrow::RecordBatch& given) {
    const StageTimer timer(Stage::kEncode);
    SLUICE_TRY(const auto dense, WithConstantsAlone(given));
    const arrow::RecordBatch& batch = *dense;
    SLUICE_CHECK(Settle());
    if (!writer_) SLUICE_CHECK(OpenWriterFor(batch));
    if (!in_group_) SLUICE_CHECK(stream_->Check([&] { return writer_->NewBufferedRowGroup(); }));
    in_group_ = true;
    SLUICE_CHECK(stream_->Check([&] { return writer_->WriteRecordBatch(batch); }));
    statistics_.Observe(batch);
    encoded_bytes_ += BytesOf(batch);
    return Ok();
  }

  void Learn(int64_t size_before, int64_t raw_bytes) {
    settled_size_ = stream_->position();
    if (raw_bytes > 0) ratio_ = static_cast<double>(settled_size_ - size_before) / static_cast<double>(raw_bytes);
  }
  int64_t Scaled(int64_t raw_bytes) const { return static_cast<int64_t>(static_cast<double>(raw_bytes) * ratio_); }

  Status OpenWriterFor(const arrow::RecordBatch& first_rows) { return OpenWriter(encodings_->For(first_rows)); }
  std::shared_ptr<arrow::RecordBatch> NoRows() const { return arrow::RecordBatch::MakeEmpty(schema_).ValueOrDie(); }

  Status OpenWriter(const ColumnEncodings& encodings) {
    return stream_->Check([&] {
      static const auto arrow_properties = parquet::ArrowWriterProperties::Builder().build();
      return parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), stream_, WriterPropertiesOf(encodings),
                                              arrow_properties)
          .Value(&writer_);
    });
  }

  const std::shared_ptr<arrow::Schema> schema_;
  Statistics statistics_;
  std::shared_ptr<ObjectStream> stream_;
  const FileBuffering buffering_;
  const std::shared_ptr<EncodingChoice> encodings_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;  // from the first rows on: they decide on encodings
  arrow::RecordBatchVector waiting_;
  std::future<Status> leaving_;  // the row group being written; until it is settled, writer_, stream_ and statistics_ are its
  bool encodes_ = false;         // batches no longer wait
  bool in_group_ = false, finished_ = false;
  int64_t rows_ = 0, group_rows_ = 0, settled_size_ = 0;
  int64_t waiting_bytes_ = 0, leaving_bytes_ = 0, encoded_bytes_ = 0;  // raw, of rows at each stage
  double ratio_ = 0.5;                                                 // encoded to raw bytes, until a row group has shown it
};

// NULL is refused above, column by column; below the top level files say "optional" everywhere but for the keys of maps.
contract::DataType Relaxed(contract::DataType type) {
  for (contract::Field& child : type.children) {
    child.nullable = !(type.kind == contract::TypeKind::kMap && child.name == "key");
    child.type = Relaxed(std::move(child.type));
  }
  return type;
}

// `field` and those of structs below it with the ids of their columns, which the Parquet writer puts into the file's schema.
std::shared_ptr<arrow::Field> WithIds(const std::shared_ptr<arrow::Field>& field, const contract::Field& column) {
  std::shared_ptr<arrow::DataType> type = field->type();
  arrow::FieldVector children;
  if (column.type.kind != contract::TypeKind::kMap)
    for (int i = 0; i < type->num_fields(); ++i) children.push_back(WithIds(type->field(i), column.type.children[i]));
  switch (column.type.kind) {
    case contract::TypeKind::kStruct:
      type = arrow::struct_(children);
      break;
    case contract::TypeKind::kList:
      type = arrow::list(children[0]);
      break;
    case contract::TypeKind::kMap: {
      const arrow::FieldVector& entry = type->field(0)->type()->fields();
      type = std::make_shared<arrow::MapType>(WithIds(entry[0], column.type.children[0]), WithIds(entry[1], column.type.children[1]));
      break;
    }
    default:
      break;
  }
  const auto renamed = field->WithType(type);
  const auto id = delta::ColumnId(column);
  return id ? renamed->WithMetadata(arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(*id)})) : renamed;
}

void SetFlat(FileShape* shape) {
  std::shared_ptr<parquet::SchemaDescriptor> schema;
  if (!parquet::arrow::ToParquetSchema(shape->arrow_schema.get(), *WriterPropertiesOf({}), &schema).ok()) return;
  shape->parquet_schema = schema;
  if (schema->num_columns() != shape->arrow_schema->num_fields()) return;
  for (int i = 0; i < schema->num_columns(); ++i) {
    const FlatType* type = FlatTypeOf(*shape->arrow_schema->field(i)->type(), *schema->Column(i));
    if (type == nullptr) return shape->flat.clear();
    shape->flat.push_back(type);
  }
}

}  // namespace

ColumnEncodings EncodingChoice::For(const arrow::RecordBatch& first_rows) {
  const std::lock_guard lock(mutex_);
  if (made_) return *made_;
  ColumnEncodings now{ColumnsWithoutDictionary(first_rows, static_cast<int64_t>(kDictionaryBytes)), {}};
  if (first_rows.num_rows() >= kSampledRows) made_ = now;
  return now;
}

FileShape MakeFileShape(std::vector<contract::Field> fields, int indexed_columns, delta::ColumnMapping mapping) {
  FileShape shape{delta::PhysicalSchema({std::move(fields)}, mapping).fields, nullptr, indexed_columns};
  contract::Schema schema;
  for (const contract::Field& field : shape.fields) schema.fields.push_back({field.name, Relaxed(field.type), field.nullable});
  shape.arrow_schema = contract::ToArrow(schema);
  arrow::FieldVector with_ids;
  if (mapping != delta::ColumnMapping::kNone) {
    for (size_t i = 0; i < shape.fields.size(); ++i)
      with_ids.push_back(WithIds(shape.arrow_schema->field(static_cast<int>(i)), shape.fields[i]));
    shape.arrow_schema = arrow::schema(std::move(with_ids));
  }
  SetFlat(&shape);
  return shape;
}

Result<std::unique_ptr<ParquetFile>> ParquetFile::Open(const FileShape& shape, OpenObject open, FileBuffering buffering,
                                                       std::shared_ptr<EncodingChoice> encodings) {
  if (!shape.flat.empty()) return OpenFlatFile(shape, std::move(open), buffering, encodings ? encodings->known() : ColumnEncodings());
  SLUICE_TRY(auto object, open());
  return std::make_unique<ArrowParquetFile>(shape, std::make_shared<ObjectStream>(std::move(object)), buffering, std::move(encodings));
}

}  // namespace sluice::tables
