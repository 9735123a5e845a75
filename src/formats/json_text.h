#pragma once
// Records that come as other things than JSON, written as JSON lines: gathered until they are a block.
#include <memory>
#include <string>
#include <string_view>

#include "core/json_text.h"
#include "formats/ndjson_lines.h"

namespace sluice::formats {

class JsonLines {
 public:
  // The record just finished: its JSON text, and where it stands. `wrong` has a rule where it must be refused.
  void Add(std::string_view json, int64_t line, int64_t offset, LineBlock::Wrong wrong = {});
  size_t bytes() const { return block_ == nullptr ? 0 : block_->bytes.size(); }
  bool empty() const { return block_ == nullptr; }
  std::unique_ptr<LineBlock> Take();

 private:
  std::unique_ptr<LineBlock> block_;
  int64_t row_ = 1;
};

}  // namespace sluice::formats
