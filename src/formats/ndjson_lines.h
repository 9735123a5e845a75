#pragma once
// A stream of bytes → blocks of whole lines.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/encoding.h"
#include "formats/reader.h"

namespace sluice::formats {

inline constexpr size_t kJsonPadding = 64;  // readable bytes that simdjson wants behind a text

// Non-empty lines, one record each.
struct LineBlock {
  struct Line {
    uint32_t begin = 0, length = 0;  // without its end (LF, CRLF)
    int32_t number = 0;              // physical line, counted from first_line
    bool cut = false;                // longer than max_record_bytes: only its beginning is in the text
    int64_t source_begin = 0;        // `begin`, in the file's own encoding
    int32_t wrong = -1;              // index in `wrong`: the record cannot be read, and why
  };
  std::string bytes;  // padded by kJsonPadding
  std::vector<Line> lines;
  struct Wrong {
    std::string rule, message;
  };
  std::vector<Wrong> wrong;
  std::vector<int64_t> offsets;                       // of each line in the file, where the texts are not the file's own
  int64_t first_row = 1, first_line = 1, offset = 0;  // record number, line and byte offset of the block's beginning

  int64_t offset_of(const Line& line) const { return offset + line.source_begin; }
  std::string_view text(size_t i) const { return {bytes.data() + lines[i].begin, lines[i].length}; }
};

class LineReader {
 public:
  // `encoding`: the file's own, for offsets in it; the source gives UTF-8.
  LineReader(std::unique_ptr<ByteSource> source, int64_t block_bytes, int64_t max_record_bytes, std::string encoding = "");
  // Null at the end. An error of the source comes after the lines that were whole before it.
  Result<std::unique_ptr<LineBlock>> Next();
  // Passes physical lines; before the first Next.
  Status SkipLines(int64_t count);

 private:
  Status Fill();
  Status DiscardLine();
  std::unique_ptr<LineBlock> Cut(size_t size, bool cut);

  std::unique_ptr<ByteSource> source_;
  size_t block_bytes_, max_record_bytes_;
  SourceSize source_size_of_;
  std::string pending_;
  size_t searched_ = 0;  // pending_ has no newline before it
  bool ended_ = false, first_ = true;
  int64_t row_ = 1, line_ = 1, offset_ = 0;
};

}  // namespace sluice::formats
