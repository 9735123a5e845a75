#pragma once
// A block of split records → typed columns.
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "contract/text_decoder.h"
#include "formats/column_plan.h"
#include "formats/csv.h"
#include "formats/csv_scan.h"

namespace sluice::formats {

// What all blocks of a file share. Immutable.
struct CsvFile {
  CsvDialect dialect;
  std::string encoding;  // ReadRequest's
  const contract::Contract* contract = nullptr;
  ColumnPlan plan;
  std::vector<contract::TextDecoder> decoders;                          // one per plan column
  std::vector<std::shared_ptr<contract::TextDictionary>> dictionaries;  // the same, or none
  uint32_t fields = 0;                                                  // of a record
};
Result<std::shared_ptr<const CsvFile>> MakeCsvFile(const ReadRequest& request, const CsvDialect& dialect,
                                                   const std::vector<std::string>& names);

// Bytes that blocks own; readable for 64 bytes beyond `size`.
struct CsvBytes {
  std::unique_ptr<char[]> data;
  size_t size = 0, capacity = 0;
  static std::unique_ptr<CsvBytes> Make(size_t capacity);
};

// Makes bytes out of those that no block owns any more: their memory has been touched before.
class CsvBytesPool {
 public:
  CsvBytesPool() : spares_(std::make_shared<Spares>()) {}
  // `capacity` or more.
  std::shared_ptr<CsvBytes> Make(size_t capacity);

 private:
  struct Spares {
    std::mutex mutex;
    std::vector<std::unique_ptr<CsvBytes>> bytes;
  };
  std::shared_ptr<Spares> spares_;
};

// What a block looks at: several may share one buffer.
struct CsvSlice {
  std::shared_ptr<const CsvBytes> bytes;
  size_t begin = 0, size = 0;
  const char* data() const { return bytes->data.get() + begin; }
};

struct CsvBlockPlace {
  int64_t first_row = 1, first_line = 1, first_offset = 0;  // of the first byte of the slice
};

class CsvBlock : public RawBlock {
 public:
  CsvBlock(std::shared_ptr<const CsvFile> file, CsvSlice slice, RecordIndex index, CsvBlockPlace place);
  Result<DecodedBatch> Decode() override;

 private:
  struct Content;
  std::shared_ptr<Content> content_;
};

}  // namespace sluice::formats
