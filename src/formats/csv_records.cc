// Records that stand alone: refused ones, read again.
#include "formats/csv_block.h"

namespace sluice::formats {
namespace {

class OneBlock : public RecordReader {
 public:
  explicit OneBlock(std::unique_ptr<RawBlock> block) : block_(std::move(block)) {}
  Result<std::unique_ptr<RawBlock>> Next() override { return std::move(block_); }

 private:
  std::unique_ptr<RawBlock> block_;
};

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenCsvRecords(const ReadRequest& request, const CsvDialect& dialect,
                                                     const std::vector<std::string>& header, const std::vector<std::string>& records) {
  std::vector<std::string> names = header;
  for (size_t i = names.size(); !dialect.header && i < request.contract->columns.size(); ++i)
    names.push_back("column_" + std::to_string(i + 1));
  SLUICE_TRY(auto file, MakeCsvFile(request, dialect, names));
  size_t total = 0;
  for (const std::string& record : records) total += record.size() + 1;
  const std::shared_ptr<CsvBytes> bytes = CsvBytes::Make(total);
  RecordIndex index;
  index.fields = file->fields;
  for (const std::string& record : records) {
    const size_t begin = bytes->size;
    record.copy(bytes->data.get() + begin, record.size());
    bytes->size += record.size();
    ScanSingleRecord(bytes->data.get(), begin, bytes->size, dialect, file->fields, static_cast<size_t>(request.max_record_bytes), &index);
    bytes->data[bytes->size++] = '\n';
  }
  return std::make_unique<OneBlock>(
      std::make_unique<CsvBlock>(std::move(file), CsvSlice{bytes, 0, bytes->size}, std::move(index), CsvBlockPlace{}));
}

}  // namespace sluice::formats
