#include "tables/partition_index.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/time.h"

namespace sluice::tables {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

// Numbers of small integers in a table, of others in a hash map.
class NumberTable {
 public:
  // The number of `key`; `add` makes one on first sight.
  template <typename Add>
  uint32_t Find(int64_t key, Add&& add) {
    uint32_t* place = key >= -kSpan && key < kSpan ? &Near(key) : &far_.try_emplace(key, kNone).first->second;
    if (*place == kNone) *place = add(key);
    return *place;
  }

 private:
  static constexpr int64_t kSpan = 1 << 20;  // days of ± 2,800 years, hours of ± 119
  uint32_t& Near(int64_t key) {
    auto& side = key >= 0 ? up_ : down_;
    const auto at = static_cast<size_t>(key >= 0 ? key : -key - 1);
    if (at >= side.size()) side.resize(std::max(at + 1, side.size() * 2), kNone);
    return side[at];
  }
  std::vector<uint32_t> up_, down_;
  std::unordered_map<int64_t, uint32_t> far_;
};

class IndexBase : public ColumnIndex {
 public:
  const std::optional<std::string>& TextOf(uint32_t number) const override { return texts_[number]; }

 protected:
  uint32_t Add(std::optional<std::string> text) {
    texts_.push_back(std::move(text));
    return static_cast<uint32_t>(texts_.size() - 1);
  }
  uint32_t Null() {
    if (null_ == kNone) null_ = Add(std::nullopt);
    return null_;
  }

 private:
  std::vector<std::optional<std::string>> texts_;
  uint32_t null_ = kNone;
};

template <typename ArrayType>
class IntegerIndex : public IndexBase {
 public:
  Status Number(const arrow::Array& array, uint32_t* out) override {
    const auto& values = static_cast<const ArrayType&>(array);
    for (int64_t i = 0; i < values.length(); ++i) {
      if (values.IsNull(i)) {
        out[i] = Null();
        continue;
      }
      Status status = Ok();
      out[i] = numbers_.Find(values.Value(i), [&](int64_t) {
        auto text = PartitionTextAt(array, i);
        if (!text) status = Fail(std::move(text).error());
        return Add(text ? *std::move(text) : std::nullopt);
      });
      SLUICE_CHECK(std::move(status));
    }
    return Ok();
  }

 private:
  NumberTable numbers_;
};

// Strings and binary by their bytes; the empty one is NULL.
class BytesIndex : public IndexBase {
 public:
  Status Number(const arrow::Array& array, uint32_t* out) override {
    const auto& values = static_cast<const arrow::BinaryArray&>(array);
    std::string_view last_bytes;
    uint32_t last = kNone;
    for (int64_t i = 0; i < values.length(); ++i) {
      const std::string_view bytes = values.IsNull(i) ? std::string_view() : values.GetView(i);
      if (last == kNone || bytes != last_bytes) {
        SLUICE_TRY(last, NumberOf(array, i, bytes));
        last_bytes = bytes;
      }
      out[i] = last;
    }
    return Ok();
  }

 private:
  Result<uint32_t> NumberOf(const arrow::Array& array, int64_t row, std::string_view bytes) {
    if (bytes.empty()) return Null();
    key_.assign(bytes);
    const auto found = numbers_.find(key_);
    if (found != numbers_.end()) return found->second;
    SLUICE_TRY(auto text, PartitionTextAt(array, row));
    return numbers_.emplace(key_, Add(std::move(text))).first->second;
  }
  std::string key_;
  std::unordered_map<std::string, uint32_t> numbers_;
};

// Rare types (boolean, float, decimal) by their text.
class TextIndex : public IndexBase {
 public:
  Status Number(const arrow::Array& array, uint32_t* out) override {
    for (int64_t i = 0; i < array.length(); ++i) {
      SLUICE_TRY(auto text, PartitionTextAt(array, i));
      if (!text) {
        out[i] = Null();
        continue;
      }
      const auto found = numbers_.find(*text);
      out[i] = found != numbers_.end() ? found->second : numbers_.emplace(*text, Add(text)).first->second;
    }
    return Ok();
  }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
};

std::unique_ptr<ColumnIndex> MakeIndex(contract::TypeKind kind) {
  using contract::TypeKind;
  switch (kind) {
    case TypeKind::kTinyint:
      return std::make_unique<IntegerIndex<arrow::Int8Array>>();
    case TypeKind::kSmallint:
      return std::make_unique<IntegerIndex<arrow::Int16Array>>();
    case TypeKind::kInteger:
      return std::make_unique<IntegerIndex<arrow::Int32Array>>();
    case TypeKind::kBigint:
      return std::make_unique<IntegerIndex<arrow::Int64Array>>();
    case TypeKind::kDate:
      return std::make_unique<IntegerIndex<arrow::Date32Array>>();
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return std::make_unique<IntegerIndex<arrow::TimestampArray>>();
    case TypeKind::kString:
    case TypeKind::kBinary:
      return std::make_unique<BytesIndex>();
    default:
      return std::make_unique<TextIndex>();
  }
}

// The partition's text of what an expression makes of numbers. Text of a type other than these has no steps.
std::optional<std::string> GeneratedPartition(const Generated& generated, int64_t number) {
  if (!generated.texts.empty()) {
    std::string text = GeneratedText(generated, number);
    return text.empty() ? std::nullopt : std::optional(std::move(text));
  }
  switch (generated.type.kind) {
    case contract::TypeKind::kDate:
      return FormatDate(static_cast<int32_t>(number));
    case contract::TypeKind::kTimestamp:
    case contract::TypeKind::kTimestampNtz:
      return FormatTimestamp(number);
    default:
      return std::to_string(number);
  }
}

// What an expression makes of a source's numbers. Those that come close to each other, as the days of a month, are told apart by a table.
template <typename ArrayType>
class GeneratedIndex : public IndexBase {
 public:
  explicit GeneratedIndex(const Generated& generated) : generated_(generated), step_(StepOf(generated)) {}
  Status Number(const arrow::Array& array, uint32_t* out) override {
    const auto& values = static_cast<const ArrayType&>(array);
    int64_t last_step = 0;
    uint32_t last = kNone;
    for (int64_t i = 0; i < values.length(); ++i) {
      if (values.IsNull(i)) {
        out[i] = Null();
        continue;
      }
      const int64_t raw = values.Value(i);
      const int64_t step = raw / step_ - (raw % step_ < 0 ? 1 : 0);
      if (last == kNone || step != last_step) {
        last_step = step;
        last = step_ == 1 && IsFine() ? NumberOfText(raw) : steps_.Find(step, [&](int64_t key) { return NumberOfText(key * step_); });
      }
      out[i] = last;
    }
    return Ok();
  }

 private:
  static constexpr int64_t kHour = 3'600'000'000;
  static bool IsInstant(const contract::DataType& type) {
    return type.kind == contract::TypeKind::kTimestamp || type.kind == contract::TypeKind::kTimestampNtz;
  }
  // Source values within a step give the same.
  static int64_t StepOf(const Generated& generated) {
    if (!IsInstant(generated.source_type) || generated.numbers.empty()) return 1;
    const GenerationStep& first = generated.numbers.front();
    if (first.kind == GenerationStep::Kind::kDaysOfMicros) return 24 * kHour;
    if (first.kind == GenerationStep::Kind::kHourOfMicros) return kHour;
    const bool coarse = first.kind == GenerationStep::Kind::kTruncateMicros && first.unit <= TimeUnit::kHour;
    return coarse ? kHour : 1;
  }
  // Many source values may give the same, and are not kept.
  bool IsFine() const { return IsInstant(generated_.source_type) && !generated_.numbers.empty(); }

  uint32_t NumberOfText(int64_t raw) {
    auto text = GeneratedPartition(generated_, GeneratedNumber(generated_, raw));
    if (!text) return Null();
    const auto found = numbers_.find(*text);
    if (found != numbers_.end()) return found->second;
    const uint32_t number = Add(*text);
    numbers_.emplace(*std::move(text), number);
    return number;
  }

  const Generated generated_;
  const int64_t step_;
  NumberTable steps_;
  std::unordered_map<std::string, uint32_t> numbers_;
};

// Texts of a source likewise.
class GeneratedTextIndex : public IndexBase {
 public:
  explicit GeneratedTextIndex(const Generated& generated) : generated_(generated) {}
  Status Number(const arrow::Array& array, uint32_t* out) override {
    const auto& values = static_cast<const arrow::StringArray&>(array);
    for (int64_t i = 0; i < values.length(); ++i) {
      std::string text = values.IsNull(i) ? std::string() : GeneratedText(generated_, values.GetView(i));
      if (text.empty()) {
        out[i] = Null();
        continue;
      }
      const auto found = numbers_.find(text);
      out[i] = found != numbers_.end() ? found->second : numbers_.emplace(text, Add(text)).first->second;
    }
    return Ok();
  }

 private:
  const Generated generated_;
  std::unordered_map<std::string, uint32_t> numbers_;
};

std::unique_ptr<ColumnIndex> MakeComputed(const Generated& generated) {
  using contract::TypeKind;
  if (generated.is_copy() && generated.type == generated.source_type) return MakeIndex(generated.type.kind);
  switch (generated.source_type.kind) {
    case TypeKind::kBoolean:
      return std::make_unique<GeneratedIndex<arrow::BooleanArray>>(generated);
    case TypeKind::kTinyint:
      return std::make_unique<GeneratedIndex<arrow::Int8Array>>(generated);
    case TypeKind::kSmallint:
      return std::make_unique<GeneratedIndex<arrow::Int16Array>>(generated);
    case TypeKind::kInteger:
      return std::make_unique<GeneratedIndex<arrow::Int32Array>>(generated);
    case TypeKind::kBigint:
      return std::make_unique<GeneratedIndex<arrow::Int64Array>>(generated);
    case TypeKind::kDate:
      return std::make_unique<GeneratedIndex<arrow::Date32Array>>(generated);
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return std::make_unique<GeneratedIndex<arrow::TimestampArray>>(generated);
    default:
      return std::make_unique<GeneratedTextIndex>(generated);
  }
}

// Another index under numbers of its own, which others share: what has the same text has the same number.
class SharedNumbers {
 public:
  uint32_t Of(const std::optional<std::string>& text) {
    const auto [entry, added] = numbers_.try_emplace(text ? "=" + *text : "", static_cast<uint32_t>(texts_.size()));
    if (added) texts_.push_back(text);
    return entry->second;
  }
  const std::optional<std::string>& TextOf(uint32_t number) const { return texts_[number]; }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::optional<std::string>> texts_;
};

class SharedIndex : public ColumnIndex {
 public:
  SharedIndex(std::unique_ptr<ColumnIndex> inner, std::shared_ptr<SharedNumbers> shared)
      : inner_(std::move(inner)), shared_(std::move(shared)) {}
  Status Number(const arrow::Array& array, uint32_t* out) override {
    SLUICE_CHECK(inner_->Number(array, out));
    for (int64_t i = 0; i < array.length(); ++i) {
      const uint32_t number = out[i];
      if (number >= known_.size()) known_.resize(number + 1, kNone);
      if (known_[number] == kNone) known_[number] = shared_->Of(inner_->TextOf(number));
      out[i] = known_[number];
    }
    return Ok();
  }
  const std::optional<std::string>& TextOf(uint32_t number) const override { return shared_->TextOf(number); }

 private:
  std::unique_ptr<ColumnIndex> inner_;
  std::shared_ptr<SharedNumbers> shared_;
  std::vector<uint32_t> known_;  // by the inner one's
};

// A row for each: itself, or where it is dropped one that is not.
std::shared_ptr<arrow::Array> RowsThatStay(const std::vector<uint8_t>& dropped) {
  std::vector<uint32_t> rows(dropped.size());
  auto last = static_cast<uint32_t>(std::find(dropped.begin(), dropped.end(), 0) - dropped.begin());
  for (uint32_t row = 0; row < rows.size(); ++row) {
    if (dropped[row] == 0) last = row;
    rows[row] = last;
  }
  const auto count = static_cast<int64_t>(rows.size());
  return std::make_shared<arrow::UInt32Array>(count, arrow::Buffer::FromVector(std::move(rows)));
}

Error UnknownColumn(const std::string& name) {
  return UserError("unknown-column", fmt::format("partition column \"{}\" is not in the schema", name));
}

}  // namespace

Result<PartitionIndex> PartitionIndex::Make(const contract::Schema& schema, const std::vector<std::string>& partition_columns,
                                            const contract::Schema& input, const std::vector<Generated>& generated) {
  PartitionIndex out;
  for (const std::string& name : partition_columns) {
    const contract::Field* field = schema.Find(name);
    if (field == nullptr) return Fail(UnknownColumn(name));
    const auto computed = std::find_if(generated.begin(), generated.end(), [&](const Generated& g) { return g.column == field->name; });
    const bool is_computed = computed != generated.end();
    const int source = input.IndexOf(is_computed ? computed->source : field->name);
    if (source < 0) return Fail(UnknownColumn(is_computed ? computed->source : field->name));
    Column column{field->name, source, -1, nullptr, nullptr};
    if (is_computed) {
      const auto shared = std::make_shared<SharedNumbers>();
      column.kept = static_cast<int>(input.fields.size() + static_cast<size_t>(computed - generated.begin()));
      column.index = std::make_unique<SharedIndex>(MakeComputed(*computed), shared);
      column.kept_index = std::make_unique<SharedIndex>(MakeIndex(field->type.kind), shared);
    } else {
      column.index = MakeIndex(input.fields[static_cast<size_t>(source)].type.kind);
    }
    out.columns_.push_back(std::move(column));
  }
  out.pairs_.resize(out.columns_.size());
  out.prefixes_.resize(out.columns_.size());
  return out;
}

uint32_t PartitionIndex::Pair(uint32_t prefix, uint32_t number, size_t depth) {
  const auto [entry, added] = pairs_[depth].try_emplace(static_cast<uint64_t>(prefix) << 32 | number, 0);
  if (!added) return entry->second;
  auto& tuples = prefixes_[depth];
  for (size_t i = 0; i < depth; ++i) tuples.push_back(prefixes_[depth - 1][prefix * depth + i]);
  tuples.push_back(number);
  entry->second = static_cast<uint32_t>(tuples.size() / (depth + 1) - 1);
  return entry->second;
}

Status PartitionIndex::Number(const arrow::RecordBatch& batch, bool kept, const std::vector<uint8_t>& dropped, std::vector<uint32_t>* out) {
  const auto rows = static_cast<size_t>(batch.num_rows());
  const std::shared_ptr<arrow::Array> standing = dropped.empty() ? nullptr : RowsThatStay(dropped);
  out->assign(rows, 0);
  scratch_.resize(rows);
  for (size_t depth = 0; depth < columns_.size(); ++depth) {
    const Column& column = columns_[depth];
    const bool as_kept = kept && column.kept_index != nullptr;
    ColumnIndex& index = as_kept ? *column.kept_index : *column.index;
    std::shared_ptr<arrow::Array> values = batch.column(as_kept ? column.kept : column.source);
    if (standing) {
      auto taken = arrow::compute::Take(*values, *standing, arrow::compute::TakeOptions::NoBoundsCheck());
      if (!taken.ok()) return Fail(RetryableError("out-of-memory", "partition values: " + taken.status().ToString()));
      values = *std::move(taken);
    }
    SLUICE_CHECK(index.Number(*values, scratch_.data()));
    uint32_t last_prefix = kNone, last_number = kNone, last = 0;
    for (size_t i = 0; i < rows; ++i) {
      if ((*out)[i] != last_prefix || scratch_[i] != last_number) {
        last_prefix = (*out)[i];
        last_number = scratch_[i];
        last = Pair(last_prefix, last_number, depth);
      }
      (*out)[i] = last;
    }
  }
  return Ok();
}

delta::PartitionValues PartitionIndex::Values(uint32_t partition) const {
  delta::PartitionValues values;
  for (size_t i = 0; i < columns_.size(); ++i)
    values[columns_[i].name] = columns_[i].index->TextOf(prefixes_.back()[partition * columns_.size() + i]);
  return values;
}

}  // namespace sluice::tables
