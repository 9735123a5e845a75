#pragma once
// XML → typed rows: each element of the name that `record:` says is a record. docs/files.md has the rules in the user's words.
//
// A record becomes the JSON object that it stands for, and is then read as NDJSON is: a child element is a field, an attribute a field with
// @ before its name, text beside either of them the field #text. Elements of one name that repeat are an array; one alone is one where the
// contract's type is a list. Names are without their namespace's prefix. What is empty, or xsi:nil, is NULL.
#include <memory>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// Errors: those of XmlFeed; kData "no-such-record" (elements, but none of that name); kUser "bad-format", "unknown-zone".
Result<std::unique_ptr<RecordReader>> OpenXml(const ReadRequest& request);
Result<std::vector<contract::Field>> NewXmlColumns(const ReadRequest& request);
// The element that looks like a record, from the file's beginning: the least deep one that repeats and has fields; "" = none does.
Result<std::string> DetectRecordElement(const ReadRequest& request);

}  // namespace sluice::formats
