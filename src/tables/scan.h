#pragma once
// How a table is read (design section 6): always by the files that our own snapshot leaves, as SQL for DuckDB.
#include <optional>
#include <string>
#include <vector>

#include "delta/column_mapping.h"
#include "delta/snapshot.h"

namespace sluice::tables {

// A file that a batch has staged: in the table's folder, named in no log yet.
struct StagedFile {
  delta::Add add;  // path relative to the table root, size, partition values, stats
  int64_t rows = 0;
};

struct ScanOptions {
  std::optional<std::vector<std::string>> columns;  // default: all the table's columns, metadata columns included
  std::optional<std::vector<delta::Add>> only;      // these files instead of the snapshot's (a subset: new rows, a window)
  std::vector<std::string> removed_paths;           // overlay: files the staged change removes …
  std::vector<StagedFile> added;                    // … and adds: the table "as it will be"
  // Where set: also select, under these names, the file's location (delta::FileLocation) and the 0-based number of the row in it.
  std::string file_column, row_column;
};

// What to read, where it is not a snapshot as it stands.
struct ScanSource {
  const contract::Schema& schema;  // columns that a file does not have are NULL
  const std::vector<std::string>& partition_columns;
  delta::ColumnMapping mapping = delta::ColumnMapping::kNone;
  std::vector<const delta::Add*> files;
};

struct Scan {
  std::string sql;          // a SELECT, in parentheses: usable in FROM. Columns in schema order, cast to the table's types;
                            // an empty table gives SELECT … WHERE false with the right types
  contract::Schema schema;  // of the columns it gives
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t rows = -1;  // from statistics; -1 if a file has none
};

// Refuses kUnsupported "unsupported-feature" what we cannot read right (naming it).
Result<Scan> ScanFor(store::ObjectStore& store, std::string_view table_root, const delta::Snapshot& snapshot,
                     const ScanOptions& options = {});
// The table's columns with its schema evolved by a staged change that is not committed yet.
Result<Scan> ScanStaged(store::ObjectStore& store, std::string_view table_root, const contract::Schema& schema,
                        const std::vector<std::string>& partition_columns, const std::vector<StagedFile>& files,
                        delta::ColumnMapping mapping = delta::ColumnMapping::kNone);

// The general form: `options` gives columns, file_column and row_column; its overlay is not looked at.
Result<Scan> ScanFiles(store::ObjectStore& store, std::string_view table_root, const ScanSource& source, const ScanOptions& options = {});

// DuckDB takes every path as a pattern: each special character becomes a class of one.
std::string EscapeGlob(const std::string& path);

}  // namespace sluice::tables
