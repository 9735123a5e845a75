#pragma once
// Where do records come from? A source looks at its connection and offers what a batch may ingest now: files, or rows. It decides
// nothing about batches: what was ingested before comes in as a value, what is there comes out as one. See docs/connectors.md.
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "core/clock.h"
#include "core/result.h"
#include "formats/csv.h"
#include "formats/reader.h"
#include "sources/peer.h"
#include "sources/read.h"
#include "store/object_store.h"

namespace sluice::sources {

// A file as it was when a batch ingested it.
struct Seen {
  int64_t size = 0;
  std::string etag;
  std::string hash;     // of its contents (formats/content_hash.h); "" = not known
  std::string rows_of;  // it was skipped for its contents, which were ingested under this name; "" = its own
  bool operator==(const Seen&) const = default;
};
using Ledger = std::map<std::string, Seen>;  // by key under the connection's path

// One file of a batch, with all that was detected about it.
struct InputFile {
  store::ObjectMeta object;  // key under the connection's path
  std::string name;          // what _file and messages say; "" = the key
  formats::Compression compression = formats::Compression::kNone;
  formats::CsvDialect csv;          // format csv only
  bool same_header = false;         // it begins as a file before it, header included
  std::string encoding;             // of text, canonical; "" = UTF-8
  bool marked = false;              // its byte order mark says so
  std::vector<std::string> doubts;  // guesses that were accepted, and what is unsure about each
  formats::ArchiveMember member;    // of the object; without one, the object is the file
};

struct Skipped {
  std::string key, why;
};

// A file that brings nothing new: its contents were ingested before, at another time or under another name.
struct Known {
  std::string key;
  Seen seen;  // as a ledger should have it from now on
};

// What there is to ingest now.
struct Offer {
  std::vector<InputFile> files;       // in the order that decides which row is "first": as `order` says
  std::vector<std::string> changed;   // keys among `files` that were ingested before, with other contents
  std::vector<std::string> replaced;  // on_changed_file: replace: what _file says of the rows that go for them
  int64_t unchanged = 0;              // ingested before and the same
  std::vector<Skipped> skipped;       // matched the glob but are left out, and why; not those of `known`
  int64_t waiting = 0;                // of these, those that a later run may take: not settled, no done marker
  std::vector<Known> known;           // skipped for their contents
  std::vector<std::string> gone;      // keys of the ledger that are not there any more
  std::vector<Error> warnings;
};

// A source of files.
class FileSource {
 public:
  virtual ~FileSource() = default;

  // What a batch may ingest now, beyond what `ingested` holds; `again`: all files that are ready, these too. Deterministic for the same
  // contents. Errors: kUser "no-such-folder"; kData "changed-file" (on_changed_file: fail, naming all), "unsure-encoding",
  // "unsure-dialect", "corrupt-archive", "truncated-archive"; store errors.
  virtual Result<Offer> Look(const Ledger& ingested, Instant now, bool again = false) = 0;

  // Columns with types that hold for a sample of `files`, for a source without a contract. Same errors as reading.
  virtual Result<std::vector<contract::Field>> DetectColumns(const std::vector<InputFile>& files) = 0;

  // Where the keys of the files are read from; lives as long as the source.
  virtual store::ObjectStore& store() = 0;
};

// A part of what a batch takes of a source of rows; one thread reads it from its first row to its last.
struct RowSplit {
  std::string name;   // what _file and messages say: "public.users"
  std::string part;   // which part of it, in the connector's own words; "" = all
  int64_t bytes = 0;  // about
};

// What a batch takes of a source of rows.
struct RowPlan {
  std::string why;                 // for people: "a snapshot of public.users"
  std::vector<RowSplit> splits;    // none: there is nothing to take, and no batch is made
  std::vector<std::string> notes;  // for people
};

// A source of rows: a database, a program, an API, a queue. It keeps nothing between runs: where it goes on is the cursor, which the
// batch records hold.
class RowSource {
 public:
  virtual ~RowSource() = default;

  // The columns of the rows, with types that every value of theirs fits.
  virtual Result<std::vector<contract::Field>> Columns() = 0;

  // Of these, those that `request` lacks, in the types that such a column gets; by Columns() unless the source knows better.
  virtual Result<std::vector<contract::Field>> NewColumns(const formats::ReadRequest& request);

  // What comes after `cursor` ("null": from the beginning), with a fixed end where the peer can give one: what comes later is for the next
  // batch. The splits can be read as long as the source lives. Error kUser "other-cursor": it is of another table or query.
  virtual Result<RowPlan> Plan(const std::string& cursor) = 0;

  // The rows of a split as the columns of `request`, of which only what says how rows are decoded counts. Rows are numbered through the
  // batch. Callable from any thread; the readers must not outlive the source.
  virtual Result<std::unique_ptr<formats::RecordReader>> Read(const RowSplit& split, const formats::ReadRequest& request) = 0;

  // How many splits may be read at a time.
  virtual int max_readers() const = 0;

  // JSON: where the next batch begins, once this one is done. Asked for after every split was read to its end.
  virtual Result<std::string> CursorAfter() = 0;

  // The batch that took the rows up to `cursor` is done. May be called again, or never.
  virtual Status Acknowledge(const std::string& /*cursor*/) { return Ok(); }
};

// What a connector gets to know of the project. Referenced values must outlive the source.
struct SourceSpec {
  std::string connection_type;                // as the registry has it
  std::string scratch_dir;                    // a local folder; where rows must be kept before they are read
  std::string location;                       // of the connection: its path
  Peer peer;                                  // how the server is reached
  RowsRead rows;                              // what of it is read
  const std::atomic<bool>* cancel = nullptr;  // waiting for a peer ends with it; may be null
  Read read;
  const contract::Contract* contract = nullptr;  // names of columns help detection
  bool accept_guesses = false;                   // what is unsure about a file is no error: InputFile::doubts
};

// The connector of spec.connection_type, from the list in registry.cc. Errors: kUser "unknown-connection-type", also for a type of the
// other kind; those of connecting.
Result<std::unique_ptr<FileSource>> OpenSource(const SourceSpec& spec);
Result<std::unique_ptr<RowSource>> OpenRowSource(const SourceSpec& spec);
// Do connections of this type give rows, not files?
bool GivesRows(std::string_view connection_type);
// The types that OpenSource and OpenRowSource know.
std::vector<std::string> ConnectionTypes();

}  // namespace sluice::sources
