#pragma once
// What a source is told to read: its `read:`, as the project says it and the connectors take it.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/format.h"
#include "sources/http/settings.h"

namespace sluice::sources {

using formats::FileFormat;
enum class OnChangedFile { kFail, kIngest, kIgnore, kReplace };  // a file already ingested that has other contents since
enum class OnKnownContents { kSkip, kIngest };                   // a new name with the contents of a file already ingested
enum class FileOrder { kName, kModified };

// What of a source of rows is read: a table, what a query gives, what a program prints, or what an API answers.
struct RowsRead {
  std::string table;                                 // "public.users"
  std::string query;                                 // instead of it
  std::vector<std::string> command;                  // or a program and its arguments, of no database
  int64_t timeout_micros = 0, max_output_bytes = 0;  // of the program
  std::shared_ptr<const http::Read> http;            // or requests to an API
  std::vector<std::string> exclude;                  // columns that are never read
  std::vector<std::string> hash;                     // columns whose values leave the server only as their SHA-256
  bool incremental = false;                          // only what changed since the cursor
  std::string cursor;                                // the column that grows with every change; "" = none is known
  int64_t lookback = -1;                             // microseconds of a time, else units of a number; -1: the connector's own
  bool lookback_is_time = true;
  Location where;
};

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
  OnKnownContents on_renamed_file = OnKnownContents::kSkip;   // the old name is gone from the folder
  OnKnownContents on_copied_file = OnKnownContents::kIngest;  // the old name is still there, or there never was another
  FileOrder order = FileOrder::kName;                         // of the files in a batch
  int64_t settle_micros = 0;                                  // files modified within this time are left for the next run
  std::string done_marker;  // "{name}.done", "_SUCCESS": a file is left until this one stands beside it; "" = none is needed
  Location where;
};

}  // namespace sluice::sources
