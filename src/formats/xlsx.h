#pragma once
// Excel workbooks (.xlsx) → typed rows. docs/files.md has the rules in the user's words.
//
// A row becomes a JSON object of its cells by the header's names and is then read as NDJSON is. A cell becomes the text that Excel means,
// not what it shows: a number its shortest spelling (a plain integer with all its digits; zeros in front where the cell's format is
// nothing but zeros), a number formatted as a date or time ISO 8601, a boolean true or false. An error (#N/A), a formula that was never
// computed and a date that is none refuse the record. Rows without any value are none.
#include <memory>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// Errors: kData "corrupt-file", "unsure-sheet", "no-such-sheet", "unsure-header", "malformed-xml", those of ListArchive and PlanColumns;
// kUser "bad-range", "bad-format", "unknown-zone"; kData "xlsx-too-large" (more texts than fit into the memory).
Result<std::unique_ptr<RecordReader>> OpenXlsx(const ReadRequest& request);
Result<std::vector<contract::Field>> NewXlsxColumns(const ReadRequest& request);

}  // namespace sluice::formats
