#pragma once
// A Parquet file of columns that are not nested.
#include <memory>

#include "tables/parquet_file.h"
#include "tables/parquet_stream.h"

namespace sluice::tables {

// Of a shape whose `flat` is set. `known`: encodings of columns by name; all others are made out from their values.
std::unique_ptr<ParquetFile> OpenFlatFile(const FileShape& shape, std::shared_ptr<ObjectStream> stream, FileBuffering buffering,
                                          ColumnEncodings known);

}  // namespace sluice::tables
