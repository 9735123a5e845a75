#pragma once
// Open rows of a quarantine table, as values.
#include <string>
#include <vector>

#include "core/result.h"
#include "engines/duckdb.h"
#include "formats/reader.h"
#include "ingest/ingest.h"

namespace sluice::ingest {

struct OpenRecord {
  std::string id;
  std::string raw;
  std::string format;  // RecordFormat's JSON
  std::string file;    // where it came from
  formats::RecordPlace place;
  int64_t batch = 0;      // that refused it
  bool cut = false;       // it was too long: `raw` is only its beginning
  std::string data_file;  // of the quarantine table: Add::path
};

// Ordered by batch, file and row. Errors: kUser "no-such-quarantine-row", "bad-predicate".
Result<std::vector<OpenRecord>> SelectOpen(engines::Connection& connection, store::ObjectStore& lake, const Target& quarantine,
                                           const std::vector<std::string>& ids, const std::string& where);

// What became of an open record.
struct Outcome {
  const OpenRecord* record = nullptr;
  std::string state;                            // open, replayed, discarded
  std::vector<contract::Violation> violations;  // why it is still open
};

// The quarantine table with those outcomes: its data files that hold one of the rows, written again.
Result<StagedTable> RewriteQuarantine(engines::Connection& connection, const Environment& environment, const Target& quarantine,
                                      const BatchIdentity& batch, const std::vector<Outcome>& outcomes);

// The data files of a quarantine table with open rows that a batch has taken the place of: those rows are `superseded` now.
struct Superseded {
  std::vector<tables::StagedFile> files;  // written again …
  std::vector<delta::Add> removed;        // … for these
  int64_t rows = 0;                       // that were open
};
// Of the files named, or (null) all. `quarantine` has a snapshot.
Result<Superseded> Supersede(engines::Connection& connection, const Environment& environment, const Target& quarantine,
                             const BatchIdentity& batch, const std::vector<std::string>* file_names);

}  // namespace sluice::ingest
