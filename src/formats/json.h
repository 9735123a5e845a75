#pragma once
// JSON documents in whatever way they stand in a file: one a line, over many lines, one after another, or in one array. Each is a record,
// which is then read as a line of NDJSON is (ndjson.h). A file whose first line is a whole object, and whose second begins one, is read
// line by line; any other by the documents' brackets (json_documents.h). docs/files.md has the rules in the user's words.
#include <memory>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// Errors: kData "truncated-file" (it ends within its array), "unsupported-encoding"; those of OpenNdjson.
Result<std::unique_ptr<RecordReader>> OpenJson(const ReadRequest& request);
Result<std::vector<contract::Field>> NewJsonColumns(const ReadRequest& request);

}  // namespace sluice::formats
