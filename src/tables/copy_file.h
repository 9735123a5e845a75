#pragma once
// A data file written anew without some of its rows, as it is else: columns, order, row groups and which columns have dictionaries.
// Much cheaper than reading its rows and writing them: a dictionary of texts goes over as it stands, and one column of one row group
// is in memory at a time.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"
#include "tables/data_file_writer.h"
#include "tables/parquet_file.h"

namespace sluice::tables {

class FileCopy {
 public:
  // `columns`: the data columns of the table as it is written now, partition columns not among them. nullopt where the file cannot be
  // copied and its rows must be written: it has a column of another type than the table's files have now, lies outside the table, or
  // its columns may go by their ids alone.
  // Errors: the store's; kData "corrupt-file".
  static Result<std::optional<FileCopy>> Open(store::ObjectStore& store, std::string_view table_root, const delta::Add& add,
                                              const std::vector<contract::Field>& columns, const FileRules& rules);

  // Writes <the file's folder>/<name>.parquet: all rows but those numbered in `leaving` (ascending, distinct, 0-based); nullopt if none
  // is left. Modification time is left at 0. Thread-safe on different copies. Errors: as Open; "parquet-write".
  Result<std::optional<StagedFile>> Write(const std::vector<int64_t>& leaving, const std::string& name);

  FileCopy(FileCopy&&) noexcept;
  ~FileCopy();

 private:
  struct Impl;
  explicit FileCopy(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::tables
