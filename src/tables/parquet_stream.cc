#include "tables/parquet_stream.h"

#include <fmt/format.h>
#include <parquet/properties.h>

#include <utility>

#include "core/profile.h"

namespace sluice::tables {

arrow::Status ObjectStream::Write(const void* data, int64_t bytes) {
  const StageTimer timer(Stage::kStore);
  auto status = object_->Write({static_cast<const char*>(data), static_cast<size_t>(bytes)});
  position_ += bytes;
  return Keep(std::move(status));
}

arrow::Status ObjectStream::Close() {
  const StageTimer timer(Stage::kStore);
  if (closed_) return arrow::Status::OK();
  closed_ = true;
  return Keep(object_->Close());
}

arrow::Status ObjectStream::Abort() {
  closed_ = true;
  return arrow::Status::OK();
}

Error ObjectStream::ErrorOf(const arrow::Status& status) const {
  return error_ ? *error_ : RetryableError("parquet-write", fmt::format("writing Parquet: {}", status.ToString()));
}

arrow::Status ObjectStream::Keep(Status status) {
  if (status) return arrow::Status::OK();
  error_ = std::move(status).error();
  return arrow::Status::IOError(error_->message);
}

std::shared_ptr<parquet::WriterProperties> WriterPropertiesOf(const std::vector<std::string>& uncompressed) {
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::SNAPPY)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->data_page_version(parquet::ParquetDataPageVersion::V1)
      ->enable_store_decimal_as_integer()
      ->created_by("sluice");
  for (const std::string& column : uncompressed) builder.compression(column, parquet::Compression::UNCOMPRESSED);
  return builder.build();
}

}  // namespace sluice::tables
