#include "tables/flat_column.h"

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/compression.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

#include "tables/page_encoding.h"

namespace sluice::tables {

struct FlatType {
  enum class Source { kBits, kInt8, kInt16, kFour, kEight, kDecimal4, kDecimal8, kDecimalBytes, kText };
  enum class Order { kBoolean, kInt32, kInt64, kFloat, kDouble, kSignedBytes, kBytes };
  Source source;
  Order order;
  size_t width;  // of a plain value; 0: texts, each behind its length in four bytes
};

namespace {

using Order = FlatType::Order;
using Source = FlatType::Source;

constexpr size_t kPageBytes = 1 << 20;        // of plain values
constexpr int64_t kPageRows = 1 << 17;        // of places in a dictionary
constexpr size_t kDictionaryBytes = 1 << 20;  // plain, of a column chunk; more is written without
constexpr size_t kUsesWorthAnEntry = 8;       // of an entry that is held while its column's pages wait elsewhere
constexpr size_t kSampleValues = 4096;        // after which it is asked whether a dictionary will stay below that
constexpr size_t kLeastBytes = 512;           // that a column asks for at once
constexpr size_t kLengthBytes = 4;
constexpr size_t kStep = 16;                  // bytes of a short text, copied at once
constexpr size_t kMostStatisticBytes = 4096;  // of a bound in the footer; a longer one is left out

uint32_t LengthAt(const char* text) {
  uint32_t length = 0;
  std::memcpy(&length, text, kLengthBytes);
  return length;
}

template <typename T>
T At(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

uint64_t Mix(uint64_t value) {
  value *= 0x9E3779B97F4A7C15u;
  return value ^ value >> 32;
}

uint64_t HashOf(std::string_view value) {
  if (value.size() == 4) return Mix(At<uint32_t>(&value.front()));
  if (value.size() == 8) return Mix(At<uint64_t>(&value.front()));
  return XXH3_64bits(value.data(), value.size());
}

arrow::util::Codec& Snappy() {
  thread_local const std::unique_ptr<arrow::util::Codec> codec = arrow::util::Codec::Create(arrow::Compression::SNAPPY).ValueOrDie();
  return *codec;
}

const FlatType* DecimalTypeOf(const parquet::ColumnDescriptor& column) {
  static const FlatType kShort{Source::kDecimal4, Order::kInt32, 4}, kLong{Source::kDecimal8, Order::kInt64, 8};
  static const auto* wide = [] {
    auto* types = new std::array<FlatType, 17>();
    for (size_t width = 0; width < types->size(); ++width) (*types)[width] = {Source::kDecimalBytes, Order::kSignedBytes, width};
    return types;
  }();
  if (column.physical_type() == parquet::Type::INT32) return &kShort;
  if (column.physical_type() == parquet::Type::INT64) return &kLong;
  return column.physical_type() == parquet::Type::FIXED_LEN_BYTE_ARRAY ? &wide->at(static_cast<size_t>(column.type_length())) : nullptr;
}

bool SignedLess(std::string_view a, std::string_view b) {
  const auto sign = [](std::string_view bytes) { return static_cast<signed char>(bytes[0]); };
  return sign(a) != sign(b) ? sign(a) < sign(b) : a < b;
}

}  // namespace

const FlatType* FlatTypeOf(const arrow::DataType& type, const parquet::ColumnDescriptor& column) {
  static const FlatType kBoolean{Source::kBits, Order::kBoolean, 1}, kInt8{Source::kInt8, Order::kInt32, 4},
      kInt16{Source::kInt16, Order::kInt32, 4}, kInt32{Source::kFour, Order::kInt32, 4}, kInt64{Source::kEight, Order::kInt64, 8},
      kFloat{Source::kFour, Order::kFloat, 4}, kDouble{Source::kEight, Order::kDouble, 8}, kText{Source::kText, Order::kBytes, 0};
  if (column.max_repetition_level() > 0 || column.max_definition_level() > 1) return nullptr;
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

GrowingBytes::~GrowingBytes() {
  if (data_ != nullptr) arrow::default_memory_pool()->Free(data_, static_cast<int64_t>(capacity_));
}

GrowingBytes::GrowingBytes(GrowingBytes&& other) noexcept { *this = std::move(other); }

GrowingBytes& GrowingBytes::operator=(GrowingBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

char* GrowingBytes::Reserve(size_t bytes) {
  if (size_ + bytes > capacity_) {
    const size_t wanted = std::max({size_ + bytes, capacity_ + capacity_ / 2, kLeastBytes});
    arrow::MemoryPool& pool = *arrow::default_memory_pool();
    const auto status = data_ == nullptr ? pool.Allocate(static_cast<int64_t>(wanted), &data_)
                                         : pool.Reallocate(static_cast<int64_t>(capacity_), static_cast<int64_t>(wanted), &data_);
    if (!status.ok()) throw std::bad_alloc();
    capacity_ = wanted;
  }
  return reinterpret_cast<char*>(data_) + size_;
}

// Rows of an array, by number or all.
struct FlatColumn::Chosen {
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

// Distinct plain values and their places, in the order in which they came.
class FlatColumn::Entries {
 public:
  explicit Entries(bool texts) : texts_(texts) {}

  // Empty again, its memory kept.
  void Clear(bool texts) {
    texts_ = texts;
    plain_.clear();
    begins_.clear();
    std::fill(slots_.begin(), slots_.end(), Slot{0, kEmpty});
    if (slots_.size() > 4 * kSampleValues) slots_ = {};
  }

  uint32_t PlaceOf(std::string_view value) {
    const uint64_t hash = HashOf(value);
    if (2 * (count() + 1) > slots_.size()) Grow();
    for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      const Slot& found = slots_[slot];
      if (found.place == kEmpty) {
        slots_[slot] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(count())};
        return Add(value);
      }
      if (found.hash == static_cast<uint32_t>(hash >> 32) && ValueAt(found.place) == value) return found.place;
    }
  }

  size_t count() const { return begins_.size(); }
  size_t bytes() const { return plain_.capacity() + begins_.capacity() * sizeof(uint32_t) + slots_.capacity() * sizeof(Slot); }
  const std::string& plain() const { return plain_; }
  std::string_view ValueAt(size_t place) const {
    const size_t begin = begins_[place], end = place + 1 < begins_.size() ? begins_[place + 1] : plain_.size();
    return std::string_view(plain_).substr(begin, end - begin).substr(texts_ ? kLengthBytes : 0);
  }

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  struct Slot {
    uint32_t hash, place;
  };

  uint32_t Add(std::string_view value) {
    begins_.push_back(static_cast<uint32_t>(plain_.size()));
    const auto length = static_cast<uint32_t>(value.size());
    if (texts_) plain_.append(reinterpret_cast<const char*>(&length), kLengthBytes);
    plain_ += value;
    return static_cast<uint32_t>(begins_.size() - 1);
  }

  void Grow() {
    slots_.assign(std::max<size_t>(256, 2 * slots_.size()), {0, kEmpty});
    for (uint32_t place = 0; place < count(); ++place) {
      const uint64_t hash = HashOf(ValueAt(place));
      size_t slot = hash & (slots_.size() - 1);
      while (slots_[slot].place != kEmpty) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = {static_cast<uint32_t>(hash >> 32), place};
    }
  }

  bool texts_;
  std::string plain_;
  std::vector<uint32_t> begins_;
  std::vector<Slot> slots_;
};

FlatColumn::FlatColumn(const FlatType& type, bool optional) : type_(&type), optional_(optional) {}
FlatColumn::~FlatColumn() = default;
FlatColumn::FlatColumn(FlatColumn&&) noexcept = default;
FlatColumn& FlatColumn::operator=(FlatColumn&&) noexcept = default;

Status FlatColumn::Append(const arrow::ArrayData& values, std::optional<std::span<const uint32_t>> rows) {
  const Chosen chosen = rows ? Chosen{rows->data(), rows->size()} : Chosen{nullptr, static_cast<size_t>(values.length)};
  if (chosen.count == 0) return Ok();
  const auto before = static_cast<size_t>(rows_);
  SLUICE_CHECK(AppendPresence(values, chosen));
  // The rows that have a value, where some have none.
  thread_local std::vector<uint32_t> valued;
  valued.clear();
  Chosen having = chosen;
  if (!present_.empty() && std::find(present_.begin() + static_cast<int64_t>(before), present_.end(), 0) != present_.end()) {
    size_t at = before;
    chosen.ForEach([&](size_t row) {
      if (present_[at++] != 0) valued.push_back(static_cast<uint32_t>(row));
    });
    having = {valued.data(), valued.size()};
    if (valued.empty()) return Ok();
  }
  if (values.type->id() == arrow::Type::DICTIONARY)
    AppendDictionary(values, having);
  else
    AppendValues(values, having);
  return Ok();
}

Status FlatColumn::AppendPresence(const arrow::ArrayData& values, const Chosen& chosen) {
  const bool has_nulls = values.GetNullCount() > 0;
  rows_ += static_cast<int64_t>(chosen.count);
  if (!has_nulls) {
    if (!present_.empty()) present_.resize(static_cast<size_t>(rows_), 1);
    return Ok();
  }
  const size_t before = static_cast<size_t>(rows_) - chosen.count;
  const uint8_t* bits = values.buffers[0] ? values.buffers[0]->data() : nullptr;
  const bool was_empty = present_.empty();
  present_.resize(before, 1);
  present_.resize(static_cast<size_t>(rows_));
  size_t valid = 0;
  chosen.ForEach([&, at = present_.data() + before](size_t row) mutable {
    const bool is_valid = bits != nullptr && arrow::bit_util::GetBit(bits, values.offset + static_cast<int64_t>(row));
    *at++ = is_valid;
    valid += is_valid;
  });
  nulls_ += static_cast<int64_t>(chosen.count - valid);
  if (valid < chosen.count && !optional_) return Fail(BugError("a NULL in a column that has none"));
  if (was_empty && valid == chosen.count) present_.clear();
  return Ok();
}

namespace {

template <typename Out, typename In, typename Chosen, typename Convert>
void Copy(const In* in, const Chosen& chosen, char* out, Convert convert) {
  chosen.ForEach([&](size_t row) {
    const Out value = convert(in[row]);
    std::memcpy(out, &value, sizeof(Out));
    out += sizeof(Out);
  });
}

template <typename T, typename Chosen>
void Copy(const T* in, const Chosen& chosen, char* out) {
  if (chosen.rows == nullptr)
    std::memcpy(out, in, chosen.count * sizeof(T));
  else
    Copy<T>(in, chosen, out, [](T value) { return value; });
}

struct Sixteen {
  uint64_t low, high;  // as Arrow has a decimal, on little-endian machines
};

// The last bytes of the big-endian number.
template <typename Chosen>
void CopyDecimals(const Sixteen* in, const Chosen& chosen, size_t width, char* out) {
  chosen.ForEach([&](size_t row) {
    const uint64_t big[2] = {__builtin_bswap64(in[row].high), __builtin_bswap64(in[row].low)};
    std::memcpy(out, reinterpret_cast<const char*>(big) + sizeof(big) - width, width);
    out += width;
  });
}

// Each behind its length. Short texts by a whole step, as long as that stays within the buffer: what it writes too far is overwritten by
// the next one.
template <typename Chosen>
char* CopyTexts(const arrow::ArrayData& values, const Chosen& chosen, char* out) {
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

template <typename Chosen>
size_t TextBytes(const arrow::ArrayData& values, const Chosen& chosen) {
  const auto* starts = values.GetValues<int32_t>(1);
  size_t bytes = 0;
  chosen.ForEach([&](size_t row) { bytes += static_cast<size_t>(starts[row + 1] - starts[row]); });
  return bytes + chosen.count * kLengthBytes;
}

}  // namespace

void FlatColumn::AppendValues(const arrow::ArrayData& values, const Chosen& chosen) {
  ToPlain();
  if (type_->source == Source::kText) {
    const size_t bytes = TextBytes(values, chosen);
    CopyTexts(values, chosen, values_.Reserve(bytes + kStep));
    return values_.Advance(bytes);
  }
  const size_t bytes = chosen.count * type_->width;
  char* out = values_.Reserve(bytes);
  switch (type_->source) {
    case Source::kBits:
      chosen.ForEach([&, bits = values.buffers[1]->data()](size_t row) {
        *out++ = static_cast<char>(arrow::bit_util::GetBit(bits, values.offset + static_cast<int64_t>(row)));
      });
      break;
    case Source::kInt8:
      Copy<int32_t>(values.GetValues<int8_t>(1), chosen, out, [](int8_t value) { return static_cast<int32_t>(value); });
      break;
    case Source::kInt16:
      Copy<int32_t>(values.GetValues<int16_t>(1), chosen, out, [](int16_t value) { return static_cast<int32_t>(value); });
      break;
    case Source::kFour:
      Copy(values.GetValues<uint32_t>(1), chosen, out);
      break;
    case Source::kEight:
      Copy(values.GetValues<uint64_t>(1), chosen, out);
      break;
    case Source::kDecimal4:
      Copy<uint32_t>(values.GetValues<Sixteen>(1), chosen, out, [](const Sixteen& value) { return static_cast<uint32_t>(value.low); });
      break;
    case Source::kDecimal8:
      Copy<uint64_t>(values.GetValues<Sixteen>(1), chosen, out, [](const Sixteen& value) { return value.low; });
      break;
    case Source::kDecimalBytes:
      CopyDecimals(values.GetValues<Sixteen>(1), chosen, type_->width, out);
      break;
    case Source::kText:
      break;
  }
  values_.Advance(bytes);
}

void FlatColumn::AppendDictionary(const arrow::ArrayData& values, const Chosen& chosen) {
  const auto& dictionary = values.dictionary;
  if (coding_ == Coding::kPlain && values_.size() == 0 && taken_.data_pages == 0 && type_->source == Source::kText) {
    coding_ = Coding::kShared;
    dictionary_ = dictionary;
  }
  const bool grown =
      coding_ == Coding::kShared && dictionary->offset == 0 && dictionary_->offset == 0 && dictionary->buffers == dictionary_->buffers;
  if (grown || (coding_ == Coding::kShared && dictionary == dictionary_)) {
    if (dictionary->length > dictionary_->length) dictionary_ = dictionary;
    return AppendCodes(values, chosen);
  }
  if (coding_ == Coding::kShared) ToEntries();
  if (coding_ == Coding::kEntries && entries_->plain().size() <= kDictionaryBytes) return AppendEntries(values, chosen);
  const auto* codes = values.GetValues<uint32_t>(1);
  std::vector<uint32_t> rows;
  rows.reserve(chosen.count);
  chosen.ForEach([&](size_t row) { rows.push_back(codes[row]); });
  AppendValues(*dictionary, {rows.data(), rows.size()});
}

void FlatColumn::AppendCodes(const arrow::ArrayData& values, const Chosen& chosen) {
  Copy(values.GetValues<uint32_t>(1), chosen, values_.Reserve(chosen.count * sizeof(uint32_t)));
  values_.Advance(chosen.count * sizeof(uint32_t));
}

void FlatColumn::AppendEntries(const arrow::ArrayData& values, const Chosen& chosen) {
  const arrow::ArrayData& dictionary = *values.dictionary;
  const auto* starts = dictionary.GetValues<int32_t>(1);
  const char* texts = dictionary.buffers[2] ? reinterpret_cast<const char*>(dictionary.buffers[2]->data()) : nullptr;
  const auto* codes = values.GetValues<uint32_t>(1);
  const auto place_of = [&](uint32_t code) {
    return entries_->PlaceOf({texts + starts[code], static_cast<size_t>(starts[code + 1] - starts[code])});
  };
  char* out = values_.Reserve(chosen.count * sizeof(uint32_t));
  const auto append = [&](uint32_t place) {
    std::memcpy(out, &place, sizeof(uint32_t));
    out += sizeof(uint32_t);
  };
  if (chosen.count >= static_cast<size_t>(dictionary.length) / 4) {
    std::vector<uint32_t> known(static_cast<size_t>(dictionary.length), UINT32_MAX);
    chosen.ForEach([&](size_t row) {
      uint32_t& place = known[codes[row]];
      if (place == UINT32_MAX) place = place_of(codes[row]);
      append(place);
    });
  } else {
    chosen.ForEach([&](size_t row) { append(place_of(codes[row])); });
  }
  values_.Advance(chosen.count * sizeof(uint32_t));
}

void FlatColumn::ToEntries() {
  const GrowingBytes codes = std::exchange(values_, {});
  const auto shared = std::exchange(dictionary_, nullptr);
  coding_ = Coding::kEntries;
  entries_ = std::make_unique<Entries>(true);
  arrow::ArrayData array(
      arrow::dictionary(arrow::int32(), shared->type), static_cast<int64_t>(codes.size() / sizeof(uint32_t)),
      {nullptr, std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(codes.data()), static_cast<int64_t>(codes.size()))}, 0);
  array.dictionary = shared;
  AppendEntries(array, {nullptr, codes.size() / sizeof(uint32_t)});
}

void FlatColumn::ToPlain() {
  if (coding_ == Coding::kPlain) return;
  if (coding_ == Coding::kShared && values_.size() > 0) ToEntries();
  const GrowingBytes places = std::exchange(values_, {});
  coding_ = Coding::kPlain;
  dictionary_ = nullptr;
  for (const uint32_t place : places.As<uint32_t>()) {
    const std::string_view text = entries_->ValueAt(place);
    const auto length = static_cast<uint32_t>(text.size());
    char* out = values_.Reserve(kLengthBytes + length);
    std::memcpy(out, &length, kLengthBytes);
    std::memcpy(out + kLengthBytes, text.data(), length);
    values_.Advance(kLengthBytes + length);
  }
  if (taken_.index_pages == 0) entries_ = nullptr;
}

int64_t FlatColumn::bytes() const {
  const size_t entries = entries_ ? entries_->bytes() : 0;
  return static_cast<int64_t>(values_.capacity() + present_.capacity() + entries);
}

// ---- Bounds

namespace {

template <typename T>
void Widen(std::string_view plain, bool* observed, bool* has_nan, std::string* min, std::string* max) {
  using Limits = std::numeric_limits<T>;
  constexpr bool kFloats = std::is_floating_point_v<T>;
  T least = kFloats ? Limits::infinity() : Limits::max(), greatest = kFloats ? -Limits::infinity() : Limits::lowest();
  if (*observed) {
    least = At<T>(min->data());
    greatest = At<T>(max->data());
  }
  bool nan = false;
  for (size_t at = 0; at < plain.size(); at += sizeof(T)) {
    const T value = At<T>(plain.data() + at);
    least = value < least ? value : least;  // false for a NaN
    greatest = value > greatest ? value : greatest;
    nan |= value != value;
  }
  *has_nan |= nan;
  if (plain.empty() || least > greatest) return;
  // Of zeros it is not known which they are (parquet.thrift, ColumnOrder).
  if (kFloats && least == 0) least = -T(0);
  if (kFloats && greatest == 0) greatest = T(0);
  *observed = true;
  min->assign(reinterpret_cast<const char*>(&least), sizeof(T));
  max->assign(reinterpret_cast<const char*>(&greatest), sizeof(T));
}

}  // namespace

void FlatColumn::Observe(std::string_view plain) {
  const auto widen = [&](std::string_view value, auto less) {
    if (!observed_ || less(value, std::string_view(min_))) min_ = value;
    if (!observed_ || less(std::string_view(max_), value)) max_ = value;
    observed_ = true;
  };
  switch (type_->order) {
    case Order::kBoolean:
      return Widen<uint8_t>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kInt32:
      return Widen<int32_t>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kInt64:
      return Widen<int64_t>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kFloat:
      return Widen<float>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kDouble:
      return Widen<double>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kSignedBytes:
      for (size_t at = 0; at < plain.size(); at += type_->width) widen(plain.substr(at, type_->width), SignedLess);
      return;
    case Order::kBytes:
      for (size_t at = 0; at < plain.size();) {
        const size_t length = LengthAt(plain.data() + at);
        widen(plain.substr(at + kLengthBytes, length), std::less<>());
        at += kLengthBytes + length;
      }
      return;
  }
}

// ---- Pages

Status FlatColumn::WritePage(const PageRows& page, std::string_view plain, std::span<const uint32_t> places, size_t entries, bool compress,
                             EncodedChunk* out) {
  thread_local std::string body;
  body.clear();
  if (optional_) {
    const auto present = std::span<const uint8_t>(present_);
    AppendLevels(present.empty() ? present : present.subspan(static_cast<size_t>(page.first), static_cast<size_t>(page.rows)), page.rows,
                 &body);
  }
  if (entries > 0) {
    const int width = BitsOf(entries);
    body += static_cast<char>(width);
    AppendHybrid(places, width, &body);
  } else if (type_->source == Source::kBits) {
    AppendBits(plain, &body);
  } else {
    body += plain;
  }
  ++out->data_pages;
  out->index_pages += entries > 0;
  return StorePage(entries > 0 ? PageKind::kIndices : PageKind::kPlain, page.rows, body, compress, out);
}

Status FlatColumn::StorePage(PageKind kind, int64_t values, std::string_view body, bool compress, EncodedChunk* out) {
  thread_local std::string packed;
  std::string_view stored = body;
  if (compress) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(body.data());
    const auto size = static_cast<int64_t>(body.size());
    const auto room = static_cast<size_t>(Snappy().MaxCompressedLen(size, bytes));
    if (packed.size() < room) packed.resize(room);
    const auto length = Snappy().Compress(size, bytes, static_cast<int64_t>(packed.size()), reinterpret_cast<uint8_t*>(packed.data()));
    if (!length.ok()) return Fail(BugError("snappy: " + length.status().ToString()));
    stored = std::string_view(packed).substr(0, static_cast<size_t>(*length));
  }
  if (std::max(body.size(), stored.size()) > INT32_MAX)
    return Fail(DataError("value-too-large", "a value of more than 2 GiB cannot be written to a Parquet file"));
  const size_t before = out->bytes.size();
  AppendPageHeader(kind, values, body.size(), stored.size(), &out->bytes);
  out->raw_bytes += static_cast<int64_t>(out->bytes.size() - before + body.size());
  out->bytes += stored;
  return Ok();
}

size_t FlatColumn::ValuesIn(int64_t first, int64_t rows) const {
  if (present_.empty()) return static_cast<size_t>(rows);
  const auto begin = present_.begin() + first;
  return static_cast<size_t>(std::count(begin, begin + rows, 1));
}

// What waits, as plain pages.
Status FlatColumn::WritePlain(bool compress, EncodedChunk* out) {
  const std::string_view plain(values_.data(), values_.size());
  Observe(plain);
  size_t at = 0;
  for (int64_t row = 0; row < rows_;) {
    PageRows page{row, 0};
    size_t end = at;
    if (type_->width > 0) {
      page.rows = std::min(rows_ - row, static_cast<int64_t>(kPageBytes / type_->width));
      end += ValuesIn(row, page.rows) * type_->width;
    } else {
      for (; row + page.rows < rows_ && end - at < kPageBytes; ++page.rows)
        if (present_.empty() || present_[static_cast<size_t>(row + page.rows)] != 0) end += kLengthBytes + LengthAt(plain.data() + end);
    }
    SLUICE_CHECK(WritePage(page, plain.substr(at, end - at), {}, 0, compress, out));
    row += page.rows;
    at = end;
  }
  return Ok();
}

Status FlatColumn::WriteDictionary(const Entries& entries, bool compress, EncodedChunk* out) {
  Observe(entries.plain());
  SLUICE_CHECK(StorePage(PageKind::kDictionary, static_cast<int64_t>(entries.count()), entries.plain(), compress, out));
  out->dictionary_page_size = static_cast<int64_t>(out->bytes.size());
  return Ok();
}

Status FlatColumn::WriteIndices(std::span<const uint32_t> places, size_t entries, bool compress, EncodedChunk* out) {
  size_t at = 0;
  for (int64_t row = 0; row < rows_; row += kPageRows) {
    const PageRows page{row, std::min(rows_ - row, kPageRows)};
    const size_t values = ValuesIn(row, page.rows);
    SLUICE_CHECK(WritePage(page, {}, places.subspan(at, values), entries, compress, out));
    at += values;
  }
  return Ok();
}

namespace {

// n values drawn from D equally frequent ones repeat about n²/2D times: would all D outgrow a dictionary?
bool WillOutgrow(size_t values, size_t distinct, size_t distinct_bytes) {
  const double n = static_cast<double>(values), repeated = std::max(n - static_cast<double>(distinct), 0.5);
  return n * n / 2 / repeated * (static_cast<double>(distinct_bytes) / static_cast<double>(distinct)) >
         static_cast<double>(kDictionaryBytes);
}

}  // namespace

// False, and nothing written: a dictionary is no gain.
Result<bool> FlatColumn::WriteWithDictionary(bool compress, EncodedChunk* out) {
  if (type_->source == Source::kBits || values_.size() == 0) return false;
  thread_local Entries entries(false);
  thread_local std::vector<uint32_t> places;
  entries.Clear(type_->width == 0);
  places.clear();
  const std::string_view plain(values_.data(), values_.size());
  for (size_t at = 0; at < plain.size();) {
    const bool text = type_->width == 0;
    const size_t length = text ? LengthAt(plain.data() + at) : type_->width;
    if (text) at += kLengthBytes;
    places.push_back(entries.PlaceOf(plain.substr(at, length)));
    at += length;
    if (entries.plain().size() > kDictionaryBytes) return false;
    if (places.size() == kSampleValues && WillOutgrow(kSampleValues, entries.count(), entries.plain().size())) return false;
  }
  const size_t with = entries.plain().size() + places.size() * static_cast<size_t>(BitsOf(entries.count())) / 8;
  if (with >= plain.size()) return false;
  SLUICE_CHECK(WriteDictionary(entries, compress, out));
  SLUICE_CHECK(WriteIndices(places, entries.count(), compress, out));
  return true;
}

Status FlatColumn::TakePages(bool dictionary, bool compress, std::string* pages) {
  if (dictionary && coding_ == Coding::kShared) ToEntries();
  const auto worth = [&] { return taken_.index_pages > 0 || kUsesWorthAnEntry * entries_->count() <= values_.size() / sizeof(uint32_t); };
  const bool coded = dictionary && coding_ == Coding::kEntries && entries_->count() > 0 && worth();
  if (!coded) ToPlain();
  std::swap(taken_.bytes, *pages);
  Status written = coded ? WriteIndices(values_.As<uint32_t>(), entries_->count(), compress, &taken_) : WritePlain(compress, &taken_);
  std::swap(taken_.bytes, *pages);
  taken_rows_ += std::exchange(rows_, 0);
  values_ = {};
  present_ = {};
  return written;
}

Result<EncodedChunk> FlatColumn::Finish(bool dictionary, bool compress, SpillFile* scratch, parquet::EncodedStatistics* statistics) {
  EncodedChunk out = std::exchange(taken_, {});
  const bool coded_pages = out.index_pages > 0;
  if (coding_ == Coding::kShared && values_.size() > 0) ToEntries();
  // In pages that were taken there are places in it.
  const bool coded =
      coding_ == Coding::kEntries && dictionary && (coded_pages || (taken_rows_ == 0 && entries_->plain().size() <= kDictionaryBytes));
  if (coded_pages || coded) SLUICE_CHECK(WriteDictionary(*entries_, compress, &out));
  for (const SpillFile::Chunk& pages : std::exchange(spilled_, {})) {
    const size_t before = out.bytes.size();
    out.bytes.resize(before + static_cast<size_t>(pages.bytes));
    SLUICE_CHECK(scratch->ReadBytes(pages, out.bytes.data() + before));
  }
  if (coded) {
    SLUICE_CHECK(WriteIndices(values_.As<uint32_t>(), entries_->count(), compress, &out));
  } else if (rows_ > 0) {
    ToPlain();
    bool written = false;
    if (dictionary && taken_rows_ == 0) {
      SLUICE_TRY(written, WriteWithDictionary(compress, &out));
    }
    if (!written) SLUICE_CHECK(WritePlain(compress, &out));
  }
  statistics->set_null_count(std::exchange(nulls_, 0));
  if (std::exchange(observed_, false) && std::max(min_.size(), max_.size()) <= kMostStatisticBytes) {
    statistics->set_min(min_);
    statistics->set_max(max_);
  }
  rows_ = taken_rows_ = 0;
  coding_ = Coding::kPlain;
  dictionary_ = nullptr;
  entries_ = nullptr;
  present_ = {};
  values_ = {};
  return out;
}

}  // namespace sluice::tables
