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
  std::vector<std::string> expected_names;     // the contract's; empty: not known
  std::string file;                            // for messages
  std::vector<std::string>* doubts = nullptr;  // given: what is unsure is guessed as well as can be, and the doubts are added here
};

// Errors: kData "unsure-dialect"; kUser "bad-dialect" (a pinned quote that is no single byte).
Result<formats::CsvDialect> DetectDialect(const DialectRequest& request);

// A file whose first lines equal, byte for byte, those of a file of known dialect has the same: the header's line and all
// before it. Only for dialects with a header.
bool SameHead(const formats::CsvDialect& dialect, std::string_view known_sample, std::string_view sample);

struct EncodingRequest {
  std::string_view sample;  // the file's beginning, decompressed
  bool whole = false;
  std::string pinned;                          // canonical; "" = not pinned
  std::string file;                            // for messages
  std::vector<std::string>* doubts = nullptr;  // as above
};
// The file's encoding, canonical, "" for UTF-8: what its byte order mark says, else what is pinned. Without both it is UTF-8. Error
// kData "unsure-encoding": by its zeros it is UTF-16 or UTF-32 without a mark, or more than 5% of its lines (and at least two) are no
// UTF-8. Fewer such lines are refused one by one when read.
Result<std::string> DetectEncoding(const EncodingRequest& request);

}  // namespace sluice::sources
