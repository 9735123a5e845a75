#pragma once
// Bytes → typed rows. Every format gives the same thing: Arrow batches of the contract's types plus, for each row that could not
// be read right, violations and the raw record.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "core/result.h"
#include "store/object_store.h"

namespace arrow {
class RecordBatch;
class Schema;
}  // namespace arrow

namespace sluice::formats {

// Where a record stands in its file.
struct RecordPlace {
  int64_t row = 0;      // 1-based record number, header excluded
  int64_t line = 0;     // 1-based first physical line (0 where the format has none)
  int64_t offset = 0;   // byte offset in the decompressed file
};

struct DecodedBatch {
  // The contract's columns (then evolved new ones), in the plan's order. A field that could not be decoded is NULL here and has
  // a violation; its row is refused whatever on_fail says (a wrong type can't be stored).
  std::shared_ptr<arrow::RecordBatch> rows;
  int64_t first_row = 1;                          // record number of row 0; rows are consecutive
  std::vector<contract::Violation> violations;    // sorted by row
  // Place and raw bytes of row i; valid until the next batch is asked for. Only called for refused rows.
  std::function<RecordPlace(int64_t)> place;
  std::function<std::string(int64_t)> raw;
};

// What the file's columns are and how they map to the contract: made once per file before reading (pure).
struct ColumnPlan {
  struct Target {
    int contract_column = -1;     // index in contract.columns; -1: a new column (on_new_column: evolve)
    std::string file_name;        // the header's spelling
    contract::Field field;
  };
  std::vector<Target> by_file_position;   // CSV: one per field of a record; field.name empty = ignored
  std::vector<int> missing;               // contract columns that the file lacks
  contract::Schema schema;                // of DecodedBatch.rows
};

enum class Compression { kNone, kGzip, kZstd };
Compression DetectCompression(std::string_view file_name, std::string_view first_bytes);

// A stream of decompressed bytes of one object, read in bounded pieces.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills `buffer`; 0 = end. Errors: "corrupt-archive", "truncated-archive" (after having given the bytes before the break).
  virtual Result<size_t> Read(char* buffer, size_t capacity) = 0;
};
Result<std::unique_ptr<ByteSource>> OpenBytes(store::ObjectStore& store, const std::string& key, Compression compression);

}  // namespace sluice::formats
