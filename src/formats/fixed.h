#pragma once
// Fixed-width text → typed rows. A record is a line (ended by LF or CRLF); its fields stand at the places that ReadRequest::options says,
// counted in characters. Blanks around a field are no part of it. A line that ends before its last field does is refused (rule "fields"),
// or padded where the options say so; one with anything but blanks behind its last field is refused too. Lines of blanks are none.
#include <memory>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// Errors: those of PlanColumns; kUser "missing-key" (no fields), "nested-in-text", "bad-format", "unknown-zone".
Result<std::unique_ptr<RecordReader>> OpenFixed(const ReadRequest& request);
Result<std::vector<contract::Field>> NewFixedColumns(const ReadRequest& request);

}  // namespace sluice::formats
