#pragma once
// What do the records of files hold? A pass over a sample, or all, of them that proposes a type for each column.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/result.h"
#include "sources/source.h"
#include "sources/text_profile.h"

namespace sluice::sources {

struct ColumnProfile {
  std::string field;  // its spelling in the file
  InferredType inferred;
  int64_t values = 0, nulls = 0;  // nulls: NULL, absent, or a word for nothing
  int64_t distinct_count = 0;
  std::map<std::string, int64_t> distinct;  // values and counts, where they are few
  std::vector<std::string> null_words;      // seen, and taken for NULL: "NULL", "N/A"
  std::string pattern;                      // of codes such as ORD0001234
  std::string pii;                          // "email", "phone", "name", …; "" = none that shows
  bool negative = false;
  int64_t misfits = 0;
  bool unique() const { return values > 0 && distinct_count == values; }
};

struct TableProfile {
  FileFormat format = FileFormat::kCsv;
  std::vector<ColumnProfile> columns;   // in the order of the file
  int64_t records = 0, unreadable = 0;  // unreadable: broken lines
  int64_t files = 0;
  bool whole = true;            // every record of every file was looked at
  std::vector<Misfit> misfits;  // a few of each column, broken records too
};

struct ProfileOptions {
  InferOptions infer;
  formats::FormatOptions format;
  int64_t max_bytes_per_file = 16 << 20;  // decompressed; 0: all
  int max_files = 20;                     // the first, the last, and others between
};

// Errors: those of reading; "no-files" where `files` is empty.
Result<TableProfile> ProfileFiles(store::ObjectStore& store, const std::vector<InputFile>& files, FileFormat format,
                                  const ProfileOptions& options);

// Columns with the narrowest type that every sampled value fits: only ISO dates and times, no formats. What does not fit later is
// refused by the contract that these columns become.
Result<std::vector<contract::Field>> DetectFields(store::ObjectStore& store, const std::vector<InputFile>& files, FileFormat format,
                                                  const formats::FormatOptions& format_options = {});

// What kind of personal data a column's name says: "email", "phone", "name", "address", "birth_date", "ip", "national_id", "bank".
std::string PiiOfName(std::string_view name);

}  // namespace sluice::sources
