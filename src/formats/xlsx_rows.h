#pragma once
// The rows of a sheet, one after another, as texts.
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/xlsx_book.h"
#include "formats/xml_feed.h"

namespace sluice::formats {

struct XlsxCell {
  enum class Kind { kText, kNumber, kDate, kBoolean, kWrong };
  int column = 0;
  Kind kind = Kind::kText;
  std::string text;         // kWrong: what stands there
  std::string why;          // kWrong
  std::string_view shared;  // the text, if it is one of the workbook's: a long one may stand in many cells
  std::string_view value() const { return shared.empty() ? std::string_view(text) : shared; }
};

struct XlsxRow {
  int64_t number = 0;  // in the sheet
  std::vector<XlsxCell> cells;
  bool too_long = false;  // cells are missing: together they are longer than a record may be
};

class SheetListener : public XmlListener {
 public:
  SheetListener(std::shared_ptr<const Workbook> book, CellRange range, size_t max_row_bytes)
      : book_(std::move(book)), range_(range), max_(max_row_bytes) {}
  void Start(std::string_view name, const std::vector<XmlAttribute>& attributes) override;
  void End(std::string_view name) override;
  void Text(std::string_view text) override;

  std::deque<XlsxRow> rows;  // with at least one value, within the range

 private:
  void StartCell(const std::vector<XmlAttribute>& attributes);
  void EndCell();
  void AddCell(XlsxCell cell);
  XlsxCell NumberCell(XlsxCell cell) const;

  std::shared_ptr<const Workbook> book_;
  CellRange range_;
  size_t max_;
  XlsxRow row_;
  size_t row_bytes_ = 0;
  int64_t row_number_ = 0;
  int column_ = -1;
  std::string type_, value_;
  size_t style_ = 0;
  bool in_value_ = false, in_text_ = false, spoken_ = false, has_value_ = false, has_formula_ = false;
};

// The sheet's rows by a reader's pull.
class SheetRows {
 public:
  static Result<std::unique_ptr<SheetRows>> Open(const ReadRequest& request);
  SheetRows(std::shared_ptr<const Workbook> book, CellRange range, const ReadRequest& request, std::unique_ptr<ByteSource> bytes);
  // False at the end.
  Result<bool> Next(XlsxRow* row);
  const Workbook& book() const { return *book_; }
  const CellRange& range() const { return range_; }

 private:
  std::shared_ptr<const Workbook> book_;
  CellRange range_;
  SheetListener listener_;
  XmlFeed feed_;
};

}  // namespace sluice::formats
