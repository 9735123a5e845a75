#pragma once
// What is Arrow's in our Parquet files: the stream to a store's object, and the properties that schemas and footers come of.
#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/object_store.h"

namespace parquet {
class WriterProperties;
}

namespace sluice::tables {

// An object of a store as an Arrow stream. Keeps the store's own error.
class ObjectStream : public arrow::io::OutputStream {
 public:
  explicit ObjectStream(std::unique_ptr<store::ObjectWriter> object) : object_(std::move(object)) {}

  arrow::Status Write(const void* data, int64_t bytes) override;
  using arrow::io::OutputStream::Write;
  arrow::Status Close() override;
  // The object is discarded with its writer.
  arrow::Status Abort() override;
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }

  int64_t position() const { return position_; }
  // Calls what writes to this stream. Errors: the store's, else kRetryable "parquet-write".
  template <typename Call>
  Status Check(Call&& call) const {
    arrow::Status status;
    try {
      status = call();
    } catch (const std::exception& e) {  // parquet's own
      status = arrow::Status::IOError(e.what());
    }
    return status.ok() ? Ok() : Status(Fail(ErrorOf(status)));
  }

 private:
  Error ErrorOf(const arrow::Status& status) const;
  arrow::Status Keep(Status status);

  std::unique_ptr<store::ObjectWriter> object_;
  std::optional<Error> error_;
  int64_t position_ = 0;
  bool closed_ = false;
};

// `uncompressed`: columns of the file, as `a.b`.
std::shared_ptr<parquet::WriterProperties> WriterPropertiesOf(const std::vector<std::string>& uncompressed = {});

}  // namespace sluice::tables
