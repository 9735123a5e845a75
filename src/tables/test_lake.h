#pragma once
// For tests: a lake in a folder of its own, an engine, and rows made from SQL.
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/text.h"
#include "engines/duckdb.h"
#include "store/object_store.h"
#include "tables/data_file_writer.h"
#include "tables/scan.h"

namespace sluice::tables {

template <typename T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().ToString());
  return *std::move(result);
}
inline void Must(Status status) {
  if (!status) throw std::runtime_error(status.error().ToString());
}

// "id: bigint, name: string"
inline contract::Schema MakeSchema(const std::string& text) {
  if (text.empty()) return {};
  const auto type = Must(contract::ParseType("struct<" + text + ">"));
  return {type.children};
}

class TestLake {
 public:
  TestLake() {
    dir_ = std::filesystem::temp_directory_path() / fmt::format("sluice-tables-{}", Hex(SystemRandom().Next()));
    std::filesystem::create_directories(dir_ / "scratch");
    store_ = Must(store::OpenLocalStore((dir_ / "lake").string(), false));
    db_ = Must(engines::DuckDb::Open({}));
    connection_ = Must(db_->Connect());
  }
  ~TestLake() {
    connection_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  store::ObjectStore& store() { return *store_; }
  engines::Connection& connection() { return *connection_; }
  std::string dir() const { return dir_.string(); }
  std::string scratch() const { return (dir_ / "scratch").string(); }

  std::shared_ptr<arrow::RecordBatchReader> Read(const std::string& sql) { return Must(connection_->Query(sql)); }

  // Each row as its columns' texts joined by '|', NULL as "-"; sorted.
  std::vector<std::string> Rows(const std::string& sql) {
    std::vector<std::string> lines;
    for (const auto& row : Must(connection_->Rows(sql))) {
      std::vector<std::string> cells;
      for (const auto& cell : row) cells.push_back(cell.value_or("-"));
      lines.push_back(Join(cells, "|"));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  std::vector<std::string> Rows(const Scan& scan) { return Rows("SELECT * FROM " + scan.sql); }

  WriterOptions Options(contract::Schema schema, std::vector<std::string> partition_columns = {}) {
    WriterOptions options;
    options.schema = std::move(schema);
    options.partition_columns = std::move(partition_columns);
    options.file_prefix = "test.t-1.1";
    options.scratch_dir = scratch();
    return options;
  }

  std::vector<StagedFile> WriteFiles(const WriterOptions& options, const std::string& sql, const std::string& root = "t",
                                     Brought brought = Brought::kChecked) {
    auto writer = Must(DataFileWriter::Open(*store_, root, options, SystemRandom()));
    const auto reader = Read(sql);
    for (;;) {
      std::shared_ptr<arrow::RecordBatch> batch;
      if (!reader->ReadNext(&batch).ok()) throw std::runtime_error("cannot read the source");
      if (!batch) break;
      Must(writer->Write(*batch, brought));
    }
    return Must(writer->Finish());
  }

 private:
  std::filesystem::path dir_;
  std::unique_ptr<store::ObjectStore> store_;
  std::unique_ptr<engines::DuckDb> db_;
  std::unique_ptr<engines::Connection> connection_;
};

}  // namespace sluice::tables
