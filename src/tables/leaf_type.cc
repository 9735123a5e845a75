#include "tables/leaf_type.h"

#include <arrow/array/data.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <parquet/schema.h>

#include <array>

namespace sluice::tables {
namespace {

using Order = LeafType::Order;
using Source = LeafType::Source;

constexpr size_t kStep = 16;  // bytes of a short text, copied at once

const LeafType* DecimalTypeOf(const parquet::ColumnDescriptor& column) {
  static const LeafType kShort{Source::kDecimal4, Order::kInt32, 4}, kLong{Source::kDecimal8, Order::kInt64, 8};
  static const auto* wide = [] {
    auto* types = new std::array<LeafType, 17>();
    for (size_t width = 0; width < types->size(); ++width) (*types)[width] = {Source::kDecimalBytes, Order::kSignedBytes, width};
    return types;
  }();
  if (column.physical_type() == parquet::Type::INT32) return &kShort;
  if (column.physical_type() == parquet::Type::INT64) return &kLong;
  return column.physical_type() == parquet::Type::FIXED_LEN_BYTE_ARRAY ? &wide->at(static_cast<size_t>(column.type_length())) : nullptr;
}

template <typename Out, typename In, typename Convert>
void Copy(const In* in, const ChosenRows& chosen, char* out, Convert convert) {
  chosen.ForEach([&](size_t row) {
    const Out value = convert(in[row]);
    std::memcpy(out, &value, sizeof(Out));
    out += sizeof(Out);
  });
}

template <typename T>
void Copy(const T* in, const ChosenRows& chosen, char* out) {
  if (chosen.rows == nullptr)
    std::memcpy(out, in, chosen.count * sizeof(T));
  else
    Copy<T>(in, chosen, out, [](T value) { return value; });
}

struct Sixteen {
  uint64_t low, high;  // as Arrow has a decimal, on little-endian machines
};

// The last bytes of the big-endian number.
void CopyDecimals(const Sixteen* in, const ChosenRows& chosen, size_t width, char* out) {
  chosen.ForEach([&](size_t row) {
    const uint64_t big[2] = {__builtin_bswap64(in[row].high), __builtin_bswap64(in[row].low)};
    std::memcpy(out, reinterpret_cast<const char*>(big) + sizeof(big) - width, width);
    out += width;
  });
}

// Each behind its length. Short texts by a whole step, as long as that stays within the buffer: what it writes too far is overwritten by
// the next one.
char* CopyTexts(const arrow::ArrayData& values, const ChosenRows& chosen, char* out) {
  const auto* starts = values.GetValues<int32_t>(1);
  const char* texts = values.buffers[2] ? reinterpret_cast<const char*>(values.buffers[2]->data()) : nullptr;
  const int64_t last_step = values.buffers[2] ? values.buffers[2]->size() - static_cast<int64_t>(kStep) : -1;
  chosen.ForEach([&](size_t row) {
    const int32_t start = starts[row];
    const auto length = static_cast<uint32_t>(starts[row + 1] - start);
    std::memcpy(out, &length, kLengthBytes);
    out += kLengthBytes;
    if (length <= kStep && start <= last_step)
      std::memcpy(out, texts + start, kStep);
    else if (length > 0)
      std::memcpy(out, texts + start, length);
    out += length;
  });
  return out;
}

size_t TextBytes(const arrow::ArrayData& values, const ChosenRows& chosen) {
  const auto* starts = values.GetValues<int32_t>(1);
  size_t bytes = 0;
  chosen.ForEach([&](size_t row) { bytes += static_cast<size_t>(starts[row + 1] - starts[row]); });
  return bytes + chosen.count * kLengthBytes;
}

}  // namespace

const LeafType* LeafTypeOf(const arrow::DataType& type, const parquet::ColumnDescriptor& column) {
  static const LeafType kBoolean{Source::kBits, Order::kBoolean, 1}, kInt8{Source::kInt8, Order::kInt32, 4},
      kInt16{Source::kInt16, Order::kInt32, 4}, kInt32{Source::kFour, Order::kInt32, 4}, kInt64{Source::kEight, Order::kInt64, 8},
      kFloat{Source::kFour, Order::kFloat, 4}, kDouble{Source::kEight, Order::kDouble, 8}, kText{Source::kText, Order::kBytes, 0};
  switch (type.id()) {
    case arrow::Type::BOOL:
      return &kBoolean;
    case arrow::Type::INT8:
      return &kInt8;
    case arrow::Type::INT16:
      return &kInt16;
    case arrow::Type::INT32:
    case arrow::Type::DATE32:
      return &kInt32;
    case arrow::Type::INT64:
    case arrow::Type::TIMESTAMP:  // in microseconds: see contract::ToArrow
      return &kInt64;
    case arrow::Type::FLOAT:
      return &kFloat;
    case arrow::Type::DOUBLE:
      return &kDouble;
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return &kText;
    case arrow::Type::DECIMAL128:
      return DecimalTypeOf(column);
    default:
      return nullptr;
  }
}

void AppendPlain(const LeafType& type, const arrow::ArrayData& values, const ChosenRows& chosen, GrowingBytes* out) {
  if (type.source == Source::kText) {
    const size_t bytes = TextBytes(values, chosen);
    CopyTexts(values, chosen, out->Reserve(bytes + kStep));
    return out->Advance(bytes);
  }
  const size_t bytes = chosen.count * type.width;
  char* at = out->Reserve(bytes);
  switch (type.source) {
    case Source::kBits:
      chosen.ForEach([&, bits = values.buffers[1]->data()](size_t row) {
        *at++ = static_cast<char>(arrow::bit_util::GetBit(bits, values.offset + static_cast<int64_t>(row)));
      });
      break;
    case Source::kInt8:
      Copy<int32_t>(values.GetValues<int8_t>(1), chosen, at, [](int8_t value) { return static_cast<int32_t>(value); });
      break;
    case Source::kInt16:
      Copy<int32_t>(values.GetValues<int16_t>(1), chosen, at, [](int16_t value) { return static_cast<int32_t>(value); });
      break;
    case Source::kFour:
      Copy(values.GetValues<uint32_t>(1), chosen, at);
      break;
    case Source::kEight:
      Copy(values.GetValues<uint64_t>(1), chosen, at);
      break;
    case Source::kDecimal4:
      Copy<uint32_t>(values.GetValues<Sixteen>(1), chosen, at, [](const Sixteen& value) { return static_cast<uint32_t>(value.low); });
      break;
    case Source::kDecimal8:
      Copy<uint64_t>(values.GetValues<Sixteen>(1), chosen, at, [](const Sixteen& value) { return value.low; });
      break;
    case Source::kDecimalBytes:
      CopyDecimals(values.GetValues<Sixteen>(1), chosen, type.width, at);
      break;
    case Source::kText:
      break;
  }
  out->Advance(bytes);
}

void AppendCodes(const arrow::ArrayData& values, const ChosenRows& chosen, GrowingBytes* out) {
  Copy(values.GetValues<uint32_t>(1), chosen, out->Reserve(chosen.count * sizeof(uint32_t)));
  out->Advance(chosen.count * sizeof(uint32_t));
}

}  // namespace sluice::tables
