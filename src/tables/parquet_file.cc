#include "tables/parquet_file.h"

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include "contract/arrow_types.h"
#include "tables/encodings.h"
#include "tables/statistics.h"

namespace sluice::tables {
namespace {

constexpr int64_t kDictionaryBytes = 1 << 20;  // of a column in a row group; then it goes on without

Error WriteError(const arrow::Status& status) {
  return RetryableError("parquet-write", fmt::format("writing Parquet: {}", status.ToString()));
}

// An object of a store as the stream that the Parquet writer writes to. Keeps the store's own error.
class ObjectStream : public arrow::io::OutputStream {
 public:
  explicit ObjectStream(std::unique_ptr<store::ObjectWriter> object) : object_(std::move(object)) {}

  arrow::Status Write(const void* data, int64_t bytes) override {
    auto status = object_->Write({static_cast<const char*>(data), static_cast<size_t>(bytes)});
    position_ += bytes;
    return Keep(std::move(status));
  }
  arrow::Status Close() override {
    if (closed_) return arrow::Status::OK();
    closed_ = true;
    return Keep(object_->Close());
  }
  // The object is discarded with its writer.
  arrow::Status Abort() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }

  int64_t position() const { return position_; }
  Error ErrorOf(const arrow::Status& status) const { return error_ ? *error_ : WriteError(status); }

 private:
  arrow::Status Keep(Status status) {
    if (status) return arrow::Status::OK();
    error_ = std::move(status).error();
    return arrow::Status::IOError(error_->message);
  }

  std::unique_ptr<store::ObjectWriter> object_;
  std::optional<Error> error_;
  int64_t position_ = 0;
  bool closed_ = false;
};

std::shared_ptr<parquet::WriterProperties> Properties(const std::vector<std::string>& without_dictionary) {
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::SNAPPY)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->data_page_version(parquet::ParquetDataPageVersion::V1)
      ->enable_store_decimal_as_integer()
      ->dictionary_pagesize_limit(kDictionaryBytes)
      ->max_row_group_length(INT64_MAX)  // the caller ends row groups
      ->created_by("sluice");
  for (const std::string& column : without_dictionary) builder.disable_dictionary(column);
  return builder.build();
}

class ArrowParquetFile : public ParquetFile {
 public:
  ArrowParquetFile(const FileShape& shape, std::shared_ptr<ObjectStream> stream)
      : schema_(shape.arrow_schema), statistics_(shape.fields, shape.indexed_columns), stream_(std::move(stream)) {}

  ~ArrowParquetFile() override {
    if (!finished_) (void)stream_->Abort();
  }

  Status Write(const arrow::RecordBatch& batch) override {
    if (batch.num_rows() == 0) return Ok();
    if (!writer_) SLUICE_CHECK(OpenWriter(ColumnsWithoutDictionary(batch, kDictionaryBytes)));
    if (!in_group_) SLUICE_CHECK(Check([&] { return writer_->NewBufferedRowGroup(); }));
    in_group_ = true;
    SLUICE_CHECK(Check([&] { return writer_->WriteRecordBatch(batch); }));
    statistics_.Observe(batch);
    group_rows_ += batch.num_rows();
    rows_ += batch.num_rows();
    group_raw_bytes_ += RawBytes(batch);
    return Ok();
  }

  Status EndRowGroup() override {
    if (!in_group_) return Ok();
    const int64_t before = stream_->position();
    // The writer closes a row group where the next begins, or with the file.
    SLUICE_CHECK(Check([&] { return writer_->NewBufferedRowGroup(); }));
    if (group_raw_bytes_ > 0) ratio_ = static_cast<double>(stream_->position() - before) / static_cast<double>(group_raw_bytes_);
    group_rows_ = group_raw_bytes_ = 0;
    return Ok();
  }

  int64_t rows_in_group() const override { return group_rows_; }
  int64_t buffered_bytes() const override { return static_cast<int64_t>(static_cast<double>(group_raw_bytes_) * ratio_); }
  int64_t size() const override { return stream_->position() + buffered_bytes(); }

  Result<Finished> Close() override {
    if (!writer_) SLUICE_CHECK(OpenWriter({}));
    SLUICE_CHECK(Check([&] { return writer_->Close(); }));
    SLUICE_CHECK(Check([&] { return stream_->Close(); }));
    finished_ = true;
    return Finished{stream_->position(), rows_, statistics_.Render(*writer_->metadata())};
  }

 private:
  template <typename Call>
  Status Check(Call&& call) {
    arrow::Status status;
    try {
      status = call();
    } catch (const std::exception& e) {  // parquet's own
      status = arrow::Status::IOError(e.what());
    }
    return status.ok() ? Ok() : Status(Fail(stream_->ErrorOf(status)));
  }

  Status OpenWriter(const std::vector<std::string>& without_dictionary) {
    return Check([&] {
      static const auto arrow_properties = parquet::ArrowWriterProperties::Builder().build();
      return parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), stream_, Properties(without_dictionary),
                                              arrow_properties)
          .Value(&writer_);
    });
  }

  static int64_t RawBytes(const arrow::RecordBatch& batch) { return arrow::util::ReferencedBufferSize(batch).ValueOr(0); }

  const std::shared_ptr<arrow::Schema> schema_;
  Statistics statistics_;
  std::shared_ptr<ObjectStream> stream_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;  // from the first rows on: they decide on encodings
  bool in_group_ = false, finished_ = false;
  int64_t rows_ = 0, group_rows_ = 0, group_raw_bytes_ = 0;
  double ratio_ = 0.5;  // encoded to raw bytes, until a row group has shown it
};

// NULL is refused above, column by column; below the top level files say "optional" everywhere but for the keys of maps.
contract::DataType Relaxed(contract::DataType type) {
  for (contract::Field& child : type.children) {
    child.nullable = !(type.kind == contract::TypeKind::kMap && child.name == "key");
    child.type = Relaxed(std::move(child.type));
  }
  return type;
}

}  // namespace

FileShape MakeFileShape(std::vector<contract::Field> fields, int indexed_columns) {
  FileShape shape{std::move(fields), nullptr, indexed_columns};
  contract::Schema schema;
  for (const contract::Field& field : shape.fields) schema.fields.push_back({field.name, Relaxed(field.type), field.nullable});
  shape.arrow_schema = contract::ToArrow(schema);
  return shape;
}

Result<std::unique_ptr<ParquetFile>> ParquetFile::Open(const FileShape& shape, std::unique_ptr<store::ObjectWriter> object) {
  return std::make_unique<ArrowParquetFile>(shape, std::make_shared<ObjectStream>(std::move(object)));
}

}  // namespace sluice::tables
