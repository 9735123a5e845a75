#pragma once
// Values that are not nested, from Arrow arrays to Parquet's plain encoding.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tables/growing_bytes.h"

namespace arrow {
struct ArrayData;
class DataType;
}  // namespace arrow
namespace parquet {
class ColumnDescriptor;
}

namespace sluice::tables {

// How values of a type lie in an Arrow array, and in what order their plain form is.
struct LeafType {
  enum class Source { kBits, kInt8, kInt16, kFour, kEight, kDecimal4, kDecimal8, kDecimalBytes, kText };
  enum class Order { kBoolean, kInt32, kInt64, kFloat, kDouble, kSignedBytes, kBytes };
  Source source;
  Order order;
  size_t width;  // of a plain value; 0: texts, each behind its length in four bytes. A boolean is a byte, which pages have as a bit
};
// Null: a nested type, or one that contracts do not have. Lives as long as the program.
const LeafType* LeafTypeOf(const arrow::DataType& type, const parquet::ColumnDescriptor& column);

inline constexpr size_t kLengthBytes = 4;
inline uint32_t LengthAt(const char* text) {
  uint32_t length = 0;
  std::memcpy(&length, text, kLengthBytes);
  return length;
}

// Rows of an array, by number or all.
struct ChosenRows {
  const uint32_t* rows;  // null: all, in their order
  size_t count;

  template <typename Each>
  void ForEach(Each each) const {
    if (rows == nullptr)
      for (size_t i = 0; i < count; ++i) each(i);
    else
      for (size_t i = 0; i < count; ++i) each(static_cast<size_t>(rows[i]));
  }
};

// The rows, none of which is NULL, behind `out`.
void AppendPlain(const LeafType& type, const arrow::ArrayData& values, const ChosenRows& chosen, GrowingBytes* out);
// The places in its dictionary of rows of a dictionary array, likewise.
void AppendCodes(const arrow::ArrayData& values, const ChosenRows& chosen, GrowingBytes* out);

}  // namespace sluice::tables
