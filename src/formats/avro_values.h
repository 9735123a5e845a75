#pragma once
// Avro's binary encoding → Arrow arrays.
#include <memory>
#include <string_view>

#include "core/result.h"
#include "formats/avro_schema.h"

namespace arrow {
class ArrayBuilder;
class RecordBatch;
}  // namespace arrow

namespace sluice::formats {

// Appends records to columns. Errors: kData "corrupt-file".
class AvroRows {
 public:
  explicit AvroRows(const AvroType& record);
  ~AvroRows();
  // `count` records, which must take all of `bytes`.
  Status Append(std::string_view bytes, int64_t count);
  Result<std::shared_ptr<arrow::RecordBatch>> Finish();

 private:
  const AvroType& record_;
  std::unique_ptr<arrow::ArrayBuilder> rows_;
};

}  // namespace sluice::formats
