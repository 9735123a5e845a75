#include "formats/xlsx_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "core/text.h"

namespace sluice::formats {
namespace {

constexpr int64_t kMostRows = 1 << 20;  // of a sheet
constexpr int kMostColumns = 16384;

// nullopt: it is none.
std::optional<int64_t> IntegerOf(std::string_view text) {
  text = Trim(text);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

void SheetListener::Start(std::string_view name, const std::vector<XmlAttribute>& attributes) {
  if (name == "row") {
    row_ = {};
    row_bytes_ = 0;
    column_ = -1;
    ++row_number_;
    for (const XmlAttribute& attribute : attributes)
      if (attribute.name == "r") row_number_ = std::max(row_number_, std::min(IntegerOf(attribute.value).value_or(0), kMostRows));
    row_.number = row_number_;
  } else if (name == "c") {
    StartCell(attributes);
  } else if (name == "v") {
    in_value_ = has_value_ = true;
  } else if (name == "f") {
    has_formula_ = true;
  } else if (name == "rPh") {
    spoken_ = true;
  } else if (name == "t") {
    in_text_ = !spoken_;
    has_value_ = true;
  }
}

void SheetListener::StartCell(const std::vector<XmlAttribute>& attributes) {
  type_.clear();
  value_.clear();
  style_ = 0;
  has_value_ = has_formula_ = false;
  ++column_;
  for (const XmlAttribute& attribute : attributes) {
    if (attribute.name == "t") type_ = attribute.value;
    if (attribute.name == "s") style_ = static_cast<size_t>(std::max<int64_t>(0, IntegerOf(attribute.value).value_or(0)));
    if (attribute.name != "r") continue;
    if (const auto reference = ParseReference(attribute.value)) column_ = reference->column;
  }
}

void SheetListener::Text(std::string_view text) {
  if ((!in_value_ && !in_text_) || row_.too_long) return;
  row_.too_long = row_bytes_ + value_.size() + text.size() > max_;
  if (!row_.too_long) value_ += text;
}

void SheetListener::End(std::string_view name) {
  if (name == "v") in_value_ = false;
  if (name == "t") in_text_ = false;
  if (name == "rPh") spoken_ = false;
  if (name == "c") EndCell();
  if (name != "row" || (row_.cells.empty() && !row_.too_long)) return;
  const bool below = range_.last_row > 0 && row_number_ > range_.last_row;
  // As Excel writes them they are in order.
  const auto by_column = [](const XlsxCell& a, const XlsxCell& b) { return a.column < b.column; };
  if (!std::is_sorted(row_.cells.begin(), row_.cells.end(), by_column)) std::stable_sort(row_.cells.begin(), row_.cells.end(), by_column);
  if (row_number_ >= range_.first_row && !below) rows.push_back(std::move(row_));
  row_ = {};
}

void SheetListener::EndCell() {
  if (column_ >= kMostColumns) row_.too_long = true;
  if (column_ >= kMostColumns || column_ < range_.first_column || (range_.last_column >= 0 && column_ > range_.last_column)) return;
  XlsxCell cell;
  cell.column = column_;
  cell.text = std::move(value_);
  if (!has_value_) {
    if (has_formula_) AddCell({column_, XlsxCell::Kind::kWrong, "", "holds a formula that was never computed"});
    return;
  }
  if (type_ == "s") {
    const auto index = IntegerOf(cell.text);
    if (!index || *index < 0 || *index >= static_cast<int64_t>(book_->texts.size()))
      return AddCell({column_, XlsxCell::Kind::kWrong, cell.text, "names a text that the workbook does not have"});
    cell.text.clear();
    cell.shared = book_->texts[static_cast<size_t>(*index)];
  } else if (type_ == "inlineStr" || type_ == "str") {
    cell.text = WithoutEscapes(cell.text);
  } else if (type_ == "b") {
    cell.kind = XlsxCell::Kind::kBoolean;
    const bool yes = cell.text == "1" || cell.text == "true";
    if (!yes && cell.text != "0" && cell.text != "false") return AddCell({column_, XlsxCell::Kind::kWrong, cell.text, "holds no boolean"});
    cell.text = yes ? "true" : "false";
  } else if (type_ == "e") {
    cell.kind = XlsxCell::Kind::kWrong;
    cell.why = "holds an error of Excel";
  } else if (type_ == "d") {
    cell.kind = XlsxCell::Kind::kDate;  // ISO 8601 already
  } else {
    if (cell.text.empty()) return;
    cell = NumberCell(std::move(cell));
  }
  if (cell.kind != XlsxCell::Kind::kText || !cell.value().empty()) AddCell(std::move(cell));
}

XlsxCell SheetListener::NumberCell(XlsxCell cell) const {
  const NumberStyle style = style_ < book_->styles.size() ? book_->styles[style_] : NumberStyle{};
  const bool number = style.kind == CellStyle::kNumber || style.kind == CellStyle::kZeros;
  cell.kind = number ? XlsxCell::Kind::kNumber : XlsxCell::Kind::kDate;
  auto text = TextOfNumber(cell.text, style, book_->since_1904);
  if (text) {
    cell.text = *std::move(text);
    return cell;
  }
  cell.kind = XlsxCell::Kind::kWrong;
  cell.why = number ? "holds what is no number" : "is formatted as a date or time but holds a number that is none";
  return cell;
}

void SheetListener::AddCell(XlsxCell cell) {
  constexpr size_t kCellBytes = 64;
  row_bytes_ += cell.value().size() + kCellBytes;
  row_.too_long |= row_bytes_ > max_;
  if (!row_.too_long) row_.cells.push_back(std::move(cell));
}

Result<std::unique_ptr<SheetRows>> SheetRows::Open(const ReadRequest& request) {
  CellRange range;
  if (const std::string& text = request.options.xlsx.range; !text.empty()) {
    const auto parsed = ParseRange(text);
    if (!parsed)
      return Fail(UserError("bad-range", fmt::format("\"{}\" is no range of cells", text)).Hint("write \"B3:F\", \"A1:D100\" or \"A:F\""));
    range = *parsed;
  }
  SLUICE_TRY(auto book, OpenWorkbook(request));
  SLUICE_TRY(auto bytes, OpenMember(*request.store, book->object, book->sheet_part));
  return std::make_unique<SheetRows>(std::move(book), range, request, std::move(bytes));
}

SheetRows::SheetRows(std::shared_ptr<const Workbook> book, CellRange range, const ReadRequest& request, std::unique_ptr<ByteSource> bytes)
    : book_(std::move(book)),
      range_(range),
      listener_(book_, range, static_cast<size_t>(request.max_record_bytes)),
      feed_(std::move(bytes), listener_, NameOf(request) + "/" + book_->sheet_part.path) {}

Result<bool> SheetRows::Next(XlsxRow* row) {
  while (listener_.rows.empty()) {
    SLUICE_TRY(const bool more, feed_.Step());
    if (!more) return false;
  }
  *row = std::move(listener_.rows.front());
  listener_.rows.pop_front();
  return true;
}

}  // namespace sluice::formats
