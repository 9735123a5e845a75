#include "sources/postgres/reader.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "contract/decode_column.h"
#include "core/text.h"
#include "formats/typed_rows.h"
#include "sources/postgres/decode.h"

namespace sluice::sources::postgres {
namespace {

using TypedPlanPtr = std::shared_ptr<const formats::TypedPlan>;
using ColumnsPtr = std::shared_ptr<const std::vector<Column>>;

// Values that the rows' types have no place for: row → column → JSON.
using Losses = std::map<int64_t, std::map<std::string, std::string>>;

// Rows above the limit, and how long they were: what was long in them is NULL.
using LongRows = std::map<int64_t, size_t>;

constexpr size_t kKeptOfLongRows = 4096;  // bytes of a value

// The raw record with the values that its Arrow row could not hold.
std::string WithLosses(const std::string& raw, const Losses& losses, int64_t row) {
  const auto found = losses.find(row);
  if (found == losses.end()) return raw;
  auto record = nlohmann::ordered_json::parse(raw, nullptr, false);
  if (!record.is_object()) return raw;
  for (const auto& [column, json] : found->second) record[column] = nlohmann::ordered_json::parse(json, nullptr, false);
  return record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

class CopyBlock : public formats::RawBlock {
 public:
  CopyBlock(std::string bytes, LongRows long_rows, ColumnsPtr columns, TypedPlanPtr plan, int64_t first_row,
            std::function<void(uint32_t)> see)
      : bytes_(std::move(bytes)),
        long_rows_(std::move(long_rows)),
        columns_(std::move(columns)),
        plan_(std::move(plan)),
        first_row_(first_row),
        see_(std::move(see)) {}

  Result<formats::DecodedBatch> Decode() override {
    SLUICE_TRY(const CopyRows rows, SplitCopyRows(bytes_, columns_->size() + (see_ ? 1 : 0)));
    if (see_) SLUICE_CHECK(ForEachTransaction(rows.column(columns_->size()), see_));
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    std::vector<contract::Violation> violations;
    auto losses = std::make_shared<Losses>();
    for (size_t i = 0; i < columns_->size(); ++i) {
      const Column& column = (*columns_)[i];
      std::vector<Unfit> unfit;
      SLUICE_TRY(auto array, DecodeValues(column.type, rows.column(i), &unfit));
      for (Unfit& one : unfit) {
        if (IsRead(i)) violations.push_back({one.row, NameInRows(i), "type", contract::CutValue(one.json), std::move(one.why), false});
        (*losses)[one.row][column.name] = std::move(one.json);
      }
      fields.push_back(arrow::field(column.name, array->type()));
      arrays.push_back(std::move(array));
    }
    auto batch = arrow::RecordBatch::Make(arrow::schema(std::move(fields)), static_cast<int64_t>(rows.rows), std::move(arrays));
    SLUICE_TRY(const auto typed, formats::TypedRows(std::move(batch), plan_, first_row_));
    SLUICE_TRY(formats::DecodedBatch out, typed->Decode());
    RefuseLongRows(&out);
    if (losses->empty()) return out;
    out.raw = [raw = std::move(out.raw), losses](int64_t row) { return WithLosses(raw(row), *losses, row); };
    AddViolations(std::move(violations), &out);
    return out;
  }

 private:
  void RefuseLongRows(formats::DecodedBatch* out) const {
    std::vector<contract::Violation> violations;
    for (const auto& [row, size] : long_rows_) {
      std::erase_if(out->violations, [row = row](const contract::Violation& v) { return v.row == row; });
      violations.push_back({row, "", "length", "",
                            fmt::format("the row has {}: values above {} are left out of the record",
                                        FormatBytes(static_cast<int64_t>(size)), FormatBytes(kKeptOfLongRows)),
                            false});
    }
    if (!violations.empty()) AddViolations(std::move(violations), out);
  }

  // Which column of the rows is read from the i-th of the result; -1: none.
  int PositionInRows(size_t i) const {
    const auto& planned = plan_->columns.columns;
    for (size_t c = 0; c < planned.size(); ++c)
      if (planned[c].file_column == static_cast<int>(i)) return static_cast<int>(c);
    return -1;
  }
  bool IsRead(size_t i) const { return PositionInRows(i) >= 0; }
  std::string NameInRows(size_t i) const { return plan_->columns.columns[static_cast<size_t>(PositionInRows(i))].field.name; }

  static void AddViolations(std::vector<contract::Violation> more, formats::DecodedBatch* out) {
    auto& all = out->violations;
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return std::tie(a.row, a.column) < std::tie(b.row, b.column); });
  }

  std::string bytes_;
  LongRows long_rows_;
  ColumnsPtr columns_;
  TypedPlanPtr plan_;
  int64_t first_row_;
  std::function<void(uint32_t)> see_;
};

class CopyReader : public formats::RecordReader {
 public:
  CopyReader(std::unique_ptr<Connection> connection, ReadPlan plan, TypedPlanPtr typed, const formats::ReadRequest& request)
      : connection_(std::move(connection)),
        plan_(std::move(plan)),
        columns_(std::make_shared<const std::vector<Column>>(plan_.columns)),
        typed_(std::move(typed)),
        block_bytes_(static_cast<size_t>(request.block_bytes)),
        most_bytes_(static_cast<size_t>(request.max_record_bytes)) {}

  Status Start() { return connection_->StartCopy("COPY (" + plan_.sql + ") TO STDOUT (FORMAT binary)"); }

  Result<std::unique_ptr<formats::RawBlock>> Next() override {
    if (connection_ == nullptr) return std::unique_ptr<formats::RawBlock>();
    SLUICE_CHECK(plan_.still_allowed());
    std::string bytes;
    bytes.reserve(block_bytes_ + block_bytes_ / 8);
    int64_t rows = 0;
    LongRows long_rows;
    while (bytes.size() < block_bytes_ && rows < kMostRows) {
      const size_t before = bytes.size();
      SLUICE_TRY(const bool more, connection_->NextCopy(&bytes));
      if (!more) {
        plan_.give_back(std::move(connection_));
        break;
      }
      SLUICE_CHECK(TakeHeader(&bytes, before));
      if (bytes.size() == before || IsTrailer(std::string_view(bytes).substr(before))) continue;
      if (bytes.size() - before > most_bytes_) {
        SLUICE_TRY(long_rows[rows], ShortenRow(&bytes, before, kKeptOfLongRows));
      }
      ++rows;
    }
    if (rows == 0) {
      if (connection_ == nullptr) return std::unique_ptr<formats::RawBlock>();
      return Next();
    }
    return std::make_unique<CopyBlock>(std::move(bytes), std::move(long_rows), columns_, typed_, plan_.next_row->fetch_add(rows) + 1,
                                       plan_.see);
  }

 private:
  static constexpr int64_t kMostRows = 65'536;  // of a block

  static bool IsTrailer(std::string_view message) { return message == std::string_view("\377\377", 2); }

  // The first message begins with the header, behind which its first row may stand.
  Status TakeHeader(std::string* bytes, size_t at) {
    if (header_seen_) return Ok();
    SLUICE_TRY(const size_t size, CopyHeaderSize(std::string_view(*bytes).substr(at)));
    bytes->erase(at, size);
    header_seen_ = true;
    return Ok();
  }

  std::unique_ptr<Connection> connection_;
  ReadPlan plan_;
  ColumnsPtr columns_;
  TypedPlanPtr typed_;
  size_t block_bytes_, most_bytes_;
  bool header_seen_ = false;
};

}  // namespace

Result<std::unique_ptr<formats::RecordReader>> OpenReader(std::unique_ptr<Connection> connection, ReadPlan plan,
                                                          const formats::ReadRequest& request) {
  std::vector<std::string> names;
  for (const Column& column : plan.columns) names.push_back(column.name);
  SLUICE_TRY(auto typed, formats::PlanTyped(request, names));
  auto reader = std::make_unique<CopyReader>(std::move(connection), std::move(plan), std::move(typed), request);
  SLUICE_CHECK(reader->Start());
  return reader;
}

}  // namespace sluice::sources::postgres
