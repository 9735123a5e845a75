#include "engines/duckdb/result_reader.h"

#include <arrow/c/bridge.h>
#include <arrow/type.h>

#include <vector>

#include "engines/duckdb.h"

namespace sluice::engines {
namespace {

// An error of ours inside an arrow::Status, so that it comes out whole at the other end (ReaderError).
class ErrorDetail : public arrow::StatusDetail {
 public:
  explicit ErrorDetail(Error error) : error_(std::move(error)) {}
  const char* type_id() const override { return kTypeId; }
  std::string ToString() const override { return error_.ToString(); }
  const Error& error() const { return error_; }
  static constexpr const char* kTypeId = "sluice::Error";

 private:
  Error error_;
};

arrow::Status ToArrow(Error error) {
  std::string message = error.message;
  return arrow::Status(arrow::StatusCode::ExecutionError, std::move(message), std::make_shared<ErrorDetail>(std::move(error)));
}

Result<std::shared_ptr<arrow::Schema>> ResultSchema(duckdb_result* result, duckdb_arrow_options options) {
  const idx_t count = duckdb_column_count(result);
  std::vector<TypeHandle> owners;
  std::vector<duckdb_logical_type> types;
  std::vector<const char*> names;
  for (idx_t i = 0; i < count; ++i) {
    owners.emplace_back(duckdb_column_logical_type(result, i));
    types.push_back(owners.back().get());
    names.push_back(duckdb_column_name(result, i));
  }
  ArrowSchema exported{};
  SLUICE_CHECK(Check(ErrorHandle(duckdb_to_arrow_schema(options, types.data(), names.data(), count, &exported))));
  auto schema = arrow::ImportSchema(&exported);
  if (!schema.ok()) return Fail(BugError(schema.status().ToString()));
  return *std::move(schema);
}

class Reader : public arrow::RecordBatchReader {
 public:
  Reader(PreparedHandle statement, std::shared_ptr<void> owner) : owner_(std::move(owner)), statement_(std::move(statement)) {}

  Status Start() {
    PendingHandle pending;
    // The only way to a result that is not materialised; marked as deprecated without a successor.
    if (duckdb_pending_prepared_streaming(statement_.get(), pending.out()) != DuckDBSuccess)
      return Fail(SqlError(duckdb_pending_error(pending.get())));
    if (duckdb_execute_pending(pending.get(), result_.get()) != DuckDBSuccess) return Fail(SqlError(duckdb_result_error(result_.get())));
    options_ = ArrowOptionsHandle(duckdb_result_get_arrow_options(result_.get()));
    SLUICE_TRY(schema_, ResultSchema(result_.get(), options_.get()));
    return Ok();
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    batch->reset();
    while (!done_) {
      const ChunkHandle chunk(duckdb_fetch_chunk(*result_.get()));
      if (!chunk) return Finish();
      if (duckdb_data_chunk_get_size(chunk.get()) == 0) continue;
      return Convert(chunk.get()).Value(batch);
    }
    return arrow::Status::OK();
  }

 private:
  // No more chunks: the end, or an error while running.
  arrow::Status Finish() {
    done_ = true;
    const char* message = duckdb_result_error(result_.get());
    return message && *message ? ToArrow(SqlError(message)) : arrow::Status::OK();
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Convert(duckdb_data_chunk chunk) {
    ArrowArray exported{};
    if (Status status = Check(ErrorHandle(duckdb_data_chunk_to_arrow(options_.get(), chunk, &exported))); !status)
      return ToArrow(std::move(status).error());
    return arrow::ImportRecordBatch(&exported, schema_);
  }

  std::shared_ptr<void> owner_;  // declared first: outlives the result
  PreparedHandle statement_;
  ResultHandle result_;
  ArrowOptionsHandle options_;
  std::shared_ptr<arrow::Schema> schema_;
  bool done_ = false;
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> StreamResult(PreparedHandle statement, std::shared_ptr<void> owner) {
  auto reader = std::make_shared<Reader>(std::move(statement), std::move(owner));
  SLUICE_CHECK(reader->Start());
  return reader;
}

Error ReaderError(const arrow::Status& status) {
  if (const auto& detail = status.detail(); detail && std::string_view(detail->type_id()) == ErrorDetail::kTypeId)
    return static_cast<const ErrorDetail&>(*detail).error();
  return SqlError(status.message());
}

}  // namespace sluice::engines
