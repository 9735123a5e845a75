#pragma once
// A stream of bytes → blocks of whole JSON documents, found by their brackets.
//
// A document ends with the bracket that closes its first. What can be no JSON on the way there (a bracket of the other kind, a line's end
// within a string, a bracket or string where neither may stand) breaks it: it then goes up to the next line that begins a document and is
// indented no deeper than the line on which the broken one began, and all of that is one record that is refused. Nothing else is lost.
#include <memory>
#include <string>
#include <vector>

#include "formats/ndjson_lines.h"

namespace sluice::formats {

class DocumentReader {
 public:
  // `uri` is for messages.
  // `encoding`: as for LineReader.
  DocumentReader(std::unique_ptr<ByteSource> source, int64_t block_bytes, int64_t max_record_bytes, std::string uri,
                 std::string encoding = "");
  // Null at the end. Error kData "truncated-file": the file ends within its array.
  Result<std::unique_ptr<LineBlock>> Next();

 private:
  enum class Mode { kBetween, kDocument, kString, kScalar, kResync };
  enum class Array { kNone, kOpen, kUnknown };  // kUnknown: its brackets may be among what was refused

  struct Indent {
    size_t blanks = 0;
    bool goes_on = true;  // nothing else was there yet
  };

  Status Fill();
  Indent IndentAt(size_t position);
  size_t NewlineBefore(size_t position);
  bool Scan();  // up to the end of a record; false: more bytes are needed
  bool ScanBetween();
  bool ScanDocument();
  bool ScanString();
  bool ScanScalar();
  bool ScanResync();
  void Begin(Mode mode);
  void Push(char bracket);
  bool Pop(char bracket);  // false: it closes one of the other kind
  bool MayOpen(char c) const;
  void Break(std::string why);
  void EndRecord(size_t end);
  void Shorten();
  Status AtEnd();
  std::unique_ptr<LineBlock> Cut();
  int32_t LineOf(size_t position);

  std::unique_ptr<ByteSource> source_;
  size_t block_bytes_, max_record_bytes_;
  std::string uri_;
  SourceSize source_size_of_;
  std::string pending_;  // begins with the block
  size_t at_ = 0;        // scanned up to here
  bool ended_ = false, first_ = true;

  Mode mode_ = Mode::kBetween;
  Array array_ = Array::kNone;
  int64_t array_line_ = 0;
  size_t record_begin_ = 0, indent_ = 0;
  Indent before_block_;                              // of the line that the block begins in
  size_t looked_ = 0, newline_ = std::string::npos;  // the last line's end before `looked_`
  size_t sized_ = 0;                                 // bytes before the last record …
  int64_t source_size_ = 0;                          // … and what they are in the file's own encoding
  int64_t depth_ = 0;
  std::vector<bool> is_array_;  // the brackets that are open, up to a depth
  char before_ = 0;             // the last byte of the document that is no white space
  std::string broken_;          // why
  size_t broken_at_ = 0;
  bool within_line_ = false;  // looking for the end of a line that begins no document
  bool cut_ = false;          // the record was too long: its middle is gone

  std::vector<LineBlock::Line> lines_;
  std::vector<LineBlock::Wrong> wrong_;
  size_t counted_ = 0;      // line ends before it are counted in `line_`
  int64_t line_ = 1;        // of the byte at counted_
  int64_t block_line_ = 1;  // of the block's first byte
  int64_t row_ = 1, offset_ = 0, removed_ = 0;
};

}  // namespace sluice::formats
