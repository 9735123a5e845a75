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
#include <memory>
#include <string>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

struct CsvDialect {
  char delimiter = ',';
  char quote = '"';     // '\0': none
  char escape = '"';    // equal to quote: a doubled quote
  char comment = '\0';  // '\0': none
  bool header = true;
  int skip = 0;  // physical lines before the header or the first record
  bool operator==(const CsvDialect&) const = default;
};

// Errors: those of PlanColumns; kData "unsupported-encoding" (UTF-16 or UTF-32 by its byte order mark), "empty-file" is none: no rows.
// `header` gets what ReadCsvHeader gives, of a file that has one.
Result<std::unique_ptr<RecordReader>> OpenCsv(const ReadRequest& request, const CsvDialect& dialect,
                                              std::vector<std::string>* header = nullptr);

// Records that each stand alone, in one block: record i is row i, whatever quotes it holds. `header`: the file's, where it had one.
Result<std::unique_ptr<RecordReader>> OpenCsvRecords(const ReadRequest& request, const CsvDialect& dialect,
                                                     const std::vector<std::string>& header, const std::vector<std::string>& records);

// The header's names, trimmed; without a header the count of the first record's fields as "column_1", ….
Result<std::vector<std::string>> ReadCsvHeader(const ReadRequest& request, const CsvDialect& dialect);
// Columns of the file that the request lacks: strings.
Result<std::vector<contract::Field>> NewCsvColumns(const ReadRequest& request, const CsvDialect& dialect);

}  // namespace sluice::formats
