#include "contract/number_style.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "contract/decode_column.h"

namespace sluice::contract {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Bytes of the separator at the front of `text`; 0: none.
size_t SeparatorAt(const std::string& separator, std::string_view text) {
  if (separator.empty()) return 0;
  if (text.starts_with(separator)) return separator.size();
  if (separator == " ") return text.starts_with("\xc2\xa0") ? 2 : text.starts_with("\xe2\x80\xaf") ? 3 : 0;
  if (separator == "'") return text.starts_with("\xe2\x80\x99") ? 3 : 0;
  return 0;
}

// The whole part, off the front of *text; how many separators it has. nullopt: one stands where none may be.
std::optional<size_t> TakeWhole(const NumberStyle& style, std::string_view* text, std::string* plain) {
  size_t group = 0, groups = 0;
  const bool zero = text->starts_with('0');
  while (!text->empty()) {
    if (IsDigit(text->front())) {
      *plain += text->front();
      ++group;
      text->remove_prefix(1);
      continue;
    }
    const size_t separator = SeparatorAt(style.thousands, *text);
    if (separator == 0) break;
    const bool fits = groups == 0 ? group >= 1 && group <= 3 && !zero : group == 3;
    if (!fits) return std::nullopt;
    ++groups;
    group = 0;
    text->remove_prefix(separator);
  }
  if (groups > 0 && group != 3) return std::nullopt;
  return groups;
}

}  // namespace

Decoded PlainNumber(const NumberStyle& style, std::string_view text, std::string* plain) {
  plain->clear();
  if (std::none_of(text.begin(), text.end(), IsDigit)) {
    plain->assign(text);
    return Decoded::kOk;
  }
  if (text.front() == '-' || text.front() == '+') {
    *plain += text.front();
    text.remove_prefix(1);
  }
  const std::optional<size_t> groups = TakeWhole(style, &text, plain);
  if (!groups) return Decoded::kSyntax;
  if (text.starts_with(style.decimal)) {
    *plain += '.';
    text.remove_prefix(style.decimal.size());
  }
  for (; !text.empty() && IsDigit(text.front()); text.remove_prefix(1)) *plain += text.front();
  // An exponent, which has its own meaning to floats alone, and none after groups: 1.234e3 is 1,234 times 1,000 or 1.234 times that.
  // Anything else has a point or a separator where none may be.
  if (!text.empty() && (*groups > 0 || (text.front() != 'e' && text.front() != 'E'))) return Decoded::kSyntax;
  if (text.find_first_of(".,") != std::string_view::npos) return Decoded::kSyntax;
  plain->append(text);
  return Decoded::kOk;
}

std::string ExampleOf(const NumberStyle& style) { return "1" + style.thousands + "234" + style.decimal + "56"; }

NumberStyle StyleOf(const ColumnContract& column, const Contract& contract) {
  return {column.numbers.decimal.value_or(contract.numbers.decimal.value_or(".")),
          column.numbers.thousands.value_or(contract.numbers.thousands.value_or(""))};
}

Result<std::shared_ptr<arrow::Array>> DecodeStyledNumbers(const TextDecoder& decoder, const std::string& column,
                                                          std::span<const std::string_view> fields, std::vector<Violation>* violations) {
  static constexpr std::string_view kNoNumber = "?";
  std::vector<std::string> texts(fields.size());
  std::vector<std::string_view> views(fields.size());
  for (size_t row = 0; row < fields.size(); ++row) {
    if (fields[row].data() == nullptr) continue;
    const bool good = PlainNumber(decoder.style(), fields[row], &texts[row]) == Decoded::kOk;
    views[row] = good ? std::string_view(texts[row].data(), texts[row].size()) : kNoNumber;
  }
  const size_t before = violations->size();
  SLUICE_TRY(auto array, DecodeColumn(decoder.WithoutStyle(), column, views, violations));
  for (size_t i = before; i < violations->size(); ++i) {
    Violation& violation = (*violations)[i];
    violation.value = CutValue(fields[static_cast<size_t>(violation.row)]);
    if (violation.message == DecodeMessage(decoder.type(), Decoded::kSyntax))
      violation.message += " written as " + ExampleOf(decoder.style());
  }
  return array;
}

}  // namespace sluice::contract
