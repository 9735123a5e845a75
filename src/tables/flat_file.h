#pragma once
// A Parquet file of columns that are not nested.
#include <memory>

#include "tables/parquet_file.h"

namespace sluice::tables {

// Of a shape whose `flat` is set. Its object is opened when its first row group is written. `known`: encodings of columns by name; all
// others are made out from their values.
std::unique_ptr<ParquetFile> OpenFlatFile(const FileShape& shape, ParquetFile::OpenObject open, FileBuffering buffering,
                                          ColumnEncodings known);

}  // namespace sluice::tables
