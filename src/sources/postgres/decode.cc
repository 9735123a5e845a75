#include "sources/postgres/decode.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>

#include "contract/arrow_types.h"
#include "core/time.h"
#include "formats/json_row.h"

namespace sluice::sources::postgres {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

constexpr int32_t kEpochDays = 10957;  // 2000-01-01, from which PostgreSQL counts
constexpr int64_t kEpochMicros = kEpochDays * 86'400'000'000LL;
constexpr int32_t kFirstDay = DaysFromCivil(1, 1, 1), kLastDay = DaysFromCivil(9999, 12, 31);
constexpr int64_t kFirstMicro = kFirstDay * 86'400'000'000LL, kLastMicro = (kLastDay + 1) * 86'400'000'000LL - 1;

Error Protocol(const std::string& what) {
  return UnsupportedError("postgres-protocol", "the server sent what its protocol does not allow: " + what)
      .Hint("is it a PostgreSQL server, 12 or later?");
}
Error ArrowError(const arrow::Status& status) { return RetryableError("arrow", status.ToString()); }

template <typename T>
T BigEndian(const char* data) {
  using Bits = std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
  Bits bits;
  std::memcpy(&bits, data, sizeof bits);
  if constexpr (sizeof(T) == 2) bits = __builtin_bswap16(bits);
  if constexpr (sizeof(T) == 4) bits = __builtin_bswap32(bits);
  if constexpr (sizeof(T) == 8) bits = __builtin_bswap64(bits);
  return std::bit_cast<T>(bits);
}

Result<ArrayPtr> Finished(arrow::ArrayBuilder& builder) {
  auto array = builder.Finish();
  if (!array.ok()) return Fail(ArrowError(array.status()));
  return *array;
}

// Values of one size. `read` gives a value, or nullopt for one that the type has no place for: then the whole array is none.
template <typename Builder, typename Read>
Result<ArrayPtr> Fixed(Builder&& builder, std::span<const Value> values, int32_t size, Read read) {
  if (const auto status = builder.Reserve(static_cast<int64_t>(values.size())); !status.ok()) return Fail(ArrowError(status));
  for (const Value& value : values) {
    if (value.size < 0) {
      builder.UnsafeAppendNull();
      continue;
    }
    if (value.size != size) return Fail(Protocol(fmt::format("{} bytes for a value of {}", value.size, size)));
    const auto read_value = read(value.data);
    if (!read_value) return ArrayPtr();
    builder.UnsafeAppend(*read_value);
  }
  return Finished(builder);
}

template <typename T>
std::optional<T> Plain(const char* data) {
  return BigEndian<T>(data);
}

// Texts or bytes as they came, or as `text` makes them.
template <typename Builder, typename Text>
Result<ArrayPtr> Variable(std::span<const Value> values, Text text) {
  Builder builder;
  int64_t bytes = 0;
  for (const Value& value : values) bytes += std::max(0, value.size);
  auto status = builder.Reserve(static_cast<int64_t>(values.size()));
  if (status.ok()) status = builder.ReserveData(bytes);
  for (const Value& value : values) {
    if (!status.ok()) break;
    if (value.size < 0) {
      status = builder.AppendNull();
      continue;
    }
    SLUICE_TRY(const auto made, text(value));
    status = builder.Append(made);
  }
  if (!status.ok()) return Fail(ArrowError(status));
  return Finished(builder);
}

Result<std::string_view> AsItCame(Value value) { return std::string_view(value.data, static_cast<size_t>(value.size)); }

Result<std::string_view> JsonbText(Value value) {
  if (value.size < 1 || value.data[0] != 1) return Fail(Protocol("a jsonb of an unknown version"));
  return std::string_view(value.data + 1, static_cast<size_t>(value.size - 1));
}

Result<std::string> UuidText(Value value) {
  constexpr char kHex[] = "0123456789abcdef";
  if (value.size != 16) return Fail(Protocol(fmt::format("a uuid of {} bytes", value.size)));
  std::string text;
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    const auto byte = static_cast<unsigned char>(value.data[i]);
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

// ---- Times

std::string DayText(int64_t days) {
  // Beyond int32 there is no date of PostgreSQL's.
  const CivilDate date = CivilFromDays(static_cast<int32_t>(days));
  return fmt::format("{}{:04}-{:02}-{:02}", date.year < 0 ? "-" : "", std::abs(date.year), date.month, date.day);
}

Result<std::string> DateText(Value value) {
  if (value.size != 4) return Fail(Protocol(fmt::format("a date of {} bytes", value.size)));
  const auto days = BigEndian<int32_t>(value.data);
  if (days == INT32_MAX) return "infinity";
  if (days == INT32_MIN) return "-infinity";
  return DayText(int64_t{days} + kEpochDays);
}

Result<std::string> TimestampText(Value value, const char* zone) {
  constexpr int64_t kDay = 86'400'000'000;
  if (value.size != 8) return Fail(Protocol(fmt::format("a timestamp of {} bytes", value.size)));
  const auto micros = BigEndian<int64_t>(value.data);
  if (micros == INT64_MAX) return "infinity";
  if (micros == INT64_MIN) return "-infinity";
  const bool before = micros % kDay < 0;  // of midnight
  const int64_t days = micros / kDay - before;
  const int64_t rest = micros % kDay + (before ? kDay : 0);
  std::string text =
      DayText(days + kEpochDays) + fmt::format("T{:02}:{:02}:{:02}", rest / 3'600'000'000, rest / 60'000'000 % 60, rest / 1'000'000 % 60);
  if (rest % 1'000'000 != 0) text += fmt::format(".{:06}", rest % 1'000'000);
  return text + zone;
}

std::optional<int32_t> Day(const char* data) {
  const int64_t days = int64_t{BigEndian<int32_t>(data)} + kEpochDays;
  if (days < kFirstDay || days > kLastDay) return std::nullopt;
  return static_cast<int32_t>(days);
}

std::optional<int64_t> Micros(const char* data) {
  const auto since = BigEndian<int64_t>(data);
  if (since > kLastMicro - kEpochMicros || since < kFirstMicro - kEpochMicros) return std::nullopt;
  return since + kEpochMicros;
}

// ---- numeric: digits to the base of 10,000, the first with the weight 10,000^weight

struct Numeric {
  int digits = 0, weight = 0;
  uint16_t sign = 0;
  int scale = 0;  // digits behind the point that are shown
  const char* data = nullptr;
  int digit(int i) const { return i >= 0 && i < digits ? BigEndian<int16_t>(data + static_cast<ptrdiff_t>(i) * 2) : 0; }
};
constexpr uint16_t kNegative = 0x4000, kNaN = 0xc000, kInfinity = 0xd000, kMinusInfinity = 0xf000;

constexpr std::array<int, 5> kTens = {1, 10, 100, 1000, 10000};

Result<Numeric> ReadNumeric(Value value) {
  if (value.size < 8) return Fail(Protocol(fmt::format("a numeric of {} bytes", value.size)));
  Numeric number{BigEndian<int16_t>(value.data), BigEndian<int16_t>(value.data + 2), BigEndian<uint16_t>(value.data + 4),
                 BigEndian<int16_t>(value.data + 6), value.data + 8};
  if (number.digits < 0 || value.size != 8 + 2 * number.digits) return Fail(Protocol("a numeric that is cut off"));
  for (int i = 0; i < number.digits; ++i)
    if (number.digit(i) < 0 || number.digit(i) > 9999) return Fail(Protocol("a numeric with a digit above 9999"));
  // What stands behind the last decimal place that is shown would be lost in its text: the server has none there.
  const int hidden = number.digits == 0 ? 0 : (number.digits - 1 - number.weight) * 4 - number.scale;
  if (hidden > 0 && (hidden > 3 || number.digit(number.digits - 1) % kTens[static_cast<size_t>(hidden)] != 0))
    return Fail(Protocol("a numeric with digits behind its last decimal place"));
  return number;
}

// nullopt: it is no number, or does not fit the scale or 128 bits.
std::optional<__int128> Scaled(const Numeric& number, int scale) {
  if (number.sign != 0 && number.sign != kNegative) return std::nullopt;
  unsigned __int128 sum = 0;
  constexpr unsigned __int128 kMost = static_cast<unsigned __int128>(-1) / 2;
  const auto take = [&](unsigned factor, unsigned digit) {
    if (sum > (kMost - digit) / factor) return false;
    sum = sum * factor + digit;
    return true;
  };
  for (int i = 0; i < number.digits; ++i) {
    const int below = (number.weight - i) * 4 + scale;  // how many powers of ten the group's last digit stands above the scale's last
    const int digit = number.digit(i);
    if (below >= 0) {
      if (!take(10000, static_cast<unsigned>(digit))) return std::nullopt;
    } else if (below > -4) {
      const int cut = kTens[static_cast<size_t>(-below)];
      if (digit % cut != 0 || !take(static_cast<unsigned>(10000 / cut), static_cast<unsigned>(digit / cut))) return std::nullopt;
    } else if (digit != 0) {
      return std::nullopt;
    }
  }
  const int last = (number.weight - number.digits + 1) * 4 + scale;
  for (int i = last; i > 0 && number.digits > 0; i -= std::min(i, 4))
    if (!take(static_cast<unsigned>(kTens[static_cast<size_t>(std::min(i, 4))]), 0)) return std::nullopt;
  const auto signed_sum = static_cast<__int128>(sum);
  return number.sign == kNegative ? -signed_sum : signed_sum;
}

bool FitsPrecision(__int128 value, int precision) {
  __int128 limit = 1;
  for (int i = 0; i < precision; ++i) limit *= 10;
  return value < limit && value > -limit;
}

Result<ArrayPtr> Decimals(const WireType& type, std::span<const Value> values) {
  arrow::Decimal128Builder builder(arrow::decimal128(type.precision, type.scale));
  if (const auto status = builder.Reserve(static_cast<int64_t>(values.size())); !status.ok()) return Fail(ArrowError(status));
  for (const Value& value : values) {
    if (value.size < 0) {
      builder.UnsafeAppendNull();
      continue;
    }
    SLUICE_TRY(const Numeric number, ReadNumeric(value));
    const auto scaled = Scaled(number, type.scale);
    if (!scaled || !FitsPrecision(*scaled, type.precision)) return ArrayPtr();
    builder.UnsafeAppend(arrow::Decimal128(static_cast<int64_t>(*scaled >> 64), static_cast<uint64_t>(*scaled)));
  }
  return Finished(builder);
}

// ---- Arrays

struct ArrayHead {
  int dimensions = 0;
  std::array<int32_t, 6> lengths{};
  int32_t items = 0;
};

// Appends the array's items; how many it has by dimension is its head.
Result<ArrayHead> TakeItems(Value value, std::vector<Value>* items) {
  const char* at = value.data;
  const char* const end = value.data + value.size;
  const auto has = [&](int64_t bytes) { return end - at >= bytes; };
  ArrayHead head;
  if (!has(12)) return Fail(Protocol("an array that is cut off"));
  head.dimensions = BigEndian<int32_t>(at);
  at += 12;  // dimensions, a flag for NULLs, the items' type
  if (head.dimensions < 0 || head.dimensions > 6) return Fail(Protocol("an array of more than 6 dimensions"));
  int64_t count = head.dimensions == 0 ? 0 : 1;
  for (int d = 0; d < head.dimensions; ++d) {
    if (!has(8)) return Fail(Protocol("an array that is cut off"));
    head.lengths[static_cast<size_t>(d)] = BigEndian<int32_t>(at);
    at += 8;  // its length, and the number of its first item
    count *= std::max(0, head.lengths[static_cast<size_t>(d)]);
    if (count > value.size) return Fail(Protocol("an array with more items than bytes"));
  }
  head.items = static_cast<int32_t>(count);
  for (int64_t i = 0; i < count; ++i) {
    if (!has(4)) return Fail(Protocol("an array that is cut off"));
    const auto size = BigEndian<int32_t>(at);
    at += 4;
    if (size > 0 && !has(size)) return Fail(Protocol("an array that is cut off"));
    items->push_back({at, size < 0 ? -1 : size});
    at += std::max(0, size);
  }
  return head;
}

// The items from `first`, nested as the dimensions say, as JSON.
std::string NestedJson(const ArrayHead& head, int dimension, const arrow::Array& items, int64_t* next) {
  std::string out = "[";
  for (int32_t i = 0; i < head.lengths[static_cast<size_t>(dimension)]; ++i) {
    if (i > 0) out += ",";
    if (dimension + 1 < head.dimensions) {
      out += NestedJson(head, dimension + 1, items, next);
    } else {
      out += items.IsNull(*next) ? "null" : formats::JsonOfValue(items, *next);
      ++*next;
    }
  }
  return out + "]";
}

Result<ArrayPtr> Lists(const WireType& type, std::span<const Value> values, std::vector<Unfit>* unfit) {
  std::vector<Value> items;
  std::vector<ArrayHead> heads(values.size());
  for (size_t row = 0; row < values.size(); ++row)
    if (values[row].size >= 0) {
      SLUICE_TRY(heads[row], TakeItems(values[row], &items));
    }
  SLUICE_TRY(const ArrayPtr all, DecodeValues(*type.element, items, unfit));
  arrow::Int32Builder offsets;
  arrow::TypedBufferBuilder<bool> valid;
  auto status = offsets.Reserve(static_cast<int64_t>(values.size()) + 1);
  if (status.ok()) status = valid.Reserve(static_cast<int64_t>(values.size()));
  if (!status.ok()) return Fail(ArrowError(status));
  int64_t at = 0, kept = 0;
  arrow::ArrayVector pieces;  // what stays of the items, where arrays of several dimensions go
  int64_t piece = 0;
  offsets.UnsafeAppend(0);
  for (size_t row = 0; row < values.size(); ++row) {
    const ArrayHead& head = heads[row];
    valid.UnsafeAppend(values[row].size >= 0 && head.dimensions <= 1);
    if (head.dimensions > 1) {
      pieces.push_back(all->Slice(piece, at - piece));
      int64_t next = at;
      unfit->push_back({static_cast<int64_t>(row), NestedJson(head, 0, *all, &next),
                        fmt::format("an array of {} dimensions has no place in a list of values", head.dimensions)});
      piece = at + head.items;
    } else {
      kept += head.items;
    }
    at += head.items;
    offsets.UnsafeAppend(static_cast<int32_t>(kept));
  }
  ArrayPtr left = all;
  if (!pieces.empty()) {
    pieces.push_back(all->Slice(piece, at - piece));
    auto joined = arrow::Concatenate(pieces);
    if (!joined.ok()) return Fail(ArrowError(joined.status()));
    left = *joined;
  }
  auto offset_array = offsets.Finish();
  auto bits = valid.Finish();
  if (!offset_array.ok() || !bits.ok()) return Fail(ArrowError(offset_array.ok() ? bits.status() : offset_array.status()));
  return arrow::MakeArray(arrow::ArrayData::Make(arrow::list(left->type()), static_cast<int64_t>(values.size()),
                                                 {*bits, (*offset_array)->data()->buffers[1]}, {left->data()}));
}

// In the column's own type; null where a value has no place in it.
Result<ArrayPtr> InOwnType(const WireType& type, std::span<const Value> values, std::vector<Unfit>* unfit) {
  switch (type.wire) {
    case Wire::kBoolean:
      return Fixed(arrow::BooleanBuilder(), values, 1, [](const char* data) { return std::optional(data[0] != 0); });
    case Wire::kInt2:
      return Fixed(arrow::Int16Builder(), values, 2, Plain<int16_t>);
    case Wire::kInt4:
      return Fixed(arrow::Int32Builder(), values, 4, Plain<int32_t>);
    case Wire::kInt8:
      return Fixed(arrow::Int64Builder(), values, 8, Plain<int64_t>);
    case Wire::kOid:
      return Fixed(arrow::Int64Builder(), values, 4, [](const char* data) { return std::optional<int64_t>(BigEndian<uint32_t>(data)); });
    case Wire::kFloat4:
      return Fixed(arrow::FloatBuilder(), values, 4, Plain<float>);
    case Wire::kFloat8:
      return Fixed(arrow::DoubleBuilder(), values, 8, Plain<double>);
    case Wire::kDate:
      return Fixed(arrow::Date32Builder(), values, 4, Day);
    case Wire::kTimestamp:
      return Fixed(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO), arrow::default_memory_pool()), values, 8, Micros);
    case Wire::kTimestampTz:
      return Fixed(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), arrow::default_memory_pool()), values, 8,
                   Micros);
    case Wire::kDecimal:
      return Decimals(type, values);
    case Wire::kText:
      return Variable<arrow::StringBuilder>(values, AsItCame);
    case Wire::kJsonb:
      return Variable<arrow::StringBuilder>(values, JsonbText);
    case Wire::kUuid:
      return Variable<arrow::StringBuilder>(values, UuidText);
    case Wire::kNumeric:
      return Variable<arrow::StringBuilder>(values, NumericText);
    case Wire::kBytea:
      return Variable<arrow::BinaryBuilder>(values, AsItCame);
    case Wire::kArray:
      return Lists(type, values, unfit);
  }
  return Fail(BugError("a wire type that nothing decodes"));
}

}  // namespace

Result<std::string> NumericText(Value value) {
  SLUICE_TRY(const Numeric number, ReadNumeric(value));
  if (number.sign == kNaN) return "NaN";
  if (number.sign == kInfinity) return "Infinity";
  if (number.sign == kMinusInfinity) return "-Infinity";
  std::string whole;
  for (int i = 0; i <= number.weight; ++i) whole += fmt::format("{:04}", number.digit(i));
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  std::string text = (number.sign == kNegative ? "-" : "") + (whole.empty() ? "0" : whole);
  if (number.scale <= 0) return text;
  std::string fraction;
  for (int i = number.weight + 1; static_cast<int>(fraction.size()) < number.scale; ++i) fraction += fmt::format("{:04}", number.digit(i));
  return text + "." + fraction.substr(0, static_cast<size_t>(number.scale));
}

Result<ArrayPtr> DecodeValues(const WireType& type, std::span<const Value> values, std::vector<Unfit>* unfit) {
  SLUICE_TRY(ArrayPtr array, InOwnType(type, values, unfit));
  if (array != nullptr) return array;
  switch (type.wire) {
    case Wire::kDate:
      return Variable<arrow::StringBuilder>(values, DateText);
    case Wire::kTimestamp:
      return Variable<arrow::StringBuilder>(values, [](Value value) { return TimestampText(value, ""); });
    case Wire::kTimestampTz:
      return Variable<arrow::StringBuilder>(values, [](Value value) { return TimestampText(value, "Z"); });
    default:
      return Variable<arrow::StringBuilder>(values, NumericText);
  }
}

Result<size_t> ShortenRow(std::string* bytes, size_t at, size_t most) {
  const std::string_view row = std::string_view(*bytes).substr(at);
  if (row.size() < 2) return Fail(Protocol("a row that is cut off"));
  SLUICE_TRY(const CopyRows values, SplitCopyRows(row, static_cast<size_t>(std::max<int16_t>(0, BigEndian<int16_t>(bytes->data() + at)))));
  const size_t size = row.size();
  std::string shorter(row.substr(0, 2));
  for (const Value& value : values.values) {
    const bool kept = value.size >= 0 && static_cast<size_t>(value.size) <= most;
    const uint32_t length = __builtin_bswap32(kept ? static_cast<uint32_t>(value.size) : UINT32_MAX);
    shorter.append(reinterpret_cast<const char*>(&length), sizeof length);
    if (kept) shorter.append(value.data, static_cast<size_t>(value.size));
  }
  bytes->resize(at);
  *bytes += shorter;
  return size;
}

Status ForEachTransaction(std::span<const Value> values, const std::function<void(uint32_t)>& visit) {
  std::optional<uint32_t> last;
  for (const Value& value : values) {
    if (value.size != 4) return Fail(Protocol("a row without its transaction"));
    const auto one = BigEndian<uint32_t>(value.data);
    if (one != last) visit(one);
    last = one;
  }
  return Ok();
}

Result<size_t> CopyHeaderSize(std::string_view bytes) {
  constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
  if (bytes.size() < 19 || !bytes.starts_with(kSignature)) return Fail(Protocol("a COPY without its signature"));
  const auto extension = BigEndian<int32_t>(bytes.data() + 15);
  if (extension < 0 || bytes.size() < 19 + static_cast<size_t>(extension)) return Fail(Protocol("a COPY whose header is cut off"));
  return 19 + static_cast<size_t>(extension);
}

Result<CopyRows> SplitCopyRows(std::string_view bytes, size_t columns) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  std::vector<Value> by_row;
  CopyRows out;
  out.columns = columns;
  while (at < end) {
    if (end - at < 2) return Fail(Protocol("a row that is cut off"));
    const auto count = BigEndian<int16_t>(at);
    at += 2;
    if (count == -1) break;
    if (count < 0 || static_cast<size_t>(count) != columns)
      return Fail(Protocol(fmt::format("a row of {} columns for {}", count, columns)));
    for (int16_t i = 0; i < count; ++i) {
      if (end - at < 4) return Fail(Protocol("a row that is cut off"));
      const auto size = BigEndian<int32_t>(at);
      at += 4;
      if (size > end - at) return Fail(Protocol("a row that is cut off"));
      by_row.push_back({at, size < 0 ? -1 : size});
      at += std::max(0, size);
    }
    ++out.rows;
  }
  out.values.resize(by_row.size());
  for (size_t row = 0; row < out.rows; ++row)
    for (size_t column = 0; column < columns; ++column) out.values[column * out.rows + row] = by_row[row * columns + column];
  return out;
}

}  // namespace sluice::sources::postgres
