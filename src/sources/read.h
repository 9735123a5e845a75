#pragma once
// What a source is told to read: its `read:`, as the project says it and the connectors take it.
#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"
#include "formats/format.h"

namespace sluice::sources {

using formats::FileFormat;
enum class OnChangedFile { kFail, kIngest, kIgnore };  // a file already ingested whose size or etag differs since

struct CsvPins {  // only what the project pins; the rest is detected
  std::optional<std::string> delimiter, quote, escape, comment;
  std::optional<bool> header;
  std::optional<int> skip;  // lines before the header or first record
  int header_rows = 1;      // with a header
  int footer = 0;           // lines behind the last record
};

struct Read {
  std::string files;  // glob under the connection's path
  FileFormat format = FileFormat::kCsv;
  std::string compression = "auto";  // auto, none, or as formats::ToString names it
  std::string members;               // of archives: a glob over their members' paths; "" = all
  std::string encoding;              // canonical (formats/encoding.h); "" = UTF-8, or what a byte order mark says
  CsvPins csv;
  formats::FormatOptions options;
  OnChangedFile on_changed_file = OnChangedFile::kFail;
  int64_t settle_micros = 0;  // files modified within this time are left for the next run
  Location where;
};

}  // namespace sluice::sources
