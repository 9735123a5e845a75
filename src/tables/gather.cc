#include "tables/gather.h"

#include <arrow/array.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/concatenate.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
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

Error OutOfMemory(const arrow::Status& status) { return RetryableError("out-of-memory", "rows of a partition: " + status.ToString()); }

Result<std::shared_ptr<arrow::Buffer>> Allocate(int64_t bytes) {
  auto buffer = arrow::AllocateBuffer(bytes);
  if (!buffer.ok()) return Fail(OutOfMemory(buffer.status()));
  return std::shared_ptr<arrow::Buffer>(*std::move(buffer));
}

// One column of all picks.
class ColumnGather {
 public:
  ColumnGather(std::span<const RowPick> picks, int column) : picks_(picks) {
    for (const RowPick& pick : picks) {
      parts_.push_back(pick.batch->column(column));
      rows_ += static_cast<int64_t>(pick.rows.size());
    }
  }

  Result<ArrayPtr> Run() {
    SLUICE_TRY(parts_, WithOneDictionary(std::move(parts_)));
    if (parts_[0]->type_id() == arrow::Type::DICTIONARY) return OfOneDictionary();
    const arrow::DataType& type = *parts_[0]->type();
    if (type.id() == arrow::Type::BOOL) return Bits();
    if (type.id() == arrow::Type::STRING || type.id() == arrow::Type::BINARY) return Texts();
    const int width = arrow::is_fixed_width(type.id()) ? type.bit_width() : 0;
    switch (width) {
      case 8:
        return Fixed<uint8_t>();
      case 16:
        return Fixed<uint16_t>();
      case 32:
        return Fixed<uint32_t>();
      case 64:
        return Fixed<uint64_t>();
      case 128:
        return Fixed<unsigned __int128>();
      default:
        return Others();
    }
  }

 private:
  // Visits each row as (part, row in it).
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t i = 0; i < picks_.size(); ++i)
      for (const uint32_t row : picks_[i].rows) visit(i, row);
  }

  // The validity of the rows; null where all are valid.
  Result<std::shared_ptr<arrow::Buffer>> Validity(int64_t* nulls) const {
    *nulls = 0;
    const bool any = std::any_of(parts_.begin(), parts_.end(), [](const ArrayPtr& part) { return part->null_count() > 0; });
    if (!any) return std::shared_ptr<arrow::Buffer>();
    SLUICE_TRY(auto buffer, Allocate(arrow::bit_util::BytesForBits(rows_)));
    uint8_t* bits = buffer->mutable_data();
    std::memset(bits, 0, static_cast<size_t>(buffer->size()));
    int64_t at = 0, valid = 0;
    for (size_t i = 0; i < picks_.size(); ++i) {
      const arrow::ArrayData& part = *parts_[i]->data();
      const uint8_t* from = part.buffers[0] ? part.buffers[0]->data() : nullptr;
      for (const uint32_t row : picks_[i].rows) {
        const bool is_valid = from == nullptr || arrow::bit_util::GetBit(from, part.offset + row);
        bits[at / 8] |= static_cast<uint8_t>(static_cast<unsigned>(is_valid) << (at % 8));
        valid += is_valid;
        ++at;
      }
    }
    *nulls = rows_ - valid;
    return buffer;
  }

  Result<ArrayPtr> Assemble(const std::shared_ptr<arrow::DataType>& type, std::vector<std::shared_ptr<arrow::Buffer>> values) const {
    int64_t nulls = 0;
    SLUICE_TRY(auto validity, Validity(&nulls));
    if (nulls == 0) validity = nullptr;
    values.insert(values.begin(), std::move(validity));
    return arrow::MakeArray(arrow::ArrayData::Make(type, rows_, std::move(values), nulls));
  }

  template <typename T>
  Result<ArrayPtr> Fixed() const {
    SLUICE_TRY(auto buffer, Allocate(rows_ * static_cast<int64_t>(sizeof(T))));
    T* out = reinterpret_cast<T*>(buffer->mutable_data());
    for (size_t i = 0; i < picks_.size(); ++i) {
      const T* values = parts_[i]->data()->GetValues<T>(1);
      for (const uint32_t row : picks_[i].rows) *out++ = values[row];
    }
    return Assemble(parts_[0]->type(), {std::move(buffer)});
  }

  Result<ArrayPtr> Bits() const {
    SLUICE_TRY(auto buffer, Allocate(arrow::bit_util::BytesForBits(rows_)));
    std::memset(buffer->mutable_data(), 0, static_cast<size_t>(buffer->size()));
    int64_t at = 0;
    ForEach([&](size_t i, uint32_t row) {
      if (static_cast<const arrow::BooleanArray&>(*parts_[i]).Value(row)) arrow::bit_util::SetBit(buffer->mutable_data(), at);
      ++at;
    });
    return Assemble(parts_[0]->type(), {std::move(buffer)});
  }

  Result<ArrayPtr> Texts() const {
    SLUICE_TRY(auto offsets, Allocate((rows_ + 1) * static_cast<int64_t>(sizeof(int32_t))));
    auto* ends = reinterpret_cast<int32_t*>(offsets->mutable_data());
    int64_t bytes = 0;
    *ends++ = 0;
    for (size_t i = 0; i < picks_.size(); ++i) {
      const int32_t* starts = parts_[i]->data()->GetValues<int32_t>(1);
      for (const uint32_t row : picks_[i].rows) {
        bytes += starts[row + 1] - starts[row];
        *ends++ = static_cast<int32_t>(bytes);
      }
    }
    if (bytes > INT32_MAX) return Fail(BugError("more than 2 GiB of texts in one column of a batch"));
    SLUICE_TRY(auto buffer, Allocate(bytes + kStep));
    char* out = reinterpret_cast<char*>(buffer->mutable_data());
    for (size_t i = 0; i < picks_.size(); ++i) out = CopyTexts(*parts_[i]->data(), picks_[i].rows, out);
    return Assemble(parts_[0]->type(), {std::move(offsets), arrow::SliceBuffer(std::move(buffer), 0, bytes)});
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

  // Only the places in it are gathered.
  Result<ArrayPtr> OfOneDictionary() {
    auto type = parts_[0]->type();
    auto dictionary = parts_[0]->data()->dictionary;
    for (ArrayPtr& part : parts_) part = static_cast<const arrow::DictionaryArray&>(*part).indices();
    SLUICE_TRY(const auto places, Run());
    auto data = places->data()->Copy();
    data->type = std::move(type);
    data->dictionary = std::move(dictionary);
    return arrow::MakeArray(std::move(data));
  }

  // Nested types.
  Result<ArrayPtr> Others() const {
    arrow::ArrayVector taken;
    for (size_t i = 0; i < picks_.size(); ++i) {
      const auto rows = picks_[i].rows;
      const arrow::UInt32Array places(static_cast<int64_t>(rows.size()), arrow::Buffer::Wrap(rows.data(), rows.size()));
      const auto values = arrow::compute::Take(*parts_[i], places, arrow::compute::TakeOptions::NoBoundsCheck());
      if (!values.ok()) return Fail(OutOfMemory(values.status()));
      taken.push_back(*values);
    }
    if (taken.size() == 1) return taken[0];
    const auto whole = arrow::Concatenate(taken);
    if (!whole.ok()) return Fail(OutOfMemory(whole.status()));
    return *whole;
  }

  std::span<const RowPick> picks_;
  arrow::ArrayVector parts_;
  int64_t rows_ = 0;
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> Gather(std::span<const RowPick> picks) {
  int64_t rows = 0;
  for (const RowPick& pick : picks) rows += static_cast<int64_t>(pick.rows.size());
  arrow::ArrayVector columns;
  for (int column = 0; column < picks[0].batch->num_columns(); ++column) {
    SLUICE_TRY(auto gathered, ColumnGather(picks, column).Run());
    columns.push_back(std::move(gathered));
  }
  return arrow::RecordBatch::Make(picks[0].batch->schema(), rows, std::move(columns));
}

}  // namespace sluice::tables
