#include "tables/flat_column.h"

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/compression.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "tables/distinct_values.h"
#include "tables/encodings.h"

namespace sluice::tables {

namespace {

using Source = FlatType::Source;

constexpr size_t kPageBytes = 1 << 20;   // of plain values
constexpr int64_t kPageRows = 1 << 17;   // of places in a dictionary
constexpr size_t kUsesWorthAnEntry = 8;  // of an entry that is held while its column's pages wait elsewhere
constexpr size_t kSampleValues = 4096;   // after which it is asked whether a dictionary will stay below that

// The same dictionary, or one that lies in the same memory: the longer one goes on from the other.
bool IsGrownFrom(const arrow::ArrayData& known, const arrow::ArrayData& dictionary) {
  return known.offset == dictionary.offset && known.buffers == dictionary.buffers;
}

arrow::util::Codec& Snappy() {
  thread_local const std::unique_ptr<arrow::util::Codec> codec = arrow::util::Codec::Create(arrow::Compression::SNAPPY).ValueOrDie();
  return *codec;
}

}  // namespace

FlatColumn::FlatColumn(const FlatType& type, bool optional) : type_(&type), optional_(optional) {}
FlatColumn::~FlatColumn() = default;
FlatColumn::FlatColumn(FlatColumn&&) noexcept = default;
FlatColumn& FlatColumn::operator=(FlatColumn&&) noexcept = default;

Status FlatColumn::Append(const arrow::ArrayData& values, std::optional<std::span<const uint32_t>> rows) {
  const ChosenRows chosen = rows ? ChosenRows{rows->data(), rows->size()} : ChosenRows{nullptr, static_cast<size_t>(values.length)};
  if (chosen.count == 0) return Ok();
  const auto before = static_cast<size_t>(rows_);
  SLUICE_CHECK(AppendPresence(values, chosen));
  // The rows that have a value, where some have none.
  thread_local std::vector<uint32_t> valued;
  valued.clear();
  ChosenRows having = chosen;
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

Status FlatColumn::AppendPresence(const arrow::ArrayData& values, const ChosenRows& chosen) {
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

void FlatColumn::AppendValues(const arrow::ArrayData& values, const ChosenRows& chosen) {
  ToPlain();
  AppendPlain(*type_, values, chosen, &values_);
}

void FlatColumn::AppendDictionary(const arrow::ArrayData& values, const ChosenRows& chosen) {
  const auto& dictionary = values.dictionary;
  if (coding_ == Coding::kPlain && values_.size() == 0 && taken_.data_pages == 0 && type_->source == Source::kText) {
    coding_ = Coding::kShared;
    dictionary_ = dictionary;
  }
  if (coding_ == Coding::kShared && IsGrownFrom(*dictionary_, *dictionary)) {
    if (dictionary->length > dictionary_->length) dictionary_ = dictionary;
    return AppendCodes(values, chosen, &values_);
  }
  if (coding_ == Coding::kShared) ToEntries();
  if (coding_ == Coding::kEntries && entries_->plain().size() <= kDictionaryBytes) return AppendEntries(values, chosen);
  const auto* codes = values.GetValues<uint32_t>(1);
  std::vector<uint32_t> rows;
  rows.reserve(chosen.count);
  chosen.ForEach([&](size_t row) { rows.push_back(codes[row]); });
  AppendValues(*dictionary, {rows.data(), rows.size()});
}

void FlatColumn::AppendEntries(const arrow::ArrayData& values, const ChosenRows& chosen) {
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
  entries_ = std::make_unique<DistinctValues>(true);
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
  bounds_.Observe(*type_, plain);
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

Status FlatColumn::WriteDictionary(const DistinctValues& entries, bool compress, EncodedChunk* out) {
  bounds_.Observe(*type_, entries.plain());
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

bool Outgrows(size_t values, const DistinctValues& entries) {
  const double value_bytes = static_cast<double>(entries.plain().size()) / static_cast<double>(entries.count());
  return EstimatedDistinct(values, entries.count()) * value_bytes > static_cast<double>(kDictionaryBytes);
}

}  // namespace

// False, and nothing written: a dictionary is no gain.
Result<bool> FlatColumn::WriteWithDictionary(bool compress, EncodedChunk* out) {
  if (type_->source == Source::kBits || values_.size() == 0) return false;
  thread_local DistinctValues entries(false);
  thread_local std::vector<uint32_t> places;
  entries.Clear(type_->width == 0, ValuesIn(0, rows_));
  places.clear();
  const std::string_view plain(values_.data(), values_.size());
  for (size_t at = 0; at < plain.size();) {
    const bool text = type_->width == 0;
    const size_t length = text ? LengthAt(plain.data() + at) : type_->width;
    if (text) at += kLengthBytes;
    places.push_back(entries.PlaceOf(plain.substr(at, length)));
    at += length;
    if (entries.plain().size() > kDictionaryBytes) return false;
    if (places.size() == kSampleValues && Outgrows(kSampleValues, entries)) return false;
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
  bounds_.Take(statistics);
  rows_ = taken_rows_ = 0;
  coding_ = Coding::kPlain;
  dictionary_ = nullptr;
  entries_ = nullptr;
  present_ = {};
  values_ = {};
  return out;
}

}  // namespace sluice::tables
