#pragma once
// What the cells of a sheet mean (ECMA-376 part 1, sections 18.3 and 18.8). Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::formats {

enum class CellStyle { kNumber, kDate, kTime, kDateTime, kDuration, kZeros };  // kZeros: a format of nothing but zeros

struct NumberStyle {
  CellStyle kind = CellStyle::kNumber;
  int zeros = 0;  // kZeros: how many digits are shown at least
};
// Of a number format's code, or of one that is built in.
NumberStyle StyleOfCode(std::string_view code);
NumberStyle StyleOfBuiltIn(int id);

// A number as Excel keeps it, as text; nullopt: no such date or time (before 1900, or 29 February 1900).
std::optional<std::string> TextOfNumber(std::string_view raw, const NumberStyle& style, bool since_1904);

// "AB12" → {27, 12}; 0-based column, 1-based row (0: not said). nullopt: no reference.
struct CellReference {
  int column = 0;
  int64_t row = 0;
};
std::optional<CellReference> ParseReference(std::string_view text);

// "B3:F", "A1:D100", "B:F": inclusive; rows 0 and columns -1 where not said.
struct CellRange {
  int first_column = 0, last_column = -1;
  int64_t first_row = 0, last_row = 0;
  bool given = false;
};
std::optional<CellRange> ParseRange(std::string_view text);

std::string ColumnLetters(int column);
// _x000D_ stands for a character that XML cannot hold.
std::string WithoutEscapes(const std::string& text);

}  // namespace sluice::formats
