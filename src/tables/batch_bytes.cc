#include "tables/batch_bytes.h"

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/byte_size.h>

#include <optional>

namespace sluice::tables {
namespace {

// Of a column that is not nested; nullopt: of another.
std::optional<int64_t> FlatBytes(const arrow::ArrayData& column) {
  if (column.type->num_fields() > 0 || !column.child_data.empty()) return std::nullopt;
  const int64_t nulls = column.buffers[0] ? column.length / 8 : 0;
  const auto id = column.type->id();
  if (arrow::is_fixed_width(id)) return nulls + column.length * column.type->bit_width() / 8;  // a dictionary's places too
  if (id == arrow::Type::NA) return 0;
  if (!arrow::is_binary_like(id)) return std::nullopt;
  const auto* starts = column.GetValues<int32_t>(1);
  return nulls + (column.length + 1) * static_cast<int64_t>(sizeof(int32_t)) + (starts == nullptr ? 0 : starts[column.length] - starts[0]);
}

}  // namespace

int64_t BytesOf(const arrow::RecordBatch& batch) {
  int64_t bytes = 0;
  for (const auto& column : batch.column_data()) {
    const auto flat = FlatBytes(*column);
    bytes += flat ? *flat : arrow::util::ReferencedBufferSize(*arrow::MakeArray(column)).ValueOr(0);
  }
  return bytes;
}

}  // namespace sluice::tables
