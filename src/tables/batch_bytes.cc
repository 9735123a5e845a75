#include "tables/batch_bytes.h"

#include <arrow/array/data.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/byte_size.h>

#include <algorithm>

namespace sluice::tables {
namespace {

constexpr int64_t kPaddingRows = 2048;  // for which a whole array's buffers may have room

bool IsWhole(const arrow::ArrayData& column) {
  if (column.offset != 0 || !column.child_data.empty() || column.buffers.size() < 2 || !column.buffers[1]) return false;
  const int width = arrow::is_fixed_width(column.type->id()) ? column.type->bit_width() : 32;  // or offsets
  return column.buffers[1]->size() * 8 < (column.length + kPaddingRows) * width;
}

}  // namespace

int64_t BytesOf(const arrow::RecordBatch& batch) {
  const auto& columns = batch.column_data();
  const bool whole = std::all_of(columns.begin(), columns.end(), [](const auto& column) { return IsWhole(*column); });
  if (!whole) return arrow::util::ReferencedBufferSize(batch).ValueOr(0);
  int64_t bytes = 0;
  for (const auto& column : columns)
    for (const auto& buffer : column->buffers) bytes += buffer ? buffer->size() : 0;
  return bytes;
}

}  // namespace sluice::tables
