#include "formats/xlsx.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "formats/column_plan.h"
#include "formats/cut_record.h"
#include "formats/field_shape.h"
#include "formats/json_lines_block.h"
#include "formats/json_number.h"
#include "formats/json_text.h"
#include "formats/typed_rows.h"
#include "formats/xlsx_rows.h"

namespace sluice::formats {
namespace {

using contract::TypeKind;

// Where the table stands in its sheet, and the names over it.
struct Table {
  int first_column = 0;
  bool header = true;
  std::vector<std::string> names;  // "" = none over this column
  std::vector<XlsxRow> ahead;      // rows that were read to see all this
};

class TableFinder {
 public:
  TableFinder(const ReadRequest& request, SheetRows& rows) : request_(request), rows_(rows) {}

  // No names: the sheet is empty.
  Result<Table> Find() {
    Table table;
    XlsxRow first, second;
    SLUICE_TRY(const bool any, rows_.Next(&first));
    if (!any) return table;
    SLUICE_TRY(const bool more, rows_.Next(&second));
    const auto& pinned = request_.options.xlsx.header;
    if (!pinned) SLUICE_CHECK(CheckHeader(first, more ? &second : nullptr));
    if (first.cells.empty()) return Fail(Unsure(first, more ? &second : nullptr, "it is longer than a record may be"));
    table.header = pinned.value_or(true);
    const CellRange& range = rows_.range();
    table.first_column = range.given ? range.first_column : table.header ? first.cells.front().column : 0;
    const int last = std::max(range.last_column, first.cells.back().column);
    table.names.resize(static_cast<size_t>(last - table.first_column) + 1);
    if (table.header)
      for (const XlsxCell& cell : first.cells) table.names[static_cast<size_t>(cell.column - table.first_column)] = Trim(cell.value());
    else
      NumberColumns(&table);
    if (!table.header) table.ahead.push_back(std::move(first));
    if (more) table.ahead.push_back(std::move(second));
    return table;
  }

 private:
  void NumberColumns(Table* table) const {
    table->names.resize(std::max(table->names.size(), request_.contract->columns.size()));
    for (size_t i = 0; i < table->names.size(); ++i) table->names[i] = fmt::format("column_{}", i + 1);
  }

  Status CheckHeader(const XlsxRow& first, const XlsxRow* second) const {
    for (const XlsxCell& cell : first.cells)
      if (cell.kind != XlsxCell::Kind::kText)
        return Fail(
            Unsure(first, second, fmt::format("{}{} is \"{}\", which is no name", ColumnLetters(cell.column), first.number, cell.value())));
    if (first.cells.size() == 1 && second != nullptr && second->cells.size() > 1)
      return Fail(Unsure(first, second, fmt::format("it has one cell, the next row {}", second->cells.size())));
    return Ok();
  }

  Error Unsure(const XlsxRow& row, const XlsxRow* next, const std::string& why) const {
    return DataError("unsure-header", fmt::format("{}, sheet \"{}\": its first row ({}) may not be the header: {}", NameOf(request_),
                                                  rows_.book().sheet, row.number, why))
        .Hint(
            fmt::format("pin where the table is in the source's `read`: range: \"{}\" if its header is row {}, or header: true (or false)",
                        RangeFrom(row, next), next == nullptr ? row.number : next->number));
  }

  // The table as it stands if the second row that has anything is its header.
  static std::string RangeFrom(const XlsxRow& row, const XlsxRow* next) {
    const XlsxRow& header = next == nullptr || next->cells.empty() ? row : *next;
    const int first = header.cells.empty() ? 0 : header.cells.front().column, last = header.cells.empty() ? 0 : header.cells.back().column;
    return fmt::format("{}{}:{}", ColumnLetters(first), header.number, ColumnLetters(last));
  }

  const ReadRequest& request_;
  SheetRows& rows_;
};

class XlsxReader : public RecordReader {
 public:
  XlsxReader(const ReadRequest& request, std::unique_ptr<SheetRows> rows, Table table, FieldShape shape)
      : request_(request), rows_(std::move(rows)), table_(std::move(table)), shape_(std::make_shared<const FieldShape>(std::move(shape))) {
    for (size_t i = 0; i < table_.names.size(); ++i) {
      const bool by_place = !table_.header && i < shape_->children.size();
      columns_.push_back(table_.names[i].empty() ? -1 : by_place ? static_cast<int>(i) : shape_->Find(table_.names[i]));
    }
  }

  Result<std::unique_ptr<RawBlock>> Next() override {
    for (XlsxRow& row : std::exchange(table_.ahead, {})) Add(row);
    XlsxRow row;
    while (lines_.bytes() < static_cast<size_t>(request_.block_bytes)) {
      SLUICE_TRY(const bool more, rows_->Next(&row));
      if (!more) {
        SLUICE_CHECK(CheckUnchanged(*request_.store, rows_->book().object));
        break;
      }
      Add(row);
    }
    if (lines_.empty()) return std::unique_ptr<RawBlock>();
    return JsonBlock(lines_.Take(), shape_, request_.max_record_bytes);
  }

 private:
  void Add(const XlsxRow& row) {
    std::string json = "{";
    LineBlock::Wrong wrong;
    for (const XlsxCell& cell : row.cells) AddCell(row, cell, &json, &wrong);
    json += '}';
    if (row.too_long) {
      json.resize(KeptOfCutRecord(json));
      wrong = {"length", CutRecordMessage(request_.max_record_bytes)};
    }
    lines_.Add(json, row.number, 0, std::move(wrong));
  }

  void AddCell(const XlsxRow& row, const XlsxCell& cell, std::string* json, LineBlock::Wrong* wrong) {
    const auto at = static_cast<size_t>(cell.column - table_.first_column);
    const bool outside = cell.column < table_.first_column || at >= table_.names.size() || table_.names[at].empty();
    const auto place = [&] { return fmt::format("{}{}", ColumnLetters(cell.column), row.number); };
    if (outside && wrong->rule.empty()) *wrong = {"fields", fmt::format("the cell {} has no column: no name stands over it", place())};
    const FieldShape* column = outside || columns_[at] < 0 ? nullptr : &shape_->children[static_cast<size_t>(columns_[at])];
    if (column == nullptr && !outside && shape_->new_fields == NewFields::kIgnore) return;
    const bool is_wrong = cell.kind == XlsxCell::Kind::kWrong;
    if (is_wrong && column != nullptr &&
        std::find(column->null_tokens.begin(), column->null_tokens.end(), cell.value()) != column->null_tokens.end())
      return;
    if (is_wrong && wrong->rule.empty())
      *wrong = {"type", fmt::format("the cell {} ({}) {}{}", place(), table_.names[at], cell.why,
                                    cell.value().empty() ? "" : ": " + std::string(cell.value()))};
    if (json->size() > 1) *json += ',';
    if (outside)
      AppendJsonString(place(), json);
    else
      AppendJsonString(column != nullptr && !table_.header ? column->name : table_.names[at], json);
    *json += ':';
    AppendValue(cell, column, json);
  }

  // A wrong value is no JSON: a replay takes it only when it was edited.
  static void AppendValue(const XlsxCell& cell, const FieldShape* column, std::string* json) {
    const TypeKind kind = column == nullptr ? TypeKind::kString : column->type.kind;
    const bool instant = kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz;
    std::string text(cell.value());
    switch (cell.kind) {
      case XlsxCell::Kind::kWrong:
        *json += text.empty() ? "#FORMULA" : text.starts_with('#') ? text : "#" + text;
        return;
      case XlsxCell::Kind::kBoolean:
        *json += text;
        return;
      case XlsxCell::Kind::kNumber:
        if (!IsJsonNumber(text)) break;
        *json += text;
        return;
      case XlsxCell::Kind::kDate:  // a date at midnight is both
        if (kind == TypeKind::kDate && text.ends_with("T00:00:00")) text.resize(text.size() - 9);
        if (instant && text.size() == 10) text += "T00:00:00";
        break;
      case XlsxCell::Kind::kText:
        break;
    }
    AppendJsonString(text, json);
  }

  ReadRequest request_;
  std::unique_ptr<SheetRows> rows_;
  Table table_;
  std::shared_ptr<const FieldShape> shape_;
  std::vector<int> columns_;  // by place in the table: child of the shape; -1: none
  JsonLines lines_;
};

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenXlsx(const ReadRequest& request) {
  SLUICE_TRY(auto rows, SheetRows::Open(request));
  SLUICE_TRY(Table table, TableFinder(request, *rows).Find());
  if (table.names.empty()) return NoRecords();
  SLUICE_TRY(const ColumnPlan plan, PlanColumns(request, table.names, table.header));
  SLUICE_TRY(FieldShape shape, ShapeOf(request));
  return std::make_unique<XlsxReader>(request, std::move(rows), std::move(table), std::move(shape));
}

Result<std::vector<contract::Field>> NewXlsxColumns(const ReadRequest& request) {
  SLUICE_TRY(const auto rows, SheetRows::Open(request));
  SLUICE_TRY(const Table table, TableFinder(request, *rows).Find());
  std::vector<contract::Field> fields;
  if (!table.header && !request.contract->columns.empty()) return fields;
  for (const std::string& name : NewColumnNames(request, table.names))
    fields.push_back({name, contract::DataType::Of(TypeKind::kString), true, {}});
  return fields;
}

}  // namespace sluice::formats
