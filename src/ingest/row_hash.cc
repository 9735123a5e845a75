#include "ingest/row_hash.h"

#include <arrow/api.h>

#include <cmath>
#include <cstring>
#include <string_view>

namespace sluice::ingest {
namespace {

constexpr uint64_t kLow = 0x9e3779b97f4a7c15ULL, kHigh = 0xc2b2ae3d27d4eb4fULL;  // odd, well mixed bits

// The 128-bit product folded: every input bit reaches every output bit.
uint64_t Fold(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

void Mix(Hash128& hash, uint64_t word) {
  hash.low = Fold(hash.low ^ word ^ kLow, 0xd6e8feb86659fd93ULL) + kHigh;
  hash.high = Fold(hash.high ^ word ^ kHigh, 0xa0761d6478bd642fULL) + kLow;
}

void MixBytes(Hash128& hash, std::string_view bytes) {
  Mix(hash, bytes.size());
  for (size_t i = 0; i < bytes.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min<size_t>(8, bytes.size() - i));
    Mix(hash, word);
  }
}

constexpr uint64_t kNullMark = 0x6e756c6c6e756c6cULL;

bool IsText(const arrow::Array& array) { return array.type_id() == arrow::Type::STRING || array.type_id() == arrow::Type::BINARY; }

// Values of `width` bytes each; 0: not of fixed width.
int FixedWidth(const arrow::Array& array) {
  switch (array.type_id()) {
    case arrow::Type::INT8:
      return 1;
    case arrow::Type::INT16:
      return 2;
    case arrow::Type::INT32:
    case arrow::Type::FLOAT:
    case arrow::Type::DATE32:
      return 4;
    case arrow::Type::INT64:
    case arrow::Type::DOUBLE:
    case arrow::Type::TIMESTAMP:
      return 8;
    case arrow::Type::DECIMAL128:
      return 16;
    default:
      return 0;
  }
}

void MixColumn(const arrow::Array& array, RowHashes* out) {
  const int width = FixedWidth(array);
  const uint8_t* values = width > 0 ? array.data()->buffers[1]->data() + array.offset() * width : nullptr;
  for (int64_t row = 0; row < array.length(); ++row) {
    Hash128& hash = out->hashes[static_cast<size_t>(row)];
    if (array.IsNull(row)) {
      Mix(hash, kNullMark);
      out->has_null[static_cast<size_t>(row)] = 1;
      continue;
    }
    if (width > 0) {
      uint64_t words[2] = {0, 0};
      std::memcpy(words, values + row * width, static_cast<size_t>(width));
      Mix(hash, words[0]);
      if (width > 8) Mix(hash, words[1]);
    } else if (IsText(array)) {
      MixBytes(hash, static_cast<const arrow::BinaryArray&>(array).GetView(row));
    } else if (array.type_id() == arrow::Type::BOOL) {
      Mix(hash, static_cast<const arrow::BooleanArray&>(array).Value(row) ? 1 : 2);
    } else {
      MixBytes(hash, (*array.GetScalar(row))->ToString());  // nested: by its text
    }
  }
}

void AppendBigEndian(std::string* out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) *out += static_cast<char>(value >> shift);
}

uint64_t Ordered(double value) {
  uint64_t bits = 0;
  if (value == 0) value = 0;  // -0.0
  std::memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | uint64_t{1} << 63;
}

constexpr uint64_t kSign = uint64_t{1} << 63;

void AppendSortKey(const arrow::Array& array, int64_t row, std::string* out) {
  const auto number = [&](int64_t value) { AppendBigEndian(out, static_cast<uint64_t>(value) ^ kSign); };
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return number(static_cast<const arrow::BooleanArray&>(array).Value(row));
    case arrow::Type::INT8:
      return number(static_cast<const arrow::Int8Array&>(array).Value(row));
    case arrow::Type::INT16:
      return number(static_cast<const arrow::Int16Array&>(array).Value(row));
    case arrow::Type::INT32:
      return number(static_cast<const arrow::Int32Array&>(array).Value(row));
    case arrow::Type::DATE32:
      return number(static_cast<const arrow::Date32Array&>(array).Value(row));
    case arrow::Type::INT64:
      return number(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::TIMESTAMP:
      return number(static_cast<const arrow::TimestampArray&>(array).Value(row));
    case arrow::Type::FLOAT:
      return AppendBigEndian(out, Ordered(static_cast<const arrow::FloatArray&>(array).Value(row)));
    case arrow::Type::DOUBLE:
      return AppendBigEndian(out, Ordered(static_cast<const arrow::DoubleArray&>(array).Value(row)));
    case arrow::Type::DECIMAL128: {
      uint64_t words[2];
      std::memcpy(words, static_cast<const arrow::Decimal128Array&>(array).GetValue(row), sizeof words);
      AppendBigEndian(out, words[1] ^ kSign);
      return AppendBigEndian(out, words[0]);
    }
    default:
      break;
  }
  if (!IsText(array)) return;
  for (const char c : static_cast<const arrow::BinaryArray&>(array).GetView(row)) {
    *out += c;
    if (c == '\0') *out += '\xff';  // so that the end mark sorts before any further byte
  }
  out->append(2, '\0');
}

}  // namespace

RowHashes HashRows(const arrow::RecordBatch& rows, const std::vector<int>& columns) {
  RowHashes out;
  out.hashes.assign(static_cast<size_t>(rows.num_rows()), Hash128{kHigh, kLow});
  out.has_null.assign(static_cast<size_t>(rows.num_rows()), 0);
  for (const int column : columns) MixColumn(*rows.column(column), &out);
  return out;
}

std::vector<std::string> SortKeys(const arrow::RecordBatch& rows, const std::vector<int>& columns) {
  std::vector<std::string> keys(static_cast<size_t>(rows.num_rows()));
  for (const int column : columns) {
    const arrow::Array& array = *rows.column(column);
    for (int64_t row = 0; row < rows.num_rows(); ++row) {
      std::string& key = keys[static_cast<size_t>(row)];
      key += array.IsNull(row) ? '\0' : '\1';
      if (array.IsValid(row)) AppendSortKey(array, row, &key);
    }
  }
  return keys;
}

}  // namespace sluice::ingest
