#pragma once
// Bytes → typed rows. Every format gives the same thing: Arrow batches of the contract's types plus, for each row that could not
// be read right, violations and the raw record.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "contract/text_dictionary.h"
#include "core/result.h"
#include "formats/format_options.h"
#include "store/object_store.h"

namespace arrow {
class RecordBatch;
class Schema;
}  // namespace arrow

namespace sluice::formats {

// Where a record stands in its file.
struct RecordPlace {
  int64_t row = 0;     // 1-based record number, header excluded
  int64_t line = 0;    // 1-based first physical line (0 where the format has none)
  int64_t offset = 0;  // byte offset in the decompressed file, in its own encoding
};

struct DecodedBatch {
  // The columns of ReadRequest::schema(), in its order. A field that could not be decoded is NULL here and has a violation; its
  // row is refused whatever on_fail says (a wrong type can't be stored). A record that could not be split (fields, quote,
  // encoding, broken JSON) is a row of NULLs with one violation whose column is empty. Rules are not checked yet.
  std::shared_ptr<arrow::RecordBatch> rows;
  int64_t first_row = 1;                        // record number of row 0; rows are consecutive
  std::vector<contract::Violation> violations;  // sorted by row; at most one per (row, column)
  // Place and raw bytes of row i. They own what they need: callable from any thread as long as they live.
  std::function<RecordPlace(int64_t)> place;
  std::function<std::string(int64_t)> raw;
  // Some record has a field that New…Columns would make a column of: of formats that have to read all records to know.
  bool new_columns = false;
};

enum class Compression { kNone, kGzip, kZstd, kBzip2, kXz, kZip };
Compression DetectCompression(std::string_view file_name, std::string_view first_bytes);

// A stream of decompressed bytes of one object, read in bounded pieces.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills `buffer`; 0 = end. Errors: "corrupt-archive", "truncated-archive" (after having given the bytes before the break).
  virtual Result<size_t> Read(char* buffer, size_t capacity) = 0;
  // How many bytes are left, where that is known: so that nobody makes room for a large file to read a small one.
  virtual std::optional<int64_t> size_left() const { return std::nullopt; }
};

// One file of an archive of several (zip), and where the archive's directory has it. Without a path: none, the object is the file.
struct ArchiveMember {
  std::string path;
  uint64_t directory_offset = 0, number = 0;
  explicit operator bool() const { return !path.empty(); }
};

// Whole records of one file, taken off it but not decoded yet.
class RawBlock {
 public:
  virtual ~RawBlock() = default;
  // May run on any thread, beside other blocks' Decode and later calls of the reader's Next. Called once.
  virtual Result<DecodedBatch> Decode() = 0;
};

// One file's records. Every format has an Open… that gives one: OpenCsv (csv.h), OpenNdjson (ndjson.h), OpenParquet (parquet.h).
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // The next block, in file order; null at the end. One caller at a time: do the cheap part here (read, find the records' ends,
  // count them) and the costly one in Decode. Errors end the file: what is wrong with one record is a violation instead.
  virtual Result<std::unique_ptr<RawBlock>> Next() = 0;
};

// The reader of a file that has none.
std::unique_ptr<RecordReader> NoRecords();

// What to read and as what. The referenced values must outlive the reader.
struct ReadRequest {
  store::ObjectStore* store = nullptr;
  std::string key;
  Compression compression = Compression::kNone;
  const contract::Contract* contract = nullptr;
  // Columns beyond the contract's that the rows carry (on_new_column: evolve): those the table has already, then those new in
  // this batch. NULL where this file lacks them.
  std::vector<contract::Field> extra;
  int64_t block_bytes = 1 << 20;        // of decompressed input per block, about
  int64_t max_record_bytes = 64 << 20;  // a longer record is a violation (rule "length") that keeps its first 64 KiB
  // One for each column of schema(), or none at all: texts may come as dictionary arrays. Null: this column's may not.
  std::vector<std::shared_ptr<contract::TextDictionary>> dictionaries;
  std::string encoding;  // of text formats, canonical (encoding.h); "" = UTF-8
  ArchiveMember member;  // of the object at `key`; `compression` is then the member's own
  FormatOptions options;
  std::string shown;                          // what messages call the file; "" = its URI
  std::string scratch_dir;                    // for what must be unpacked to be read at any place; "" = the system's
  const store::ObjectMeta* object = nullptr;  // as it was listed: no other is read (OpenBytes). Null: as it is now
  size_t max_columns = 100'000;               // New…Columns gives no more than one beyond it: whoever asks refuses the file
  std::string* content_hash = nullptr;  // as OpenBytes has it; formats that do not read from the first byte to the last leave it alone
  // The contract's columns (all nullable: rules are checked later), then `extra`.
  contract::Schema schema() const;
};
// The file's bytes, of a member or of the object itself, decompressed. Errors: beside those of ByteSource "file-changed-while-read", also
// where it is not `object` any more. `content_hash` gets the hash of the object as it is stored (content_hash.h) once its end was read, and
// nothing of a member; it must outlive the source.
Result<std::unique_ptr<ByteSource>> OpenBytes(const ReadRequest& request);
// The object of the request: as it was listed, else as it is now.
Result<store::ObjectMeta> ObjectOf(const ReadRequest& request);
// Error kRetryable "file-changed-while-read": it is another one now.
Status CheckUnchanged(store::ObjectStore& store, const store::ObjectMeta& before);
// What messages call the file.
std::string NameOf(const ReadRequest& request);

// Beside each Open… stands New…Columns(request) → Result<std::vector<contract::Field>>: columns of the file that request.schema()
// does not have, matched as the reader would, in file order. Text formats without types give string.

}  // namespace sluice::formats
