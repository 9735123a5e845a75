#include "tables/copy_file.h"

#include <arrow/array/array_primitive.h>
#include <arrow/buffer.h>
#include <arrow/chunked_array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "delta/path.h"
#include "formats/object_file.h"

namespace sluice::tables {
namespace {

constexpr int64_t kReadBytes = int64_t{4} << 20;  // of one column at a time
constexpr double kWorthCompressing = 0.9;         // of the bytes are left

using Reader = std::unique_ptr<parquet::arrow::FileReader>;

arrow::Status Build(const std::shared_ptr<arrow::io::RandomAccessFile>& bytes, const std::vector<int>& dictionaries, Reader* reader) {
  parquet::ReaderProperties properties;
  properties.enable_buffered_stream();
  properties.set_buffer_size(kReadBytes);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(bytes, properties));
  parquet::ArrowReaderProperties arrow_properties;
  arrow_properties.set_pre_buffer(false);
  arrow_properties.set_use_threads(false);
  for (const int leaf : dictionaries) arrow_properties.set_read_dictionary(leaf, true);
  builder.properties(arrow_properties);
  ARROW_ASSIGN_OR_RAISE(*reader, builder.Build());
  return arrow::Status::OK();
}

bool HasDictionary(const parquet::FileMetaData& file, int leaf) {
  return file.num_row_groups() > 0 && file.RowGroup(0)->ColumnChunk(leaf)->has_dictionary_page();
}

// Numbers of a dictionary's entries hardly get smaller: to compress them costs as much as all else.
bool Compresses(const parquet::FileMetaData& file, int leaf) {
  int64_t plain = 0, compressed = 0;
  for (int group = 0; group < file.num_row_groups(); ++group) {
    const auto chunk = file.RowGroup(group)->ColumnChunk(leaf);
    if (chunk->compression() == parquet::Compression::UNCOMPRESSED) return false;
    plain += chunk->total_uncompressed_size();
    compressed += chunk->total_compressed_size();
  }
  return static_cast<double>(compressed) < kWorthCompressing * static_cast<double>(plain);
}

// Of other case, or more than one.
bool HasLikeNamed(const arrow::Schema& schema, const std::string& name) {
  return std::any_of(schema.fields().begin(), schema.fields().end(),
                     [&](const auto& field) { return EqualsIgnoreCase(field->name(), name); });
}

}  // namespace

struct FileCopy::Impl {
  store::ObjectStore& store;
  std::string root;
  const delta::Add& add;
  FileShape shape;          // of the columns that the file has
  std::vector<int> places;  // of these among the file's columns
  Reader reader;
  ColumnEncodings encodings;

  template <typename Call>
  Status Check(Call&& call) const {
    arrow::Status status;
    try {
      status = call();
    } catch (const parquet::ParquetStatusException& e) {
      status = e.status();
    } catch (const std::exception& e) {  // parquet's own
      status = arrow::Status::Invalid(e.what());
    }
    if (status.ok()) return Ok();
    if (auto error = formats::StoreErrorOf(status)) return Fail(*std::move(error));
    const std::string place = delta::FileLocation(store, root, add.path);
    if (status.IsOutOfMemory()) return Fail(RetryableError("out-of-memory", fmt::format("{}: {}", place, status.message())));
    return Fail(DataError("corrupt-file", fmt::format("{} is no readable Parquet file: {}", place, status.message())));
  }

  // False: not to be copied.
  Result<bool> Open(const std::vector<contract::Field>& columns, const FileRules& rules) {
    SLUICE_TRY(const auto object, store.Head(delta::StoreKey(root, add.path)));
    const auto bytes = formats::OpenObjectFile(store, object);
    SLUICE_CHECK(Check([&] { return Build(bytes, {}, &reader); }));
    std::shared_ptr<arrow::Schema> schema;
    SLUICE_CHECK(Check([&] { return reader->GetSchema(&schema); }));
    std::vector<contract::Field> present;
    for (const contract::Field& column : columns) {
      const int place = schema->GetFieldIndex(delta::PhysicalName(column, rules.mapping));
      if (place < 0) {
        if (HasLikeNamed(*schema, delta::PhysicalName(column, rules.mapping))) return false;
        continue;
      }
      present.push_back(column);
      places.push_back(place);
    }
    shape = MakeFileShape(std::move(present), rules.indexed_columns, rules.mapping);
    std::vector<int> dictionaries;
    const auto& metadata = *reader->parquet_reader()->metadata();
    for (size_t i = 0; i < places.size(); ++i) {
      const auto& wanted = shape.arrow_schema->field(static_cast<int>(i));
      if (!schema->field(places[i])->type()->Equals(*wanted->type())) return false;
      const auto& leaf = reader->manifest().schema_fields[places[i]];
      if (!leaf.is_leaf()) continue;
      if (!Compresses(metadata, leaf.column_index)) encodings.uncompressed.push_back(wanted->name());
      if (!HasDictionary(metadata, leaf.column_index)) {
        encodings.without_dictionary.push_back(wanted->name());
      } else if (arrow::is_base_binary_like(wanted->type()->id())) {
        dictionaries.push_back(leaf.column_index);
      }
    }
    if (!dictionaries.empty()) SLUICE_CHECK(Check([&] { return Build(bytes, dictionaries, &reader); }));
    return !places.empty();
  }

  // Which rows of `rows` from `first` on stay, as a mask; `at` is moved past those that leave. nullptr: all.
  static Result<std::shared_ptr<arrow::Array>> Staying(int64_t first, int64_t rows, const std::vector<int64_t>& leaving, size_t* at) {
    const size_t begin = *at;
    while (*at < leaving.size() && leaving[*at] < first + rows) ++*at;
    if (*at == begin) return std::shared_ptr<arrow::Array>();
    auto bits = arrow::AllocateBitmap(rows);
    if (!bits.ok()) return Fail(RetryableError("out-of-memory", bits.status().ToString()));
    arrow::bit_util::SetBitsTo((*bits)->mutable_data(), 0, rows, true);
    for (size_t i = begin; i < *at; ++i) arrow::bit_util::ClearBit((*bits)->mutable_data(), leaving[i] - first);
    return std::make_shared<arrow::BooleanArray>(rows, *std::move(bits));
  }

  Status CopyRowGroup(int group, int64_t rows_left, const std::shared_ptr<arrow::Array>& staying, ParquetFile* file) {
    return file->WriteRowGroup(rows_left, [&](int column) -> Result<std::shared_ptr<arrow::ChunkedArray>> {
      std::shared_ptr<arrow::ChunkedArray> values;
      SLUICE_CHECK(Check([&] { return reader->RowGroup(group)->Column(places[column])->Read(&values); }));
      if (!staying) return values;
      SLUICE_CHECK(Check([&] {
        ARROW_ASSIGN_OR_RAISE(const auto kept, arrow::compute::Filter(values, staying, arrow::compute::FilterOptions::Defaults()));
        values = kept.chunked_array();
        return arrow::Status::OK();
      }));
      return values;
    });
  }
};

FileCopy::FileCopy(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileCopy::FileCopy(FileCopy&&) noexcept = default;
FileCopy::~FileCopy() = default;

Result<std::optional<FileCopy>> FileCopy::Open(store::ObjectStore& store, std::string_view table_root, const delta::Add& add,
                                               const std::vector<contract::Field>& columns, const FileRules& rules) {
  if (delta::IsAbsolutePath(add.path) || rules.mapping == delta::ColumnMapping::kId) return std::optional<FileCopy>();
  std::unique_ptr<Impl> impl(new Impl{store, std::string(table_root), add, {}, {}, nullptr, {}});
  SLUICE_TRY(const bool copyable, impl->Open(columns, rules));
  if (!copyable) return std::optional<FileCopy>();
  return std::optional<FileCopy>(FileCopy(std::move(impl)));
}

Result<std::optional<StagedFile>> FileCopy::Write(const std::vector<int64_t>& leaving, const std::string& name) {
  const auto& metadata = *impl_->reader->parquet_reader()->metadata();
  const auto leaves = static_cast<int64_t>(leaving.size());
  if (leaves >= metadata.num_rows()) return std::optional<StagedFile>();
  const size_t folder = impl_->add.path.rfind('/') + 1;  // 0 if there is none
  StagedFile staged;
  staged.add.path = impl_->add.path.substr(0, folder) + delta::LogPath(name + ".parquet");
  staged.add.partition_values = impl_->add.partition_values;
  const auto open = [&] { return impl_->store.OpenWriter(delta::StoreKey(impl_->root, staged.add.path)); };
  const auto file = ParquetFile::Open(impl_->shape, open, {}, impl_->encodings);
  int64_t first = 0;
  size_t at = 0;
  for (int group = 0; group < metadata.num_row_groups(); ++group) {
    const int64_t rows = metadata.RowGroup(group)->num_rows();
    const size_t before = at;
    SLUICE_TRY(const auto staying, Impl::Staying(first, rows, leaving, &at));
    const int64_t left = rows - static_cast<int64_t>(at - before);
    if (left > 0) SLUICE_CHECK(impl_->CopyRowGroup(group, left, staying, file.get()));
    first += rows;
  }
  SLUICE_TRY(auto finished, file->Close());
  staged.add.size = finished.size;
  staged.add.stats = std::move(finished.stats);
  staged.rows = finished.rows;
  return std::optional<StagedFile>(std::move(staged));
}

}  // namespace sluice::tables
