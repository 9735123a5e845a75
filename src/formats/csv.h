#pragma once
// Delimited text → blocks of records → typed columns.
//
// What a record is: fields split by the delimiter, ended by LF, CRLF or a lone CR outside of quotes, or the end of the file. A
// quote opens a quoted field only as its first byte; inside, a doubled quote (or escape + quote) is a quote, and the closing
// quote is followed by a delimiter, a record's end or the end of the file. Anything else is a stray quote: the record is refused
// (rule "quote"), and reading goes on after its end; if the quoted field had run over a line's end, its opening quote is taken
// to be the stray one: the record ends with its first line, and the lines after it are read as records of their own. The same holds
// for a quote that is never closed, or not within max_record_bytes. Quotes inside an unquoted field are ordinary bytes.
// A record with too few or too many fields is refused (rule "fields"), one with invalid UTF-8 or a NUL byte too (rule
// "encoding"). Empty lines are skipped (but in a file of one column, where they are records); a line that starts with the comment
// character is skipped.
//
// Names: several header rows give each field their texts, joined by a blank; an empty one takes the text to its left, where that
// stands above several fields. A field without a name is "column_N"; the last ones, which only delimiters at the lines' ends make,
// stay without: a value there is refused (rule "new_column") unless on_new_column is freeze.
#include <memory>
#include <string>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

struct CsvDialect {
  char delimiter = ',';
  char quote = '"';     // '\0': none
  char escape = '"';    // equal to quote: a doubled quote; '\0': a quote ends its field
  char comment = '\0';  // '\0': none
  bool header = true;
  int skip = 0;                     // physical lines before the header or the first record
  int header_rows = 1;              // with a header: so many records are it
  int footer = 0;                   // the last lines, empty ones not counted, are no records
  bool trailing_delimiter = false;  // each record ends with a delimiter that the header lacks
  bool header_delimiter = false;    // the header ends with a delimiter that the records lack
  std::string delimiter_rest;       // what follows `delimiter` in one of several bytes: "|" of "||"

  size_t delimiter_size() const { return 1 + delimiter_rest.size(); }
  std::string delimiter_text() const { return delimiter + delimiter_rest; }
  bool operator==(const CsvDialect&) const = default;
};

// Errors: those of PlanColumns; kData "bad-header"; kUser "encoding-not-installed". "empty-file" is none: no rows.
// `header` gets what ReadCsvHeader gives, of a file that has one.
Result<std::unique_ptr<RecordReader>> OpenCsv(const ReadRequest& request, const CsvDialect& dialect,
                                              std::vector<std::string>* header = nullptr);

// Records that each stand alone, in one block: record i is row i, whatever quotes it holds. `header`: the file's, where it had one.
Result<std::unique_ptr<RecordReader>> OpenCsvRecords(const ReadRequest& request, const CsvDialect& dialect,
                                                     const std::vector<std::string>& header, const std::vector<std::string>& records);

// The header's names; without a header the count of the first record's fields as "column_1", …. `as_written`: a field that has no
// name in the file has none here.
Result<std::vector<std::string>> ReadCsvHeader(const ReadRequest& request, const CsvDialect& dialect, bool as_written = false);
// Columns of the file that the request lacks: strings.
Result<std::vector<contract::Field>> NewCsvColumns(const ReadRequest& request, const CsvDialect& dialect);

}  // namespace sluice::formats
