#include "engines/duckdb/arrow_scan.h"

#include <arrow/array/array_nested.h>
#include <arrow/c/bridge.h>
#include <arrow/memory_pool.h>
#include <arrow/type.h>
#include <arrow/util/bitmap_ops.h>

#include <algorithm>
#include <atomic>

namespace sluice::engines {
namespace {

struct ScanContext {
  duckdb_connection connection;
  ArrowTables* tables;
};

struct BindData {
  std::shared_ptr<const ArrowTable> table;
};

// A run of at most one vector's rows within one batch.
struct Piece {
  size_t batch;
  int64_t offset, length;
};

// Shared by the threads of one scan; all but `next` is constant.
struct ScanState {
  std::shared_ptr<const ArrowTable> table;
  std::vector<int> columns;    // indices in the table's schema
  std::vector<idx_t> targets;  // where each goes in the output
  ArrowTypesHandle types;      // of `columns`
  std::vector<Piece> pieces;
  std::atomic<size_t> next{0};
};

template <typename T>
void Delete(void* data) {
  delete static_cast<T*>(data);
}

// Exported schemas are ours to release, whether the import went well or not.
struct ExportedSchema {
  ArrowSchema raw{};
  ~ExportedSchema() {
    if (raw.release) raw.release(&raw);
  }
};

struct ExportedArray {
  ArrowArray raw{};
  ~ExportedArray() {
    if (raw.release) raw.release(&raw);
  }
};

Status ImportTypes(duckdb_connection connection, const arrow::Schema& schema, ArrowTypesHandle* out) {
  ExportedSchema exported;
  if (const auto status = arrow::ExportSchema(schema, &exported.raw); !status.ok()) return Fail(BugError(status.ToString()));
  return Check(ErrorHandle(duckdb_schema_from_arrow(connection, &exported.raw, out->out())));
}

std::vector<Piece> Cut(const ArrowTable& table) {
  const auto vector_size = static_cast<int64_t>(duckdb_vector_size());
  std::vector<Piece> pieces;
  for (size_t i = 0; i < table.batches.size(); ++i)
    for (int64_t at = 0; at < table.batches[i]->num_rows(); at += vector_size)
      pieces.push_back({i, at, std::min(vector_size, table.batches[i]->num_rows() - at)});
  return pieces;
}

// A sliced struct that holds a struct comes out of duckdb_data_chunk_from_arrow with the rows of another slice (DuckDB 1.5.5 forgets the
// offset on the way down). So structs go in at offset 0: their children sliced in place, only their bitmaps copied, which the
// conversion reads and does not keep.
Result<std::shared_ptr<arrow::Array>> AtOffsetZero(const std::shared_ptr<arrow::Array>& array) {
  if (array->type_id() != arrow::Type::STRUCT) return array;
  const auto& whole = static_cast<const arrow::StructArray&>(*array);
  arrow::ArrayVector children;
  for (int i = 0; i < whole.num_fields(); ++i) {
    SLUICE_TRY(auto child, AtOffsetZero(whole.field(i)));
    children.push_back(std::move(child));
  }
  std::shared_ptr<arrow::Buffer> nulls;
  if (whole.null_bitmap()) {
    auto copied = arrow::internal::CopyBitmap(arrow::default_memory_pool(), whole.null_bitmap_data(), whole.offset(), whole.length());
    if (!copied.ok()) return Fail(RetryableError("sql-out-of-memory", copied.status().ToString()));
    nulls = *std::move(copied);
  }
  return std::make_shared<arrow::StructArray>(whole.type(), whole.length(), std::move(children), std::move(nulls));
}

// The columns of one piece, ready to be exported.
Result<std::shared_ptr<arrow::RecordBatch>> Project(const ScanState& scan, const Piece& piece) {
  const arrow::RecordBatch& batch = *scan.table->batches[piece.batch];
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const int column : scan.columns) {
    SLUICE_TRY(auto array, AtOffsetZero(batch.column(column)->Slice(piece.offset, piece.length)));
    fields.push_back(batch.schema()->field(column));
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), piece.length, std::move(arrays));
}

// One piece's columns as DuckDB vectors over the batch's own buffers.
Result<ChunkHandle> ImportPiece(duckdb_connection connection, const ScanState& scan, const Piece& piece) {
  SLUICE_TRY(const auto projected, Project(scan, piece));
  ExportedArray exported;
  if (const auto status = arrow::ExportRecordBatch(*projected, &exported.raw); !status.ok()) return Fail(BugError(status.ToString()));
  ChunkHandle chunk;
  SLUICE_CHECK(Check(ErrorHandle(duckdb_data_chunk_from_arrow(connection, &exported.raw, scan.types.get(), chunk.out()))));
  return chunk;
}

// What a column is in DuckDB: read off a chunk of no rows, which the conversion gives its types.
Status AddResultColumns(duckdb_connection connection, const ArrowTable& table, duckdb_bind_info info) {
  ArrowTypesHandle types;
  SLUICE_CHECK(ImportTypes(connection, *table.schema, &types));
  const auto empty = arrow::RecordBatch::MakeEmpty(table.schema);
  if (!empty.ok()) return Fail(BugError(empty.status().ToString()));
  ExportedArray exported;
  if (const auto status = arrow::ExportRecordBatch(**empty, &exported.raw); !status.ok()) return Fail(BugError(status.ToString()));
  ChunkHandle chunk;
  SLUICE_CHECK(Check(ErrorHandle(duckdb_data_chunk_from_arrow(connection, &exported.raw, types.get(), chunk.out()))));
  for (int i = 0; i < table.schema->num_fields(); ++i) {
    const TypeHandle type(duckdb_vector_get_column_type(duckdb_data_chunk_get_vector(chunk.get(), static_cast<idx_t>(i))));
    duckdb_bind_add_result_column(info, table.schema->field(i)->name().c_str(), type.get());
  }
  return Ok();
}

void Bind(duckdb_bind_info info) {
  const auto* context = static_cast<const ScanContext*>(duckdb_bind_get_extra_info(info));
  const ValueHandle handle(duckdb_bind_get_parameter(info, 0));
  auto table = context->tables->Find(duckdb_get_int64(handle.get()));
  if (!table) return duckdb_bind_set_error(info, "the registered relation is gone");
  if (const Status status = AddResultColumns(context->connection, *table, info); !status)
    return duckdb_bind_set_error(info, status.error().message.c_str());
  duckdb_bind_set_cardinality(info, static_cast<idx_t>(table->rows), true);
  duckdb_bind_set_bind_data(info, new BindData{std::move(table)}, Delete<BindData>);
}

void Init(duckdb_init_info info) {
  const auto* context = static_cast<const ScanContext*>(duckdb_init_get_extra_info(info));
  auto scan = std::make_unique<ScanState>();
  scan->table = static_cast<const BindData*>(duckdb_init_get_bind_data(info))->table;
  arrow::FieldVector fields;
  for (idx_t i = 0; i < duckdb_init_get_column_count(info); ++i) {
    const idx_t column = duckdb_init_get_column_index(info, i);
    if (column >= static_cast<idx_t>(scan->table->schema->num_fields())) continue;  // count(*) asks for the row's existence only
    scan->columns.push_back(static_cast<int>(column));
    scan->targets.push_back(i);
    fields.push_back(scan->table->schema->field(static_cast<int>(column)));
  }
  if (const Status status = ImportTypes(context->connection, arrow::Schema(fields), &scan->types); !status)
    return duckdb_init_set_error(info, status.error().message.c_str());
  scan->pieces = Cut(*scan->table);
  duckdb_init_set_max_threads(info, std::max<idx_t>(1, scan->pieces.size() / 8));
  duckdb_init_set_init_data(info, scan.release(), Delete<ScanState>);
}

void Produce(duckdb_function_info info, duckdb_data_chunk output) {
  const auto* context = static_cast<const ScanContext*>(duckdb_function_get_extra_info(info));
  auto* scan = static_cast<ScanState*>(duckdb_function_get_init_data(info));
  const size_t next = scan->next.fetch_add(1);
  if (next >= scan->pieces.size()) return duckdb_data_chunk_set_size(output, 0);
  const Piece& piece = scan->pieces[next];
  if (!scan->columns.empty()) {
    const auto chunk = ImportPiece(context->connection, *scan, piece);
    if (!chunk) return duckdb_function_set_error(info, chunk.error().message.c_str());
    // Only the chunk's first column owns the exported buffers; the others live because `scan->table` does.
    for (size_t i = 0; i < scan->columns.size(); ++i)
      duckdb_vector_reference_vector(duckdb_data_chunk_get_vector(output, scan->targets[i]), duckdb_data_chunk_get_vector(chunk->get(), i));
  }
  duckdb_data_chunk_set_size(output, static_cast<idx_t>(piece.length));
}

}  // namespace

int64_t ArrowTables::Add(std::shared_ptr<const ArrowTable> table) {
  std::lock_guard lock(mutex_);
  tables_[next_] = std::move(table);
  return next_++;
}

void ArrowTables::Remove(int64_t handle) {
  std::lock_guard lock(mutex_);
  tables_.erase(handle);
}

std::shared_ptr<const ArrowTable> ArrowTables::Find(int64_t handle) const {
  std::lock_guard lock(mutex_);
  const auto found = tables_.find(handle);
  return found == tables_.end() ? nullptr : found->second;
}

Status RegisterArrowScan(duckdb_connection connection, ArrowTables* tables) {
  const TableFunctionHandle function(duckdb_create_table_function());
  duckdb_table_function_set_name(function.get(), "sluice_arrow");
  const TypeHandle bigint(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  duckdb_table_function_add_parameter(function.get(), bigint.get());
  duckdb_table_function_set_extra_info(function.get(), new ScanContext{connection, tables}, Delete<ScanContext>);
  duckdb_table_function_set_bind(function.get(), Bind);
  duckdb_table_function_set_init(function.get(), Init);
  duckdb_table_function_set_function(function.get(), Produce);
  duckdb_table_function_supports_projection_pushdown(function.get(), true);
  if (duckdb_register_table_function(connection, function.get()) != DuckDBSuccess)
    return Fail(BugError("cannot register the table function sluice_arrow"));
  return Ok();
}

}  // namespace sluice::engines
