#pragma once
// What a project says about how files of a format are written, beyond CSV's dialect.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::formats {

struct XlsxOptions {
  std::string sheet;           // by name; "" = the only one that is not hidden
  std::string range;           // "B3:F", "A1:D100"; "" = from the first row that has anything
  std::optional<bool> header;  // not said: the first row names the columns, unless it holds numbers
  bool operator==(const XlsxOptions&) const = default;
};

// A field of a fixed-width line, in characters.
struct FixedField {
  std::string name;
  int64_t start = 0;  // 0-based
  int64_t width = 0;
  bool operator==(const FixedField&) const = default;
};

struct FixedOptions {
  std::vector<FixedField> fields;  // by start
  int64_t skip = 0;                // lines before the first record
  bool pad = false;                // a line that is too short is as if blanks stood behind it
  bool operator==(const FixedOptions&) const = default;
};

struct FormatOptions {
  XlsxOptions xlsx;
  FixedOptions fixed;
  std::string record;  // XML: the element that is a record
  bool operator==(const FormatOptions&) const = default;
};

}  // namespace sluice::formats
