#include "formats/json_text.h"

namespace sluice::formats {

void JsonLines::Add(std::string_view json, int64_t line, int64_t offset, LineBlock::Wrong wrong) {
  if (block_ == nullptr) {
    block_ = std::make_unique<LineBlock>();
    block_->first_row = row_;
    block_->first_line = line;
  }
  LineBlock::Line one;
  one.begin = static_cast<uint32_t>(block_->bytes.size());
  one.length = static_cast<uint32_t>(json.size());
  one.number = static_cast<int32_t>(line - block_->first_line);
  if (!wrong.rule.empty()) {
    one.wrong = static_cast<int32_t>(block_->wrong.size());
    block_->wrong.push_back(std::move(wrong));
  }
  block_->lines.push_back(one);
  block_->offsets.push_back(offset);
  (block_->bytes += json) += '\n';
  ++row_;
}

std::unique_ptr<LineBlock> JsonLines::Take() {
  if (block_ != nullptr) block_->bytes.append(kJsonPadding, ' ');
  return std::move(block_);
}

}  // namespace sluice::formats
