#pragma once
// How is this delimited file written? Decided from its beginning. Pure.
//
// Every candidate (delimiter, quote, escape) splits the sample by the rules of formats/csv.h; the one under which most records
// have the same number of fields wins. Lines with broken quotes or fields too many are expected in real files and only cost their
// own vote. Where the answer is not clear it is not guessed: error "unsure-dialect" says what to pin.
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "formats/csv.h"
#include "sources/source.h"

namespace sluice::sources {

struct DialectRequest {
  std::string_view sample;  // the file's beginning, decompressed
  bool whole = false;       // the sample is the whole file
  CsvPins pins;
  std::vector<std::string> expected_names;  // the contract's; empty: not known
  std::string file;                         // for messages
};

// Errors: kData "unsure-dialect"; kUser "bad-dialect" (a pinned delimiter that is no single byte).
Result<formats::CsvDialect> DetectDialect(const DialectRequest& request);

// A file whose first lines equal, byte for byte, those of a file of known dialect has the same: the header's line and all
// before it. Only for dialects with a header.
bool SameHead(const formats::CsvDialect& dialect, std::string_view known_sample, std::string_view sample);

// Error kData "unsupported-encoding": UTF-16 or UTF-32 (by byte order mark, or by its zeros), or text of which more than 5% of
// the lines are no UTF-8 (probably Windows-1252 or another 8-bit code). Fewer such lines are refused one by one when read.
Status CheckEncoding(std::string_view sample, const std::string& file);

}  // namespace sluice::sources
