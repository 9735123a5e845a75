#include "tables/gather.h"

#include <arrow/array.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/concatenate.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <cstring>

#include "tables/one_dictionary.h"

namespace sluice::tables {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

constexpr int64_t kStep = 16;  // bytes of a text copied at once

// Values of 16 bytes that lie at any multiple of 8, as those from a spill do.
struct SixteenBytes {
  uint64_t low, high;
};

Error OutOfMemory(const arrow::Status& status) { return RetryableError("out-of-memory", "rows of a partition: " + status.ToString()); }

Result<std::shared_ptr<arrow::Buffer>> Allocate(int64_t bytes) {
  auto buffer = arrow::AllocateBuffer(bytes);
  if (!buffer.ok()) return Fail(OutOfMemory(buffer.status()));
  return std::shared_ptr<arrow::Buffer>(*std::move(buffer));
}

int64_t RowsOf(std::span<const RowPick> picks) {
  int64_t rows = 0;
  for (const RowPick& pick : picks) rows += static_cast<int64_t>(pick.rows.size());
  return rows;
}

}  // namespace

// One column of all batches, and how its values lie.
class Gatherer::Column {
 public:
  explicit Column(arrow::ArrayVector parts) : arrays_(std::move(parts)), type_(arrays_[0]->type()) {
    const bool dictionary = type_->id() == arrow::Type::DICTIONARY;
    if (dictionary) dictionary_ = arrays_[0]->data()->dictionary;
    kind_ = KindOf(dictionary ? *static_cast<const arrow::DictionaryType&>(*type_).index_type() : *type_);
    for (const ArrayPtr& array : arrays_) {
      const arrow::ArrayData& data = *array->data();
      const bool has_nulls = array->null_count() > 0;
      parts_.push_back({&data, has_nulls && data.buffers[0] ? data.buffers[0]->data() : nullptr, has_nulls});
      any_null_ |= has_nulls;
    }
  }

  Result<ArrayPtr> Gather(std::span<const RowPick> picks, int64_t rows) const {
    switch (kind_) {
      case Kind::kBits:
        return Bits(picks, rows);
      case Kind::kTexts:
        return Texts(picks, rows);
      case Kind::k1:
        return Fixed<uint8_t>(picks, rows);
      case Kind::k2:
        return Fixed<uint16_t>(picks, rows);
      case Kind::k4:
        return Fixed<uint32_t>(picks, rows);
      case Kind::k8:
        return Fixed<uint64_t>(picks, rows);
      case Kind::k16:
        return Fixed<SixteenBytes>(picks, rows);
      case Kind::kOther:
        break;
    }
    return Others(picks);
  }

 private:
  enum class Kind { kBits, kTexts, k1, k2, k4, k8, k16, kOther };
  struct Part {
    const arrow::ArrayData* data;
    const uint8_t* validity;  // null: all rows are valid, or (has_nulls) none is
    bool has_nulls;
  };

  static Kind KindOf(const arrow::DataType& type) {
    if (type.id() == arrow::Type::BOOL) return Kind::kBits;
    if (type.id() == arrow::Type::STRING || type.id() == arrow::Type::BINARY) return Kind::kTexts;
    switch (arrow::is_fixed_width(type.id()) ? type.bit_width() : 0) {
      case 8:
        return Kind::k1;
      case 16:
        return Kind::k2;
      case 32:
        return Kind::k4;
      case 64:
        return Kind::k8;
      case 128:
        return Kind::k16;
      default:
        return Kind::kOther;
    }
  }

  // The validity of the rows; null where all are valid.
  Result<std::shared_ptr<arrow::Buffer>> Validity(std::span<const RowPick> picks, int64_t rows, int64_t* nulls) const {
    *nulls = 0;
    if (!any_null_) return std::shared_ptr<arrow::Buffer>();
    SLUICE_TRY(auto buffer, Allocate(arrow::bit_util::BytesForBits(rows)));
    uint8_t* bits = buffer->mutable_data();
    std::memset(bits, 0, static_cast<size_t>(buffer->size()));
    int64_t at = 0, valid = 0;
    for (const RowPick& pick : picks) {
      const Part& part = parts_[pick.batch];
      for (const uint32_t row : pick.rows) {
        const bool is_valid =
            !part.has_nulls || (part.validity != nullptr && arrow::bit_util::GetBit(part.validity, part.data->offset + row));
        bits[at / 8] |= static_cast<uint8_t>(static_cast<unsigned>(is_valid) << (at % 8));
        valid += is_valid;
        ++at;
      }
    }
    *nulls = rows - valid;
    if (valid == rows) return std::shared_ptr<arrow::Buffer>();
    return buffer;
  }

  Result<ArrayPtr> Assemble(std::span<const RowPick> picks, int64_t rows, arrow::BufferVector values) const {
    int64_t nulls = 0;
    SLUICE_TRY(auto validity, Validity(picks, rows, &nulls));
    values.insert(values.begin(), std::move(validity));
    auto data = arrow::ArrayData::Make(type_, rows, std::move(values), nulls);
    data->dictionary = dictionary_;
    return arrow::MakeArray(data);
  }

  template <typename T>
  Result<ArrayPtr> Fixed(std::span<const RowPick> picks, int64_t rows) const {
    SLUICE_TRY(auto buffer, Allocate(rows * static_cast<int64_t>(sizeof(T))));
    T* out = reinterpret_cast<T*>(buffer->mutable_data());
    for (const RowPick& pick : picks) {
      const T* values = parts_[pick.batch].data->GetValues<T>(1);
      for (const uint32_t row : pick.rows) *out++ = values[row];
    }
    return Assemble(picks, rows, {std::move(buffer)});
  }

  Result<ArrayPtr> Bits(std::span<const RowPick> picks, int64_t rows) const {
    SLUICE_TRY(auto buffer, Allocate(arrow::bit_util::BytesForBits(rows)));
    std::memset(buffer->mutable_data(), 0, static_cast<size_t>(buffer->size()));
    int64_t at = 0;
    for (const RowPick& pick : picks) {
      const arrow::ArrayData& data = *parts_[pick.batch].data;
      for (const uint32_t row : pick.rows) {
        if (arrow::bit_util::GetBit(data.buffers[1]->data(), data.offset + row)) arrow::bit_util::SetBit(buffer->mutable_data(), at);
        ++at;
      }
    }
    return Assemble(picks, rows, {std::move(buffer)});
  }

  Result<ArrayPtr> Texts(std::span<const RowPick> picks, int64_t rows) const {
    SLUICE_TRY(auto offsets, Allocate((rows + 1) * static_cast<int64_t>(sizeof(int32_t))));
    auto* ends = reinterpret_cast<int32_t*>(offsets->mutable_data());
    int64_t bytes = 0;
    *ends++ = 0;
    for (const RowPick& pick : picks) {
      const int32_t* starts = parts_[pick.batch].data->GetValues<int32_t>(1);
      for (const uint32_t row : pick.rows) {
        bytes += starts[row + 1] - starts[row];
        *ends++ = static_cast<int32_t>(bytes);
      }
    }
    if (bytes > INT32_MAX) return Fail(BugError("more than 2 GiB of texts in one column of a batch"));
    SLUICE_TRY(auto buffer, Allocate(bytes + kStep));
    char* out = reinterpret_cast<char*>(buffer->mutable_data());
    for (const RowPick& pick : picks) out = CopyTexts(*parts_[pick.batch].data, pick.rows, out);
    return Assemble(picks, rows, {std::move(offsets), arrow::SliceBuffer(std::move(buffer), 0, bytes)});
  }

  // Short texts by a whole step, as long as that stays within the buffer: what it writes too far is overwritten by the next one.
  static char* CopyTexts(const arrow::ArrayData& part, std::span<const uint32_t> rows, char* out) {
    if (!part.buffers[2]) return out;
    const int32_t* starts = part.GetValues<int32_t>(1);
    const char* texts = reinterpret_cast<const char*>(part.buffers[2]->data());
    const int64_t last_step = part.buffers[2]->size() - kStep;
    for (const uint32_t row : rows) {
      const int32_t start = starts[row], length = starts[row + 1] - start;
      if (length <= kStep && start <= last_step)
        std::memcpy(out, texts + start, kStep);
      else
        std::memcpy(out, texts + start, static_cast<size_t>(length));
      out += length;
    }
    return out;
  }

  // Nested types.
  Result<ArrayPtr> Others(std::span<const RowPick> picks) const {
    arrow::ArrayVector taken;
    for (const RowPick& pick : picks) {
      const arrow::UInt32Array places(static_cast<int64_t>(pick.rows.size()), arrow::Buffer::Wrap(pick.rows.data(), pick.rows.size()));
      const auto values = arrow::compute::Take(*arrays_[pick.batch], places, arrow::compute::TakeOptions::NoBoundsCheck());
      if (!values.ok()) return Fail(OutOfMemory(values.status()));
      taken.push_back(*values);
    }
    if (taken.size() == 1) return taken[0];
    const auto whole = arrow::Concatenate(taken);
    if (!whole.ok()) return Fail(OutOfMemory(whole.status()));
    return *whole;
  }

  arrow::ArrayVector arrays_;  // of each batch
  std::vector<Part> parts_;
  std::shared_ptr<arrow::DataType> type_;
  std::shared_ptr<arrow::ArrayData> dictionary_;  // then the values are places in it
  Kind kind_ = Kind::kOther;
  bool any_null_ = false;
};

Gatherer::Gatherer() = default;
Gatherer::~Gatherer() = default;
Gatherer::Gatherer(Gatherer&&) noexcept = default;

Result<Gatherer> Gatherer::Make(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches) {
  Gatherer gatherer;
  gatherer.schema_ = batches[0]->schema();
  for (int column = 0; column < batches[0]->num_columns(); ++column) {
    arrow::ArrayVector parts;
    for (const auto& batch : batches) parts.push_back(batch->column(column));
    SLUICE_TRY(parts, WithOneDictionary(std::move(parts)));
    gatherer.columns_.emplace_back(std::move(parts));
  }
  return gatherer;
}

PickedRows::PickedRows(const Batches& batches, std::span<const RowPick> picks, std::optional<Gatherer>* gatherer)
    : batches_(batches), picks_(picks), gatherer_(gatherer), rows_(RowsOf(picks)) {}

// Picks of a scatter are in the rows' order.
bool PickedRows::IsWhole(const RowPick& pick) const { return static_cast<int64_t>(pick.rows.size()) == batches_[pick.batch]->num_rows(); }

Result<std::shared_ptr<arrow::RecordBatch>> PickedRows::AsBatch() const {
  if (picks_.size() == 1 && IsWhole(picks_[0])) return batches_[picks_[0].batch];
  if (!*gatherer_) {
    SLUICE_TRY(auto made, Gatherer::Make(batches_));
    gatherer_->emplace(std::move(made));
  }
  return (*gatherer_)->Gather(picks_);
}

Result<std::shared_ptr<arrow::RecordBatch>> Gatherer::Gather(std::span<const RowPick> picks) const {
  const int64_t rows = RowsOf(picks);
  arrow::ArrayVector columns;
  columns.reserve(columns_.size());
  for (const Column& column : columns_) {
    SLUICE_TRY(auto gathered, column.Gather(picks, rows));
    columns.push_back(std::move(gathered));
  }
  return arrow::RecordBatch::Make(schema_, rows, std::move(columns));
}

}  // namespace sluice::tables
