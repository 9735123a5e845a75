#pragma once
// The beginning of a delimited file, split into records: for detection only. The rules are those of formats/csv.h.
#include <string>
#include <string_view>
#include <vector>

#include "formats/csv.h"

namespace sluice::sources {

struct SplitRecord {
  std::vector<std::string> fields;  // unquoted
  int quoted = 0;                   // fields in quotes that opened and closed as they should
  bool broken = false;              // a stray quote, or one that was never closed: only its first line is in `fields`
  int line = 0;                     // physical lines before it, skipped ones included
};

// Complete records of `sample` after its byte order mark and dialect.skip lines, the header among them; empty and comment
// lines are left out. The last record counts only if `whole` or ended. At most `limit` records.
std::vector<SplitRecord> SplitSample(std::string_view sample, bool whole, const formats::CsvDialect& dialect, size_t limit);

// Without a UTF-8 byte order mark.
std::string_view WithoutBom(std::string_view text);

}  // namespace sluice::sources
