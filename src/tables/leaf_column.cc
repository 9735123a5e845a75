#include "tables/leaf_column.h"

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/compression.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/profile.h"
#include "tables/distinct_values.h"
#include "tables/levels.h"

namespace sluice::tables {

namespace {

using Source = LeafType::Source;

// Of values, or of places in a dictionary, of four bytes each. A page is encoded while its values are in the processor's caches, and what
// it took is taken again by the next one.
constexpr size_t kPageBytes = 64 << 10;
constexpr size_t kDictionaryBytes = 1 << 20;  // of a column in a row group; with more it is written without a dictionary
constexpr int64_t kPageRows = 1 << 17;
constexpr size_t kUsesWorthAnEntry = 8;  // of an entry that is held while its column's pages wait elsewhere
constexpr size_t kValuesThatTell = 32;   // of a page, about others
constexpr size_t kSampleValues = 4096;   // after which it is asked whether a dictionary will stay below that
constexpr int kPagesToJudge = 4;         // by which a dictionary must have paid

// The same dictionary, or one that lies in the same memory: the longer one goes on from the other.
bool IsGrownFrom(const arrow::ArrayData& known, const arrow::ArrayData& dictionary) {
  return known.offset == dictionary.offset && known.buffers == dictionary.buffers;
}

arrow::util::Codec& Snappy() {
  thread_local const std::unique_ptr<arrow::util::Codec> codec = arrow::util::Codec::Create(arrow::Compression::SNAPPY).ValueOrDie();
  return *codec;
}

// How many distinct values a column has, of whose `values` first ones `distinct` differ: n values drawn from D equally frequent ones repeat
// about n²/2D times.
double EstimatedDistinct(size_t values, size_t distinct) {
  const double n = static_cast<double>(values), repeated = n - static_cast<double>(distinct);
  return n * n / 2 / std::max(repeated, 0.5);
}

double BytesOfAnEntry(const DistinctValues& entries) {
  return static_cast<double>(entries.plain().size()) / static_cast<double>(entries.count());
}

// Of all values that there may be, by those seen.
bool Outgrows(size_t values, const DistinctValues& entries) {
  return EstimatedDistinct(values, entries.count()) * BytesOfAnEntry(entries) > static_cast<double>(kDictionaryBytes);
}

// Is a dictionary smaller some pages later, by as much as its making is worth? New values go on coming ever more rarely, as they did from
// the first half of the page to the second. Places are given in the order in which values come.
bool WillPay(std::span<const uint32_t> places, double value_bytes, const DistinctValues& entries) {
  const size_t half = (places.size() + 1) / 2;
  const double in_first = *std::max_element(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(half)) + 1;
  double distinct = static_cast<double>(entries.count()), coming = distinct - in_first;
  for (int i = 2; i < 2 * kPagesToJudge; ++i)
    distinct += coming *= std::min(1.0, (static_cast<double>(entries.count()) - in_first) / in_first);
  const double values = kPagesToJudge * static_cast<double>(places.size()), bytes = distinct * BytesOfAnEntry(entries);
  return bytes < static_cast<double>(kDictionaryBytes) &&
         bytes + values * BitsOf(static_cast<size_t>(distinct)) / 8 < values * value_bytes * 7 / 8;
}

template <typename T, typename GoesOn>
bool AppendPlacesOf(std::string_view plain, DistinctValues* entries, std::vector<uint32_t>* places, GoesOn goes_on) {
  for (size_t at = 0; at < plain.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, plain.data() + at, sizeof(T));
    places->push_back(entries->PlaceOf(value));
    if (!goes_on()) return false;
  }
  return true;
}

// Of values in the plain encoding, until it does not go on.
template <typename GoesOn>
bool AppendPlaces(const LeafType& type, std::string_view plain, DistinctValues* entries, std::vector<uint32_t>* places, GoesOn goes_on) {
  if (type.width == 4) return AppendPlacesOf<uint32_t>(plain, entries, places, goes_on);
  if (type.width == 8) return AppendPlacesOf<uint64_t>(plain, entries, places, goes_on);
  for (size_t at = 0; at < plain.size();) {
    const size_t length = type.width > 0 ? type.width : LengthAt(plain.data() + at);
    if (type.width == 0) at += kLengthBytes;
    places->push_back(entries->PlaceOf(plain.substr(at, length)));
    at += length;
    if (!goes_on()) return false;
  }
  return true;
}

// Numbers alone are looked at; of the rows that are not all the same most differ in the first and the last one.
bool AreOneValue(const LeafType& type, const arrow::ArrayData& values, const ChosenRows& chosen) {
  const auto same = [&]<typename T>(const T* in) {
    const auto at = [&](size_t i) { return in[chosen.rows == nullptr ? i : chosen.rows[i]]; };
    const T first = at(0);
    for (size_t i = chosen.count - 1; i > 0; --i)
      if (at(i) != first) return false;
    return true;
  };
  if (type.source == Source::kFour) return same(values.GetValues<uint32_t>(1));
  return type.source == Source::kEight && same(values.GetValues<uint64_t>(1));
}

bool IsSmaller(size_t values, size_t plain_bytes, const DistinctValues& entries) {
  return entries.plain().size() + values * static_cast<size_t>(BitsOf(entries.count())) / 8 < plain_bytes;
}

}  // namespace

LeafColumn::LeafColumn(const Leaf& leaf, bool dictionary, bool compress)
    : leaf_(&leaf), type_(leaf.type), dictionary_allowed_(dictionary), compress_(compress) {}
LeafColumn::~LeafColumn() = default;
LeafColumn::LeafColumn(LeafColumn&&) noexcept = default;
LeafColumn& LeafColumn::operator=(LeafColumn&&) noexcept = default;

Status LeafColumn::Append(const arrow::ArrayData& values, std::optional<std::span<const uint32_t>> rows) {
  const ChosenRows chosen = rows ? ChosenRows{rows->data(), rows->size()} : ChosenRows{nullptr, static_cast<size_t>(values.length)};
  if (chosen.count == 0) return Ok();
  if (!leaf_->above.empty()) return AppendNested(values, chosen);
  thread_local std::vector<uint32_t> valued;
  SLUICE_TRY(const ChosenRows having, AppendPresence(values, chosen, &valued));
  if (having.count == 0) return Ok();
  if (values.type->id() == arrow::Type::DICTIONARY)
    AppendDictionary(values, having);
  else
    AppendValues(values, having);
  return Ok();
}

Status LeafColumn::AppendNested(const arrow::ArrayData& values, const ChosenRows& chosen) {
  thread_local Levels levels;
  SLUICE_CHECK(FindLevels(*leaf_, values, chosen, &levels));
  const size_t count = levels.definition.size();
  rows_ += static_cast<int64_t>(count);
  nulls_ += static_cast<int64_t>(count - levels.rows.size());
  for (size_t i = 0; i < count; ++i) null_lists_ += levels.repetition[i] == 0 && levels.definition[i] < leaf_->list_definition;
  definition_.insert(definition_.end(), levels.definition.begin(), levels.definition.end());
  if (leaf_->max_repetition > 0) repetition_.insert(repetition_.end(), levels.repetition.begin(), levels.repetition.end());
  if (!levels.rows.empty()) AppendValues(*levels.values, {levels.rows.data(), levels.rows.size()});
  return Ok();
}

// The rows that have a value; `valued` holds them, where some have none.
Result<ChosenRows> LeafColumn::AppendPresence(const arrow::ArrayData& values, const ChosenRows& chosen, std::vector<uint32_t>* valued) {
  const auto before = static_cast<size_t>(rows_);
  rows_ += static_cast<int64_t>(chosen.count);
  if (values.GetNullCount() == 0) {
    if (!definition_.empty()) definition_.resize(static_cast<size_t>(rows_), 1);
    return chosen;
  }
  const uint8_t* bits = values.buffers[0] ? values.buffers[0]->data() : nullptr;
  const bool was_empty = definition_.empty();
  definition_.resize(before, 1);
  definition_.resize(static_cast<size_t>(rows_));
  valued->resize(chosen.count);
  size_t valid = 0;
  chosen.ForEach([&, at = definition_.data() + before, rows = valued->data()](size_t row) mutable {
    const bool is_valid = bits != nullptr && arrow::bit_util::GetBit(bits, values.offset + static_cast<int64_t>(row));
    *at++ = is_valid;
    rows[valid] = static_cast<uint32_t>(row);
    valid += is_valid;
  });
  nulls_ += static_cast<int64_t>(chosen.count - valid);
  if (valid < chosen.count && !leaf_->optional) return Fail(BugError("a NULL in a column that has none"));
  if (valid == chosen.count && was_empty) definition_.clear();
  return ChosenRows{valued->data(), valid};
}

bool LeafColumn::may_code() const { return dictionary_allowed_ && choice_ != Choice::kPlain && type_->source != Source::kBits; }

void LeafColumn::AppendValues(const arrow::ArrayData& values, const ChosenRows& chosen) {
  if (may_code() && values_.size() == 0 && AreOneValue(*type_, values, chosen))
    return AppendConstant(values, chosen.rows == nullptr ? 0 : chosen.rows[0], chosen.count);
  ToPlain();
  AppendPlain(*type_, values, chosen, &values_);
}

void LeafColumn::AppendDictionary(const arrow::ArrayData& values, const ChosenRows& chosen) {
  const auto& dictionary = values.dictionary;
  if (entries_ && entries_->plain().size() > kDictionaryBytes) choice_ = Choice::kPlain;
  if (dictionary->length == 1 && may_code()) return AppendConstant(*dictionary, 0, chosen.count);
  if (may_code() && type_->source == Source::kText) {
    if (!waits()) {
      coding_ = Coding::kShared;
      dictionary_ = dictionary;
    }
    if (coding_ == Coding::kShared && IsGrownFrom(*dictionary_, *dictionary)) {
      if (dictionary->length > dictionary_->length) dictionary_ = dictionary;
      return AppendCodes(values, chosen, &values_);
    }
    if (coding_ == Coding::kShared) ToEntries();
    if (coding_ == Coding::kEntries) return AppendEntries(values, chosen);
  }
  const auto* codes = values.GetValues<uint32_t>(1);
  std::vector<uint32_t> rows;
  rows.reserve(chosen.count);
  chosen.ForEach([&](size_t row) { rows.push_back(codes[row]); });
  AppendValues(*dictionary, {rows.data(), rows.size()});
}

void LeafColumn::AppendConstant(const arrow::ArrayData& values, uint32_t row, size_t count) {
  thread_local GrowingBytes bytes;
  bytes.Clear();
  AppendPlain(*type_, values, {&row, 1}, &bytes);
  const std::string_view plain = std::string_view(bytes.data(), bytes.size()).substr(type_->width == 0 ? kLengthBytes : 0);
  if (coding_ == Coding::kPlain && waits()) return AppendPlainValue(plain, count);
  if (coding_ == Coding::kShared && waits()) ToEntries();
  coding_ = Coding::kEntries;
  if (!entries_) entries_ = std::make_unique<DistinctValues>(type_->width);
  AppendPlace(entries_->PlaceOf(plain), count);
}

void LeafColumn::AppendPlace(uint32_t place, size_t count) {
  if (!waits()) run_place_ = place;
  if (values_.size() == 0 && run_place_ == place) {
    run_ += count;
    return;
  }
  Unroll();
  char* out = values_.Reserve(count * sizeof(uint32_t));
  for (size_t i = 0; i < count; ++i) std::memcpy(out + i * sizeof(uint32_t), &place, sizeof(uint32_t));
  values_.Advance(count * sizeof(uint32_t));
}

void LeafColumn::Unroll() {
  const size_t count = std::exchange(run_, 0);
  char* out = values_.Reserve(count * sizeof(uint32_t));
  for (size_t i = 0; i < count; ++i) std::memcpy(out + i * sizeof(uint32_t), &run_place_, sizeof(uint32_t));
  values_.Advance(count * sizeof(uint32_t));
}

void LeafColumn::AppendPlainValue(std::string_view value, size_t count) {
  const auto length = static_cast<uint32_t>(value.size());
  const size_t before = type_->width == 0 ? kLengthBytes : 0;
  for (; count > 0; --count) {
    char* out = values_.Reserve(before + length);
    std::memcpy(out, &length, before);
    if (length > 0) std::memcpy(out + before, value.data(), length);
    values_.Advance(before + length);
  }
}

void LeafColumn::AppendEntries(const arrow::ArrayData& values, const ChosenRows& chosen) {
  Unroll();
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
    thread_local std::vector<uint32_t> known;
    known.assign(static_cast<size_t>(dictionary.length), UINT32_MAX);
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

// What waits, and nothing else is a place in a dictionary that others grow.
void LeafColumn::ToEntries() {
  const GrowingBytes codes = std::exchange(values_, {});
  const auto shared = std::exchange(dictionary_, nullptr);
  coding_ = Coding::kEntries;
  if (!entries_) entries_ = std::make_unique<DistinctValues>(0);
  arrow::ArrayData array(
      arrow::dictionary(arrow::int32(), shared->type), static_cast<int64_t>(codes.size() / sizeof(uint32_t)),
      {nullptr, std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(codes.data()), static_cast<int64_t>(codes.size()))}, 0);
  array.dictionary = shared;
  AppendEntries(array, {nullptr, codes.size() / sizeof(uint32_t)});
}

void LeafColumn::ToPlain() {
  if (coding_ == Coding::kPlain) return;
  if (coding_ == Coding::kShared && waits()) ToEntries();
  const GrowingBytes places = std::exchange(values_, {});
  const size_t run = std::exchange(run_, 0);
  coding_ = Coding::kPlain;
  dictionary_ = nullptr;
  if (run > 0) AppendPlainValue(entries_->ValueAt(run_place_), run);
  for (const uint32_t place : places.As<uint32_t>()) AppendPlainValue(entries_->ValueAt(place), 1);
  if (made_.index_pages == 0) entries_ = nullptr;
}

int64_t LeafColumn::waiting_bytes() const {
  return static_cast<int64_t>(values_.size() + run_ * sizeof(uint32_t) + definition_.size() + repetition_.size());
}

int64_t LeafColumn::raw_bytes() const { return made_raw_bytes_ + waiting_bytes(); }

int64_t LeafColumn::bytes() const {
  const size_t entries = entries_ ? entries_->bytes() : 0;
  return static_cast<int64_t>(values_.capacity() + definition_.capacity() + repetition_.capacity() + entries) + made_.bytes;
}

Status LeafColumn::MakeFullPages() { return values_.size() >= kPageBytes || rows_ >= kPageRows ? MakePages(When::kPageIsFull) : Ok(); }

Status LeafColumn::MakePages(When when) {
  if (rows_ == 0) return Ok();
  made_raw_bytes_ += waiting_bytes();
  if (coding_ == Coding::kShared && waits()) ToEntries();
  if (coding_ == Coding::kEntries) {
    const size_t values = run_ + values_.size() / sizeof(uint32_t);
    if (choice_ == Choice::kOpen && values > 0) {
      choice_ = EntriesPay(when, values) ? Choice::kDictionary : Choice::kPlain;
    }
    if (choice_ != Choice::kDictionary) ToPlain();
  }
  thread_local std::vector<uint32_t> places;
  if (coding_ == Coding::kEntries)
    SLUICE_CHECK(run_ > 0 ? WriteRun() : WriteIndices(values_.As<uint32_t>()));
  else if (waits() && may_code() && FindPlaces(when, &places))
    SLUICE_CHECK(WriteIndices(places));
  else
    SLUICE_CHECK(WritePlain());
  rows_ = 0;
  run_ = 0;
  values_.Clear();
  definition_.clear();
  repetition_.clear();
  return Ok();
}

// Do the places that wait?
bool LeafColumn::EntriesPay(When when, size_t values) const {
  const double value_bytes = BytesOfAnEntry(*entries_);
  switch (when) {
    case When::kPageIsFull:
      return run_ > 0 || WillPay(values_.As<uint32_t>(), value_bytes, *entries_);
    case When::kMemoryIsShort:
      return kUsesWorthAnEntry * entries_->count() <= values;
    case When::kLast:
      break;
  }
  const bool fits = entries_->plain().size() <= kDictionaryBytes;
  return fits && IsSmaller(values, static_cast<size_t>(value_bytes * static_cast<double>(values)), *entries_);
}

// Of plain values that wait. False: a dictionary is no gain, and there will be none from now on.
bool LeafColumn::FindPlaces(When when, std::vector<uint32_t>* places) {
  places->clear();
  thread_local DistinctValues tried(0);
  const bool is_open = choice_ == Choice::kOpen;
  if (!is_open && !entries_) entries_ = std::make_unique<DistinctValues>(type_->width);
  DistinctValues& entries = is_open ? tried : *entries_;
  if (is_open) entries.Clear(type_->width, ValuesIn(0, rows_));
  const auto no_gain = [&] {
    choice_ = Choice::kPlain;
    if (is_open && places->size() >= kValuesThatTell) leaf_->odds->Tell(false);
    return false;
  };
  if (is_open && (when == When::kMemoryIsShort || !leaf_->odds->WorthATry())) return no_gain();
  const std::string_view plain(values_.data(), values_.size());
  const auto goes_on = [&] {
    return entries.plain().size() <= kDictionaryBytes && (!is_open || places->size() != kSampleValues || !Outgrows(kSampleValues, entries));
  };
  if (!AppendPlaces(*type_, plain, &entries, places, goes_on)) return no_gain();
  if (!is_open) return true;
  const size_t values = places->size();
  const double value_bytes = static_cast<double>(plain.size()) / static_cast<double>(values);
  if (!(when == When::kLast ? IsSmaller(values, plain.size(), entries) : WillPay(*places, value_bytes, entries))) return no_gain();
  choice_ = Choice::kDictionary;
  leaf_->odds->Tell(true);
  entries_ = std::make_unique<DistinctValues>(std::exchange(tried, DistinctValues(0)));
  return true;
}

// The levels of its rows.
void LeafColumn::BeginPage(const PageRows& page, std::string* body) const {
  body->clear();
  const auto append = [&](std::span<const uint8_t> levels, uint8_t greatest) {
    if (greatest == 0) return;
    if (!levels.empty()) levels = levels.subspan(static_cast<size_t>(page.first), static_cast<size_t>(page.rows));
    AppendLevels(levels, page.rows, greatest, body);
  };
  append(repetition_, leaf_->max_repetition);
  append(definition_, leaf_->max_definition);
}

Status LeafColumn::StorePage(PageKind kind, int64_t values, std::string_view body, EncodedChunk* out) const {
  thread_local std::string packed;
  std::string_view stored = body;
  if (compress_) {
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
  std::string header;
  AppendPageHeader(kind, values, body.size(), stored.size(), &header);
  std::string& page = out->pages.emplace_back();
  page.reserve(header.size() + stored.size());
  page.append(header).append(stored);
  out->bytes += static_cast<int64_t>(page.size());
  out->raw_bytes += static_cast<int64_t>(header.size() + body.size());
  if (kind != PageKind::kDictionary) {
    ++out->data_pages;
    out->values += values;
  }
  out->index_pages += kind == PageKind::kIndices;
  return Ok();
}

size_t LeafColumn::ValuesIn(int64_t first, int64_t rows) const {
  if (definition_.empty()) return static_cast<size_t>(rows);
  const auto begin = definition_.begin() + first;
  return static_cast<size_t>(std::count(begin, begin + rows, leaf_->max_definition));
}

// From here on, where the next row of the table begins: pages hold whole ones.
int64_t LeafColumn::EndOfRow(int64_t at) const {
  while (at < rows_ && !repetition_.empty() && repetition_[static_cast<size_t>(at)] != 0) ++at;
  return at;
}

// Pages of like size.
Status LeafColumn::WritePlain() {
  thread_local std::string body;
  const std::string_view plain(values_.data(), values_.size());
  bounds_.Observe(*type_, plain);
  const size_t pages = std::max<size_t>(1, (plain.size() + kPageBytes / 2) / kPageBytes), page_bytes = plain.size() / pages + 1;
  size_t at = 0;
  for (int64_t row = 0; row < rows_;) {
    PageRows page{row, 0};
    size_t end = at;
    if (type_->width > 0) {
      page.rows = EndOfRow(row + std::min({rows_ - row, static_cast<int64_t>(page_bytes / type_->width + 1), kPageRows})) - row;
      end += ValuesIn(row, page.rows) * type_->width;
    } else {
      for (; row + page.rows < rows_; ++page.rows) {
        if ((page.rows >= kPageRows || end - at >= page_bytes) && EndOfRow(row + page.rows) == row + page.rows) break;
        const bool has_value = definition_.empty() || definition_[static_cast<size_t>(row + page.rows)] == leaf_->max_definition;
        if (has_value) end += kLengthBytes + LengthAt(plain.data() + end);
      }
    }
    BeginPage(page, &body);
    const std::string_view values = plain.substr(at, end - at);
    if (type_->source == Source::kBits)
      AppendBits(values, &body);
    else
      body += values;
    SLUICE_CHECK(StorePage(PageKind::kPlain, page.rows, body, &made_));
    row += page.rows;
    at = end;
  }
  return Ok();
}

Status LeafColumn::WriteDictionary(EncodedChunk* out) {
  bounds_.Observe(*type_, entries_->plain());
  SLUICE_CHECK(StorePage(PageKind::kDictionary, static_cast<int64_t>(entries_->count()), entries_->plain(), out));
  out->dictionary_page_size = out->bytes;
  return Ok();
}

Status LeafColumn::WriteIndices(std::span<const uint32_t> places) {
  thread_local std::string body;
  const int width = BitsOf(entries_->count());
  size_t at = 0;
  for (int64_t row = 0, end = 0; row < rows_; row = end) {
    end = EndOfRow(std::min(rows_, row + kPageRows));
    const PageRows page{row, end - row};
    const size_t values = ValuesIn(row, page.rows);
    BeginPage(page, &body);
    body += static_cast<char>(width);
    AppendHybrid(places.subspan(at, values), width, &body);
    SLUICE_CHECK(StorePage(PageKind::kIndices, page.rows, body, &made_));
    at += values;
  }
  return Ok();
}

Status LeafColumn::WriteRun() {
  thread_local std::string body;
  const int width = BitsOf(entries_->count());
  BeginPage({0, rows_}, &body);
  body += static_cast<char>(width);
  AppendRun(run_place_, run_, width, &body);
  return StorePage(PageKind::kIndices, rows_, body, &made_);
}

Status LeafColumn::TakePages(std::string* pages) {
  SLUICE_CHECK(MakePages(When::kMemoryIsShort));
  for (const std::string& page : std::exchange(made_.pages, {})) *pages += page;
  made_.bytes = 0;
  values_ = {};
  definition_ = {};
  repetition_ = {};
  return Ok();
}

Result<EncodedChunk> LeafColumn::Finish(SpillFile* scratch, parquet::EncodedStatistics* statistics) {
  SLUICE_CHECK(MakePages(When::kLast));
  EncodedChunk made = std::exchange(made_, {}), out;
  if (made.index_pages > 0) SLUICE_CHECK(WriteDictionary(&out));
  for (const SpillFile::Chunk& pages : std::exchange(spilled_, {})) {
    std::string& taken = out.pages.emplace_back(static_cast<size_t>(pages.bytes), '\0');
    SLUICE_CHECK(scratch->ReadBytes(pages, taken.data()));
    out.bytes += pages.bytes;
  }
  out.pages.insert(out.pages.end(), std::make_move_iterator(made.pages.begin()), std::make_move_iterator(made.pages.end()));
  out.bytes += made.bytes;
  out.raw_bytes += made.raw_bytes;
  out.values = made.values;
  out.data_pages = made.data_pages;
  out.index_pages = made.index_pages;
  statistics->set_null_count(std::exchange(nulls_, 0));
  bounds_.Take(statistics);
  coding_ = Coding::kPlain;
  choice_ = Choice::kOpen;
  made_raw_bytes_ = 0;
  dictionary_ = nullptr;
  entries_ = nullptr;
  definition_ = {};
  repetition_ = {};
  values_ = {};
  return out;
}

}  // namespace sluice::tables
