#include "tables/partition_index.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <limits>

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

// A date or timestamp by its calendar unit. `Unit` maps a raw value to the unit's number.
template <typename ArrayType, typename Unit>
class GeneratedIndex : public IndexBase {
 public:
  GeneratedIndex(DateUnit unit, Unit of) : unit_(unit), of_(of) {}
  Status Number(const arrow::Array& array, uint32_t* out) override {
    const auto& values = static_cast<const ArrayType&>(array);
    const auto* raw = values.raw_values();
    int64_t last_raw = 0;
    uint32_t last = kNone;
    for (int64_t i = 0; i < values.length(); ++i) {
      if (values.IsNull(i)) {
        out[i] = Null();
        continue;
      }
      if (last == kNone || raw[i] != last_raw) {
        last_raw = raw[i];
        last = numbers_.Find(of_(unit_, raw[i]), [&](int64_t key) { return Add(UnitText(unit_, key)); });
      }
      out[i] = last;
    }
    return Ok();
  }

 private:
  DateUnit unit_;
  Unit of_;
  NumberTable numbers_;
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

std::unique_ptr<ColumnIndex> MakeGenerated(contract::TypeKind source, DateUnit unit) {
  if (source == contract::TypeKind::kDate)
    return std::make_unique<GeneratedIndex<arrow::Date32Array, decltype(&UnitOfDays)>>(unit, &UnitOfDays);
  return std::make_unique<GeneratedIndex<arrow::TimestampArray, decltype(&UnitOfMicros)>>(unit, &UnitOfMicros);
}

Error UnknownColumn(const std::string& name) {
  return UserError("unknown-column", fmt::format("partition column \"{}\" is not in the schema", name));
}

}  // namespace

Result<PartitionIndex> PartitionIndex::Make(const contract::Schema& schema, const std::vector<std::string>& partition_columns,
                                            const contract::Schema& input) {
  PartitionIndex out;
  for (const std::string& name : partition_columns) {
    const contract::Field* field = schema.Find(name);
    if (field == nullptr) return Fail(UnknownColumn(name));
    SLUICE_TRY(const auto generated, GeneratedOf(*field));
    const int source = input.IndexOf(generated ? generated->source : field->name);
    if (source < 0) return Fail(UnknownColumn(generated ? generated->source : field->name));
    const auto kind = input.fields[source].type.kind;
    out.columns_.push_back({field->name, source, generated ? MakeGenerated(kind, generated->unit) : MakeIndex(kind)});
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

Status PartitionIndex::Number(const arrow::RecordBatch& batch, std::vector<uint32_t>* out) {
  const auto rows = static_cast<size_t>(batch.num_rows());
  out->assign(rows, 0);
  scratch_.resize(rows);
  for (size_t depth = 0; depth < columns_.size(); ++depth) {
    SLUICE_CHECK(columns_[depth].index->Number(*batch.column(columns_[depth].source), scratch_.data()));
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
