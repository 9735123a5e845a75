#pragma once
// Where records and fields stand in a block of delimited text. The rules are csv.h's. Pure.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "formats/csv.h"

namespace sluice::formats {

// A record that could not be split into its fields.
struct BadRecord {
  uint32_t record = 0;    // index in RecordIndex
  uint32_t end = 0;       // its text is [starts[record], end)
  const char* rule = "";  // "fields", "quote", "length"
  std::string message;
};

// Fields of record r: field c is [c == 0 ? starts[r] : ends[r*fields + c-1] + D, ends[r*fields + c]), quotes included, where D is the
// delimiter's size. All fields of a bad record are empty.
struct RecordIndex {
  uint32_t fields = 0;
  std::vector<uint32_t> starts;
  std::vector<uint32_t> ends;
  std::vector<BadRecord> bad;  // by record
  size_t size() const { return starts.size(); }
};

struct ScanResult {
  size_t consumed = 0;      // bytes of whole records (and what is skipped between them)
  bool discarding = false;  // a record beyond max_record_bytes was cut: what follows belongs to it, up to and with its line's end
};

// Scans `size` bytes that begin at a record's start. `final`: nothing follows them. `bytes` must be readable for 64 bytes beyond
// `size`. At most 4 GiB. Nothing consumed: the bytes end within the first record, and there are less than max_record_bytes + 64.
ScanResult ScanRecords(const char* bytes, size_t size, bool final, const CsvDialect& dialect, uint32_t fields, size_t max_record_bytes,
                       RecordIndex* index);
// The same by one byte after the other: what ScanRecords is tested against, and what it falls back to.
ScanResult ScanRecordsSlowly(const char* bytes, size_t size, bool final, const CsvDialect& dialect, uint32_t fields,
                             size_t max_record_bytes, RecordIndex* index);

// Adds exactly one record: bytes [begin, end), whatever they hold. A terminator at their end is passed.
void ScanSingleRecord(const char* bytes, size_t begin, size_t end, const CsvDialect& dialect, uint32_t fields, size_t max_record_bytes,
                      RecordIndex* index);

// The record at the front, whatever its number of fields: a header. The same needs of `bytes`.
struct FrontRecord {
  bool complete = false;  // else more bytes are needed
  size_t consumed = 0;
  std::vector<std::string> fields;  // without quotes; none for an empty line or a comment
  std::string bad;                  // why it cannot be split
};
FrontRecord TakeFrontRecord(const char* bytes, size_t size, bool final, const CsvDialect& dialect, size_t max_record_bytes);

// What stands inside the quotes of a field, without its escapes, into `out` (room for inside.size() bytes). Returns its size.
size_t UnescapeInto(std::string_view inside, const CsvDialect& dialect, char* out);
// A field's text without its quotes and escapes.
std::string UnquoteField(std::string_view field, const CsvDialect& dialect);

}  // namespace sluice::formats
