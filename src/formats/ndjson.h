#pragma once
// Newline-delimited JSON → typed rows. docs/files.md has the rules in the user's words.
//
// A record is a line (ended by LF; a CR before it is white space); lines of white space only are none. A field's name meets a
// column by `from`, else by its name, in any case of letters. How a JSON value becomes a value of its column's type:
// - null, and a field that is not there: NULL.
// - string, number, true, false: its text goes through the contract's text decoders, so "5" and 5 are the same bigint, and nothing
//   is read through a double. For a decimal the exponent of a number is first written out. String columns take numbers and
//   booleans as they are spelt. `trim` and null tokens apply to strings ("" is never a token unless the column itself lists it).
// - array → list; object → struct or map. A string column takes them as their JSON text.
// What does not fit is a violation (rule "type") whose message has the path. Fields that the contract does not have follow
// on_new_column; inside a struct, where columns cannot be added, evolve refuses them as quarantine does. The same field twice in
// an object is refused (rule "fields"), lines that are no JSON object (rule "json"), no UTF-8 (rule "encoding"), too long (rule "length")
// or nested deeper than 128 too. on_missing_column has no say: a line that lacks a field has NULL there.
#include <memory>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// Errors: kData "not-ndjson" (one array or one indented object over many lines); kUser "bad-format", "unknown-zone",
// "encoding-not-installed".
Result<std::unique_ptr<RecordReader>> OpenNdjson(const ReadRequest& request);

// The top-level fields that the request lacks, in order of first appearance: strings (their JSON text, unless they are strings).
// Reads the whole file, but only if on_new_column is evolve: else none is new.
Result<std::vector<contract::Field>> NewNdjsonColumns(const ReadRequest& request);

}  // namespace sluice::formats
