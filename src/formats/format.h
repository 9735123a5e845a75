#pragma once
// Every format that files come in: its names, what it is like, and its reader. A new format has its line in format.cc and nowhere else.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/csv.h"
#include "formats/reader.h"

namespace sluice::formats {

// The order is that of the project's `format:` and goes into fingerprints: new ones come last.
enum class FileFormat { kCsv, kNdjson, kParquet, kJson, kXlsx, kOrc, kAvro, kFixed, kXml };

struct FormatTraits {
  FileFormat format;
  std::string_view name;                  // as the project says it: "csv"
  std::vector<std::string_view> endings;  // of file names, with the dot; empty: only where it is said
  bool typed = false;                     // its values have types of their own
  bool nested = false;                    // its text columns may be JSON objects and arrays
  bool text = true;                       // bytes that have an encoding
  bool anywhere = false;                  // read at any place: must lie unpacked in a store
  bool packs_itself = false;              // a gzip around it is a mistake of its sender
};

const std::vector<FormatTraits>& AllFormats();
const FormatTraits& TraitsOf(FileFormat format);
// Null: there is none of that name.
const FormatTraits* FormatNamed(std::string_view name);
// The format whose ending `path` has after a compression's is taken off; null: none.
const FormatTraits* FormatOfPath(std::string_view path);

// The dialect is CSV's. Errors: those of the formats' own Open….
Result<std::unique_ptr<RecordReader>> OpenRecords(FileFormat format, const ReadRequest& request, const CsvDialect& dialect);
// Columns of the file that request.schema() lacks, matched as its reader would, in file order.
Result<std::vector<contract::Field>> NewColumns(FileFormat format, const ReadRequest& request, const CsvDialect& dialect);

}  // namespace sluice::formats
