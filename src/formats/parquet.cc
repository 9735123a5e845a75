#include "formats/parquet.h"

#include <arrow/api.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>

#include <algorithm>
#include <set>
#include <utility>

#include "contract/arrow_types.h"
#include "core/text.h"
#include "formats/column_plan.h"
#include "formats/convert_array.h"
#include "formats/json_row.h"
#include "formats/object_file.h"

namespace sluice::formats {
namespace {

constexpr int64_t kReadBytes = int64_t{256} << 10;  // of a column, at once: each is a request to a remote store

// What parquet throws, as a status: those of the file's reads come through as they were.
arrow::Status StatusOf(const std::exception& thrown) {
  const auto* status = dynamic_cast<const parquet::ParquetStatusException*>(&thrown);
  return status ? status->status() : arrow::Status::Invalid(thrown.what());
}

Error FileError(const ReadRequest& request, const arrow::Status& status) {
  if (auto error = StoreErrorOf(status)) return *std::move(error);
  const std::string uri = request.store->Uri(request.key);
  if (status.IsNotImplemented()) return UnsupportedError("unsupported-parquet", fmt::format("{}: {}", uri, status.message()));
  if (status.IsOutOfMemory()) return RetryableError("out-of-memory", fmt::format("{}: {}", uri, status.message()));
  return DataError("corrupt-file", fmt::format("{} is no readable Parquet file: {}", uri, status.message())).Hint("ask for the file again");
}

// A Parquet file that is open, and its schema.
struct OpenFile {
  store::ObjectMeta object;
  std::unique_ptr<parquet::arrow::FileReader> reader;
  std::shared_ptr<arrow::Schema> schema;
  std::vector<std::string> names() const { return schema->field_names(); }
};

int64_t RowsPerBlock(const parquet::FileMetaData& metadata, int64_t block_bytes) {
  int64_t bytes = 0;
  for (int i = 0; i < metadata.num_row_groups(); ++i) bytes += metadata.RowGroup(i)->total_byte_size();
  const int64_t row = std::max<int64_t>(1, bytes / std::max<int64_t>(1, metadata.num_rows()));
  return std::clamp<int64_t>(block_bytes / row, 256, 65536);
}

arrow::Status Build(const std::shared_ptr<arrow::io::RandomAccessFile>& bytes, int64_t block_bytes, OpenFile* file) {
  parquet::ReaderProperties properties;
  properties.enable_buffered_stream();  // a part at a time, not a whole column of a row group
  properties.set_buffer_size(kReadBytes);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(bytes, properties));
  parquet::ArrowReaderProperties arrow_properties;
  arrow_properties.set_pre_buffer(false);
  arrow_properties.set_arrow_extensions_enabled(true);  // else a UUID is 16 bytes like any others
  arrow_properties.set_use_threads(false);
  arrow_properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
  arrow_properties.set_batch_size(RowsPerBlock(*builder.raw_reader()->metadata(), block_bytes));
  builder.properties(arrow_properties);
  ARROW_ASSIGN_OR_RAISE(file->reader, builder.Build());
  return file->reader->GetSchema(&file->schema);
}

Result<OpenFile> Open(const ReadRequest& request) {
  OpenFile file;
  SLUICE_TRY(file.object, request.store->Head(request.key));
  try {
    const arrow::Status status = Build(OpenObjectFile(*request.store, file.object), request.block_bytes, &file);
    if (!status.ok()) return Fail(FileError(request, status));
  } catch (const std::exception& e) {
    return Fail(FileError(request, StatusOf(e)));
  }
  return file;
}

bool HasBinary(const contract::DataType& type) {
  return type.kind == contract::TypeKind::kBinary ||
         std::any_of(type.children.begin(), type.children.end(), [](const contract::Field& child) { return HasBinary(child.type); });
}

std::shared_ptr<arrow::DataType> WithoutUuids(const std::shared_ptr<arrow::DataType>& type) {
  if (contract::IsUuid(*type)) return static_cast<const arrow::ExtensionType&>(*type).storage_type();
  const auto field = [&](int i) { return type->field(i)->WithType(WithoutUuids(type->field(i)->type())); };
  if (type->id() == arrow::Type::LIST) return arrow::list(field(0));
  if (type->id() == arrow::Type::MAP) return std::make_shared<arrow::MapType>(field(0));
  if (type->id() != arrow::Type::STRUCT) return type;
  arrow::FieldVector fields;
  for (int i = 0; i < type->num_fields(); ++i) fields.push_back(field(i));
  return arrow::struct_(fields);
}

std::shared_ptr<arrow::ArrayData> WithoutUuids(const arrow::ArrayData& data) {
  auto out = data.Copy();
  out->type = WithoutUuids(data.type);
  for (auto& child : out->child_data) child = WithoutUuids(*child);
  return out;
}

// Shared by all blocks of a file.
struct FilePlan {
  ColumnPlan columns;
  FieldShape shape;  // children as columns.columns
  contract::Schema schema;
};

class ParquetBlock : public RawBlock {
 public:
  ParquetBlock(std::shared_ptr<arrow::RecordBatch> batch, std::shared_ptr<const FilePlan> plan, int64_t first_row)
      : batch_(std::move(batch)), plan_(std::move(plan)), first_row_(first_row) {}

  Result<DecodedBatch> Decode() override {
    DecodedBatch out;
    arrow::ArrayVector arrays;
    for (size_t i = 0; i < plan_->columns.columns.size(); ++i) {
      SLUICE_TRY(auto array, Column(i, &out.violations));
      arrays.push_back(std::move(array));
    }
    for (const int position : plan_->columns.refused) RefuseValues(position, &out.violations);
    KeepFirst(&out.violations);
    out.rows = arrow::RecordBatch::Make(contract::ToArrow(plan_->schema), batch_->num_rows(), std::move(arrays));
    out.first_row = first_row_;
    out.place = [first = first_row_](int64_t row) { return RecordPlace{first + row, 0, 0}; };
    out.raw = [batch = batch_](int64_t row) { return JsonOfRow(*batch, row); };
    return out;
  }

 private:
  Result<std::shared_ptr<arrow::Array>> Column(size_t i, std::vector<contract::Violation>* violations) {
    const FieldShape& shape = plan_->shape.children[i];
    const int position = plan_->columns.columns[i].file_column;
    if (position < 0) return *arrow::MakeArrayOfNull(contract::ToArrow(shape.type), batch_->num_rows());
    const RefuseValue refuse = [&](int64_t row, const std::string& path, const char* rule, std::string value, const std::string& message) {
      const std::string at = path.empty() ? "" : fmt::format("at {}{}: ", shape.name, path);
      violations->push_back({row, shape.name, rule, std::move(value), at + message, false});
    };
    return ConvertArray(batch_->column(position), shape, refuse);
  }

  void RefuseValues(int position, std::vector<contract::Violation>* violations) {
    const arrow::Array& array = *batch_->column(position);
    for (int64_t row = 0; row < array.length(); ++row)
      if (array.IsValid(row))
        violations->push_back(
            {row, batch_->column_name(position), "new_column", JsonOfValue(array, row), "the contract has no such column", false});
  }

  // One violation per row and column.
  static void KeepFirst(std::vector<contract::Violation>* all) {
    const auto key = [](const contract::Violation& v) { return std::tie(v.row, v.column); };
    std::stable_sort(all->begin(), all->end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    all->erase(std::unique(all->begin(), all->end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }), all->end());
  }

  std::shared_ptr<arrow::RecordBatch> batch_;
  std::shared_ptr<const FilePlan> plan_;
  int64_t first_row_;
};

class ParquetReader : public RecordReader {
 public:
  ParquetReader(const ReadRequest& request, OpenFile file, std::shared_ptr<arrow::RecordBatchReader> batches,
                std::shared_ptr<const FilePlan> plan)
      : request_(request), file_(std::move(file)), batches_(std::move(batches)), plan_(std::move(plan)) {}

  Result<std::unique_ptr<RawBlock>> Next() override {
    std::shared_ptr<arrow::RecordBatch> batch;
    try {
      do {
        const arrow::Status status = batches_->ReadNext(&batch);
        if (!status.ok()) return Fail(FileError(request_, status));
      } while (batch != nullptr && batch->num_rows() == 0);
    } catch (const std::exception& e) {
      return Fail(FileError(request_, StatusOf(e)));
    }
    if (batch == nullptr) return End();
    // The raw record of bytes must not be a text that a replay would take for other bytes.
    for (size_t i = 0; i < plan_->columns.columns.size(); ++i) {
      const int position = plan_->columns.columns[i].file_column;
      if (position < 0 || !HasBinary(plan_->shape.children[i].type)) continue;
      const auto bytes = arrow::MakeArray(WithoutUuids(*batch->column_data(position)));
      auto replaced = batch->SetColumn(position, batch->schema()->field(position)->WithType(bytes->type()), bytes);
      if (!replaced.ok()) return Fail(FileError(request_, replaced.status()));
      batch = *std::move(replaced);
    }
    const int64_t first = row_;
    row_ += batch->num_rows();
    return std::make_unique<ParquetBlock>(std::move(batch), plan_, first);
  }

 private:
  Result<std::unique_ptr<RawBlock>> End() {
    SLUICE_TRY(const store::ObjectMeta now, request_.store->Head(request_.key));
    if (now.etag == file_.object.etag && now.size == file_.object.size) return std::unique_ptr<RawBlock>();
    return Fail(
        RetryableError("file-changed-while-read", fmt::format("{} changed while it was being read", request_.store->Uri(request_.key)))
            .Hint("let the writer finish: write under a temporary name (.tmp, .part) and rename"));
  }

  ReadRequest request_;
  OpenFile file_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<const FilePlan> plan_;
  int64_t row_ = 1;
};

// Two fields of one name cannot be told apart in the raw record either.
Status RefuseDuplicateFields(const ReadRequest& request, const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const std::string& name : names)
    if (!seen.insert(name).second)
      return Fail(DataError("duplicate-header", fmt::format("{} has several columns named \"{}\"", request.store->Uri(request.key), name)));
  return Ok();
}

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenParquet(const ReadRequest& request) {
  SLUICE_TRY(OpenFile file, Open(request));
  SLUICE_CHECK(RefuseDuplicateFields(request, file.names()));
  auto plan = std::make_shared<FilePlan>();
  SLUICE_TRY(plan->columns, PlanColumns(request, file.names()));
  SLUICE_TRY(plan->shape, ShapeOf(request));
  plan->schema = request.schema();
  auto batches = file.reader->GetRecordBatchReader();
  if (!batches.ok()) return Fail(FileError(request, batches.status()));
  return std::make_unique<ParquetReader>(request, std::move(file), std::shared_ptr<arrow::RecordBatchReader>(std::move(*batches)),
                                         std::move(plan));
}

Result<std::vector<contract::Field>> NewParquetColumns(const ReadRequest& request) {
  SLUICE_TRY(const OpenFile file, Open(request));
  std::vector<contract::Field> fields;
  for (const std::string& name : NewColumnNames(request, file.names())) {
    const auto same = [&](const std::shared_ptr<arrow::Field>& field) { return Trim(field->name()) == name; };
    const auto& all = file.schema->fields();
    auto type = contract::FromArrow(*(*std::find_if(all.begin(), all.end(), same))->type());
    if (!type) {
      Error error = std::move(type).error();
      error.message = fmt::format("{}, column \"{}\": {}", request.store->Uri(request.key), name, error.message);
      return Fail(
          std::move(error).Hint("on_new_column: freeze leaves new columns out; or name it in the contract with a type that it can become"));
    }
    fields.push_back({name, *std::move(type), true, {}});
  }
  return fields;
}

}  // namespace sluice::formats
