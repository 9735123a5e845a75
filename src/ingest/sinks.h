#pragma once
// Where rows of a batch go: staged files of bronze and of quarantine.
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ingest/ingest.h"
#include "ingest/layout.h"
#include "tables/data_file_writer.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace sluice::ingest {

// What a row of a file gets beside its own columns. Arrays are kept between blocks: one per thread.
class MetadataColumns {
 public:
  MetadataColumns(const BatchIdentity& batch, std::string source) : batch_(batch), source_(std::move(source)) {}
  // `rows` numbers of records → the metadata columns, in BronzeMetadataColumns()'s order.
  Result<std::vector<std::shared_ptr<arrow::Array>>> For(const std::string& file, std::vector<int64_t> rows);

 private:
  Result<std::shared_ptr<arrow::Array>> Constant(size_t column, int64_t rows);

  const BatchIdentity& batch_;
  std::string source_, file_;
  std::vector<std::shared_ptr<arrow::Array>> constants_;
};

// Staged files of one table, each slot's of its own; they are opened when a row comes. Thread-safe.
class TableSink {
 public:
  struct Options {
    store::ObjectStore* store = nullptr;
    std::string root;
    tables::WriterOptions writer;  // memory_bytes is that of all slots
    Random* random = nullptr;
    int slots = 1;
  };
  explicit TableSink(Options options);
  // `dropped`: rows that are left out; empty: none.
  Status Write(size_t slot, const arrow::RecordBatch& rows, tables::Dropped dropped = {});
  Result<std::vector<tables::StagedFile>> Finish();
  int64_t rows_written() const;  // after Finish

 private:
  struct Slot {
    std::mutex mutex;
    std::unique_ptr<tables::DataFileWriter> writer;
  };
  Options options_;
  std::vector<std::unique_ptr<Slot>> slots_;
  int64_t rows_ = 0;
};

// The table's columns in the layout's order, of decoded rows and their metadata.
std::shared_ptr<arrow::RecordBatch> Arrange(const Layout& layout, const std::shared_ptr<arrow::Schema>& written,
                                            const arrow::RecordBatch& rows, const std::vector<std::shared_ptr<arrow::Array>>& metadata);

// Deletes what an attempt has staged under `root`; best effort.
void DeleteStaged(store::ObjectStore& store, const std::string& root, const std::string& file_prefix);

}  // namespace sluice::ingest
