#pragma once
// Avro object container files → typed rows; values become the contract's types as Parquet's do (parquet.h). The specification is Avro
// 1.12's; codecs: null, deflate, snappy, zstandard, bzip2, xz. A block is the unit of reading; a file that ends within one is refused
// whole.
#include <memory>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// Errors: those of PlanTyped and OpenBytes; kData "corrupt-file", "truncated-file"; kUnsupported "unsupported-avro" (a codec, a schema
// that contains itself).
Result<std::unique_ptr<RecordReader>> OpenAvro(const ReadRequest& request);
// Error kUser "unsupported-type", naming the column.
Result<std::vector<contract::Field>> NewAvroColumns(const ReadRequest& request);

}  // namespace sluice::formats
