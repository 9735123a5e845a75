#include "formats/ndjson_lines.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/profile.h"
#include "core/text.h"
#include "formats/cut_record.h"
#include "formats/encoding.h"

namespace sluice::formats {

LineReader::LineReader(std::unique_ptr<ByteSource> source, int64_t block_bytes, int64_t max_record_bytes, std::string encoding)
    : source_(std::move(source)),
      block_bytes_(
          static_cast<size_t>(std::clamp<int64_t>(source_->size_left().value_or(INT64_MAX - 1) + 1, 1, std::max<int64_t>(block_bytes, 1)))),
      max_record_bytes_(static_cast<size_t>(std::clamp<int64_t>(max_record_bytes, 1, 1 << 30))),
      source_size_of_(encoding) {}

Status LineReader::Fill() {
  const size_t before = pending_.size();
  pending_.resize(before + block_bytes_);
  Result<size_t> n = [&] {
    const StageTimer timer(Stage::kRead);
    return source_->Read(pending_.data() + before, block_bytes_);
  }();
  pending_.resize(before + n.value_or(0));
  if (!n) return Fail(std::move(n).error());
  ended_ = *n == 0;
  if (first_ && (pending_.size() >= 3 || ended_)) {
    first_ = false;
    if (pending_.starts_with("\xef\xbb\xbf")) {
      offset_ += source_size_of_.Of("\xef\xbb\xbf");
      pending_.erase(0, 3);
    }
  }
  return Ok();
}

Result<std::unique_ptr<LineBlock>> LineReader::Next() {
  while (true) {
    const size_t newline = pending_.find('\n', searched_);
    const bool enough = newline != std::string::npos && !first_ && pending_.size() >= std::min(block_bytes_, max_record_bytes_);
    if (enough) return Cut(pending_.rfind('\n') + 1, false);
    if (newline == std::string::npos && pending_.size() > max_record_bytes_ + 1) {  // a CR at the end is not the line's
      auto block = Cut(pending_.size(), true);
      SLUICE_CHECK(DiscardLine());
      return block;
    }
    if (ended_) break;
    if (newline == std::string::npos) searched_ = pending_.size();
    if (Status filled = Fill(); !filled) {
      const size_t last = pending_.rfind('\n');
      if (last == std::string::npos) return Fail(std::move(filled).error());
      return Cut(last + 1, false);  // the source gives its error again when asked next
    }
  }
  if (pending_.empty()) return std::unique_ptr<LineBlock>();
  return Cut(pending_.size(), false);
}

Status LineReader::SkipLines(int64_t count) {
  for (; count > 0; --count) {
    if (pending_.empty() && !ended_) SLUICE_CHECK(Fill());
    if (pending_.empty()) return Ok();
    SLUICE_CHECK(DiscardLine());
  }
  return Ok();
}

// Drops what belongs to a line that was cut.
Status LineReader::DiscardLine() {
  while (true) {
    const size_t newline = pending_.find('\n');
    const size_t drop = newline == std::string::npos ? pending_.size() : newline + 1;
    offset_ += source_size_of_.Of(std::string_view(pending_).substr(0, drop));
    pending_.erase(0, drop);
    if (newline != std::string::npos || ended_) break;
    SLUICE_CHECK(Fill());
  }
  ++line_;
  return Ok();
}

std::unique_ptr<LineBlock> LineReader::Cut(size_t size, bool cut) {
  auto block = std::make_unique<LineBlock>();
  block->first_row = row_;
  block->first_line = line_;
  block->offset = offset_;
  std::string rest = pending_.substr(size);
  block->bytes = std::exchange(pending_, std::move(rest));
  block->bytes.resize(size);
  const char* const data = block->bytes.data();
  int32_t number = 0;
  int64_t source_begin = 0;
  for (size_t begin = 0; begin < size; ++number) {
    const void* found = std::memchr(data + begin, '\n', size - begin);
    const size_t end = found == nullptr ? size : static_cast<size_t>(static_cast<const char*>(found) - data);
    size_t length = end - begin;
    if (length > 0 && data[begin + length - 1] == '\r') --length;
    const bool too_long = cut || length > max_record_bytes_;
    if (too_long) length = KeptOfCutRecord({data + begin, std::min(length, max_record_bytes_)});
    if (too_long || !Trim({data + begin, length}).empty())
      block->lines.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(length), number, too_long, source_begin});
    source_begin += source_size_of_.Of({data + begin, std::min(end + 1, size) - begin});
    begin = end + 1;
  }
  if (cut) block->bytes.resize(block->lines.back().length);
  row_ += static_cast<int64_t>(block->lines.size());
  line_ += cut ? 0 : number;
  offset_ += source_begin;
  searched_ = 0;
  block->bytes.append(kJsonPadding, ' ');
  return block;
}

}  // namespace sluice::formats
