#include "formats/json_lines_block.h"

#include <arrow/record_batch.h>

#include <utility>

#include "formats/cut_record.h"
#include "formats/json_columns.h"

namespace sluice::formats {
namespace {

class JsonTexts : public RawBlock {
 public:
  JsonTexts(std::shared_ptr<const LineBlock> block, std::shared_ptr<const FieldShape> shape, int64_t max_record_bytes)
      : block_(std::move(block)), shape_(std::move(shape)), max_record_bytes_(max_record_bytes) {}

  Result<DecodedBatch> Decode() override {
    JsonColumns columns(*shape_);
    for (size_t i = 0; i < block_->lines.size(); ++i) {
      const LineBlock::Line& line = block_->lines[i];
      if (line.wrong >= 0) {
        const LineBlock::Wrong& wrong = block_->wrong[static_cast<size_t>(line.wrong)];
        columns.Refuse(block_->text(i), wrong.rule, wrong.message);
      } else if (line.cut) {
        columns.Refuse(block_->text(i), "length", CutRecordMessage(max_record_bytes_));
      } else {
        columns.Append(block_->text(i));
      }
    }
    DecodedBatch batch;
    SLUICE_TRY(batch.rows, columns.Finish(&batch.violations));
    batch.new_columns = columns.met_new_columns();
    batch.first_row = block_->first_row;
    batch.place = [block = block_](int64_t row) {
      const auto i = static_cast<size_t>(row);
      const LineBlock::Line& line = block->lines[i];
      const int64_t offset = block->offsets.empty() ? block->offset_of(line) : block->offsets[i];
      return RecordPlace{block->first_row + row, block->first_line + line.number, offset};
    };
    batch.raw = [block = block_](int64_t row) { return std::string(block->text(static_cast<size_t>(row))); };
    return batch;
  }

 private:
  std::shared_ptr<const LineBlock> block_;
  std::shared_ptr<const FieldShape> shape_;
  int64_t max_record_bytes_;
};

}  // namespace

std::unique_ptr<RawBlock> JsonBlock(std::shared_ptr<const LineBlock> block, std::shared_ptr<const FieldShape> shape,
                                    int64_t max_record_bytes) {
  return std::make_unique<JsonTexts>(std::move(block), std::move(shape), max_record_bytes);
}

}  // namespace sluice::formats
