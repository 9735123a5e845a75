#include "formats/json_documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/profile.h"
#include "core/text.h"
#include "formats/cut_record.h"
#include "formats/encoding.h"

namespace sluice::formats {
namespace {

constexpr size_t kKnownDepth = 4096;  // deeper brackets are counted, not told apart; such a record is refused anyway

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

DocumentReader::DocumentReader(std::unique_ptr<ByteSource> source, int64_t block_bytes, int64_t max_record_bytes, std::string uri,
                               std::string encoding)
    : source_(std::move(source)),
      block_bytes_(static_cast<size_t>(std::max<int64_t>(block_bytes, 1))),
      max_record_bytes_(static_cast<size_t>(std::clamp<int64_t>(max_record_bytes, 1, 1 << 30))),
      uri_(std::move(uri)),
      source_size_of_(encoding) {}

Status DocumentReader::Fill() {
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
    if (pending_.starts_with("\xef\xbb\xbf")) at_ = 3;
  }
  return Ok();
}

Result<std::unique_ptr<LineBlock>> DocumentReader::Next() {
  while (true) {
    while (!first_ && Scan()) {
      const LineBlock::Line& last = lines_.back();
      if (last.begin + last.length >= block_bytes_ || last.cut) return Cut();
    }
    if (mode_ != Mode::kBetween) Shorten();
    if (!lines_.empty() && (ended_ || pending_.size() >= block_bytes_)) return Cut();
    if (mode_ == Mode::kBetween && at_ >= block_bytes_) (void)Cut();  // nothing but white space
    if (ended_) {
      SLUICE_CHECK(AtEnd());
      if (lines_.empty()) return std::unique_ptr<LineBlock>();
      return Cut();
    }
    if (Status filled = Fill(); !filled) {
      if (lines_.empty()) return Fail(std::move(filled).error());
      return Cut();  // the source gives its error again when asked next
    }
  }
}

bool DocumentReader::Scan() {
  while (true) {
    const size_t records = lines_.size();
    bool goes_on = false;
    switch (mode_) {
      case Mode::kBetween:
        goes_on = ScanBetween();
        break;
      case Mode::kDocument:
        goes_on = ScanDocument();
        break;
      case Mode::kString:
        goes_on = ScanString();
        break;
      case Mode::kScalar:
        goes_on = ScanScalar();
        break;
      case Mode::kResync:
        goes_on = ScanResync();
        break;
    }
    if (lines_.size() > records) return true;
    if (!goes_on) return false;
  }
}

bool DocumentReader::ScanBetween() {
  for (; at_ < pending_.size(); ++at_) {
    const char c = pending_[at_];
    if (IsBlank(c) || c == ',' || c == '\x1e') continue;  // RFC 7464 puts a record separator before each
    if (c == ']' && array_ != Array::kNone) {
      array_ = Array::kNone;
      continue;
    }
    if (c == '[' && array_ == Array::kNone) {
      array_ = Array::kOpen;
      array_line_ = block_line_ + LineOf(at_);
      continue;
    }
    const bool opens = c == '{' || c == '[';
    Begin(opens ? Mode::kDocument : c == '"' ? Mode::kString : Mode::kScalar);
    if (opens) Push(c);
    if (c == ']' || c == '}') Break("a bracket closes what none opened");
    ++at_;
    return true;
  }
  return false;
}

void DocumentReader::Begin(Mode mode) {
  mode_ = mode;
  record_begin_ = at_;
  indent_ = IndentAt(at_).blanks;
  depth_ = 0;
  is_array_.clear();
  before_ = 0;
  broken_.clear();
  cut_ = false;
}

// What was looked through once is not again, as long as positions grow: a line may be long.
size_t DocumentReader::NewlineBefore(size_t position) {
  if (position < looked_) return position == 0 ? std::string::npos : pending_.rfind('\n', position - 1);
  const size_t found = std::string_view(pending_).substr(looked_, position - looked_).rfind('\n');
  if (found != std::string_view::npos) newline_ = looked_ + found;
  looked_ = position;
  return newline_;
}

// Of the line that `position` stands in, up to there.
DocumentReader::Indent DocumentReader::IndentAt(size_t position) {
  const size_t newline = NewlineBefore(position);
  Indent indent = newline == std::string::npos ? before_block_ : Indent{};
  for (size_t at = newline == std::string::npos ? 0 : newline + 1; at < position && indent.goes_on; ++at) {
    indent.goes_on = pending_[at] == ' ' || pending_[at] == '\t';
    indent.blanks += indent.goes_on;
  }
  return indent;
}

void DocumentReader::Push(char bracket) {
  ++depth_;
  if (is_array_.size() < kKnownDepth) is_array_.push_back(bracket == '[');
  before_ = bracket;
}

bool DocumentReader::Pop(char bracket) {
  if (static_cast<size_t>(depth_) <= is_array_.size()) {
    if (is_array_.back() != (bracket == ']')) return false;
    is_array_.pop_back();
  }
  --depth_;
  before_ = bracket;
  return true;
}

// A bracket or a string stands at the beginning, behind a comma, or (in an object) behind a colon; no bracket is a key.
bool DocumentReader::MayOpen(char c) const {
  if (static_cast<size_t>(depth_) > is_array_.size()) return true;
  if (is_array_.back()) return before_ == '[' || before_ == ',';
  return before_ == ':' || (c == '"' && (before_ == '{' || before_ == ','));
}

bool DocumentReader::ScanDocument() {
  for (; at_ < pending_.size(); ++at_) {
    const char c = pending_[at_];
    switch (c) {
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        continue;
      case '"':
      case '{':
      case '[':
        if (!MayOpen(c)) {
          Break(fmt::format("a {} where none may begin", c == '"' ? "string" : c == '{' ? "object" : "array"));
          return true;
        }
        if (c != '"') {
          Push(c);
          continue;
        }
        mode_ = Mode::kString;
        ++at_;
        return true;
      case '}':
      case ']':
        if (!Pop(c)) {
          Break(fmt::format("a {} closes a bracket of the other kind", c));
          return true;
        }
        if (depth_ > 0) continue;
        ++at_;
        EndRecord(at_);
        return true;
      default:
        before_ = c;
    }
  }
  return false;
}

bool DocumentReader::ScanString() {
  while (true) {
    at_ = std::min(pending_.find_first_of("\"\\\n", at_), pending_.size());
    if (at_ == pending_.size()) return false;
    if (pending_[at_] == '"') break;
    if (pending_[at_] == '\n') {
      Break("a string is not closed at the end of its line");
      return true;
    }
    if (at_ + 1 == pending_.size()) return false;  // what is escaped is not here yet
    at_ += pending_[at_ + 1] == '\n' ? 1 : 2;
  }
  before_ = '"';
  ++at_;
  mode_ = Mode::kDocument;
  if (depth_ == 0) EndRecord(at_);  // a string in the place of an object
  return true;
}

// A value in the place of an object: it ends where another may begin.
bool DocumentReader::ScanScalar() {
  at_ = std::min(pending_.find_first_of(",]}{[ \t\r\n\x1e", at_), pending_.size());
  if (at_ == pending_.size() && !ended_) return false;
  EndRecord(at_);
  return true;
}

void DocumentReader::Break(std::string why) {
  broken_ = std::move(why);
  broken_at_ = at_;
  mode_ = Mode::kResync;
  within_line_ = false;
  const size_t newline = at_ == 0 ? std::string::npos : pending_.rfind('\n', at_ - (pending_[at_] == '\n' ? 0 : 1));
  at_ = newline == std::string::npos || newline < record_begin_ ? record_begin_ : newline + 1;
}

// `at_` is at the beginning of a line, or of the record.
bool DocumentReader::ScanResync() {
  while (true) {
    if (within_line_) {
      at_ = std::min(pending_.find('\n', at_), pending_.size());
      within_line_ = at_ == pending_.size();
      at_ += within_line_ ? 0 : 1;
      if (within_line_ && !ended_) return false;
    }
    size_t at = at_;
    while (at < pending_.size() && (pending_[at] == ' ' || pending_[at] == '\t')) ++at;
    const size_t indent = at - at_;
    while (at < pending_.size() && (pending_[at] == '}' || pending_[at] == ']' || pending_[at] == ',' || pending_[at] == ' ')) ++at;
    if (at == pending_.size() && !ended_ && at - at_ < max_record_bytes_) return false;
    const bool begins = at < pending_.size() && pending_[at] == '{' && indent <= indent_;
    if (begins && at >= broken_at_ && at > record_begin_) {
      at_ = at;
      EndRecord(at);
      array_ = Array::kUnknown;
      return true;
    }
    const size_t newline = pending_.find('\n', at);
    if (newline == std::string::npos) {
      at_ = pending_.size();
      within_line_ = true;
      if (!ended_) return false;
      EndRecord(at_);
      array_ = Array::kUnknown;
      return true;
    }
    at_ = newline + 1;
  }
}

void DocumentReader::EndRecord(size_t end) {
  size_t length = end - record_begin_;
  while (length > 0 && IsBlank(pending_[record_begin_ + length - 1])) --length;
  LineBlock::Line line;
  line.number = LineOf(record_begin_);
  line.begin = static_cast<uint32_t>(record_begin_);
  source_size_ += source_size_of_.Of(std::string_view(pending_).substr(sized_, record_begin_ - sized_));
  sized_ = record_begin_;
  line.source_begin = source_size_;
  line.cut = cut_ || length > max_record_bytes_;
  if (line.cut) length = KeptOfCutRecord(std::string_view(pending_).substr(record_begin_, length));
  line.length = static_cast<uint32_t>(length);
  if (!broken_.empty()) {
    line.wrong = static_cast<int32_t>(wrong_.size());
    wrong_.push_back({line.cut ? "length" : "json",
                      fmt::format("not valid JSON: {}; what follows it up to the next line that begins a document belongs to this record{}",
                                  broken_, line.cut ? ", of which only the beginning is kept" : "")});
  }
  lines_.push_back(line);
  mode_ = Mode::kBetween;
}

// A record beyond the limit keeps its beginning; what was scanned of it otherwise is forgotten.
void DocumentReader::Shorten() {
  if (at_ - record_begin_ <= std::max(max_record_bytes_, kKeptOfCutRecord + 8)) return;
  const size_t keep = record_begin_ + kKeptOfCutRecord + 8;
  (void)LineOf(at_);
  removed_ += source_size_of_.Of(std::string_view(pending_).substr(keep, at_ - keep));
  pending_.erase(keep, at_ - keep);
  looked_ = 0;
  newline_ = std::string::npos;
  broken_at_ = broken_at_ >= at_ ? broken_at_ - (at_ - keep) : keep;
  counted_ = at_ = keep;
  cut_ = true;
}

Status DocumentReader::AtEnd() {
  if (array_ == Array::kOpen && mode_ != Mode::kResync)
    return Fail(DataError("truncated-file", fmt::format("{} ends within the JSON array that begins in line {}", uri_, array_line_))
                    .Hint("the upload was probably cut off: ask for the file again"));
  if (mode_ == Mode::kBetween) return Ok();
  EndRecord(pending_.size());  // what is open stays so: JSON's own parser says it
  at_ = pending_.size();
  return Ok();
}

// Ends of lines before `position`, counted from the block's first.
int32_t DocumentReader::LineOf(size_t position) {
  if (position > counted_) {
    line_ += std::count(pending_.begin() + static_cast<int64_t>(counted_), pending_.begin() + static_cast<int64_t>(position), '\n');
    counted_ = position;
    return static_cast<int32_t>(line_ - block_line_);
  }
  const auto back = std::count(pending_.begin() + static_cast<int64_t>(position), pending_.begin() + static_cast<int64_t>(counted_), '\n');
  return static_cast<int32_t>(line_ - back - block_line_);
}

// The records found, as a block; what comes after the last of them stays.
std::unique_ptr<LineBlock> DocumentReader::Cut() {
  auto block = std::make_unique<LineBlock>();
  const bool open = mode_ != Mode::kBetween;
  const size_t end = open ? record_begin_ : at_;
  block->first_row = row_;
  block->first_line = block_line_;
  block->offset = offset_;
  block->lines = std::exchange(lines_, {});
  block->wrong = std::exchange(wrong_, {});
  row_ += static_cast<int64_t>(block->lines.size());
  block_line_ += LineOf(end);
  before_block_ = IndentAt(end);
  looked_ = 0;  // of what is left
  newline_ = std::string::npos;
  source_size_ += source_size_of_.Of(std::string_view(pending_).substr(sized_, end - sized_));
  sized_ = 0;
  std::string rest = pending_.substr(end);
  block->bytes = std::exchange(pending_, std::move(rest));
  block->bytes.resize(end);
  block->bytes.append(kJsonPadding, ' ');
  const int64_t removed_here = open ? 0 : std::exchange(removed_, 0);
  offset_ += std::exchange(source_size_, 0) + removed_here;
  at_ -= end;
  counted_ = counted_ > end ? counted_ - end : 0;
  if (counted_ == 0) line_ = block_line_;
  record_begin_ = 0;
  broken_at_ -= std::min(broken_at_, end);
  return block;
}

}  // namespace sluice::formats
