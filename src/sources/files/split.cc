#include "sources/files/split.h"

#include <algorithm>

namespace sluice::sources {
namespace {

constexpr size_t kMaxQuotedBytes = 64 << 10;  // a quoted field of a sample that runs longer was never closed

class Splitter {
 public:
  Splitter(std::string_view text, bool whole, const formats::CsvDialect& dialect) : text_(text), whole_(whole), dialect_(dialect) {}

  std::vector<SplitRecord> Split(size_t limit) {
    for (int i = 0; i < dialect_.skip && at_ < text_.size(); ++i) SkipLine();
    std::vector<SplitRecord> records;
    while (at_ < text_.size() && records.size() < limit) {
      if (IsNewline(text_[at_]) || (dialect_.comment != '\0' && text_[at_] == dialect_.comment)) {
        SkipLine();
        continue;
      }
      SplitRecord record;
      record.line = line_;
      if (!ReadRecord(&record)) break;
      records.push_back(std::move(record));
    }
    return records;
  }

 private:
  static bool IsNewline(char c) { return c == '\n' || c == '\r'; }
  bool AtDelimiter() const { return text_[at_] == dialect_.delimiter && text_.substr(at_ + 1).starts_with(dialect_.delimiter_rest); }

  // False where the sample ends before the record does.
  bool ReadRecord(SplitRecord* record) {
    const size_t start = at_;
    const int start_line = line_;
    if (ReadFields(record)) return record->broken || ended_ || whole_;
    // A quoted field ran to the end of the sample: its quote is stray, or the record is longer than the sample.
    if (!whole_ && text_.size() - start < kMaxQuotedBytes) return false;
    at_ = start;
    line_ = start_line;
    record->broken = true;
    SkipLine();
    return true;
  }

  // False where a quote is not closed.
  bool ReadFields(SplitRecord* record) {
    const size_t start = at_;
    const int start_line = line_;
    ended_ = false;
    while (true) {
      std::string field;
      const bool quoted = dialect_.quote != '\0' && at_ < text_.size() && text_[at_] == dialect_.quote;
      if (quoted && !ReadQuoted(&field)) return false;
      if (quoted && at_ < text_.size() && !AtDelimiter() && !IsNewline(text_[at_])) {
        record->broken = true;
        if (line_ != start_line) {
          at_ = start;
          line_ = start_line;
        }
        SkipLine();
        return true;
      }
      if (!quoted) ReadPlain(&field);
      record->quoted += quoted;
      record->fields.push_back(std::move(field));
      if (at_ >= text_.size()) return true;
      if (IsNewline(text_[at_])) {
        SkipLine();
        ended_ = true;
        return true;
      }
      at_ += dialect_.delimiter_size();
    }
  }

  void ReadPlain(std::string* field) {
    const size_t start = at_;
    while (at_ < text_.size() && !AtDelimiter() && !IsNewline(text_[at_])) ++at_;
    *field = text_.substr(start, at_ - start);
  }

  bool ReadQuoted(std::string* field) {
    const size_t limit = std::min(text_.size(), at_ + kMaxQuotedBytes);
    for (++at_; at_ < limit; ++at_) {
      const char c = text_[at_];
      const bool pair = at_ + 1 < text_.size() && text_[at_ + 1] == dialect_.quote;
      if (c == dialect_.escape && c != '\0' && pair) {
        ++at_;
        *field += dialect_.quote;
      } else if (c == dialect_.quote) {
        ++at_;
        return true;
      } else {
        if (c == '\n') ++line_;
        *field += c;
      }
    }
    return false;
  }

  void SkipLine() {
    while (at_ < text_.size() && !IsNewline(text_[at_])) ++at_;
    if (at_ + 1 < text_.size() && text_[at_] == '\r' && text_[at_ + 1] == '\n') ++at_;
    if (at_ < text_.size()) ++at_;
    ++line_;
  }

  std::string_view text_;
  bool whole_;
  const formats::CsvDialect& dialect_;
  size_t at_ = 0;
  int line_ = 0;
  bool ended_ = false;  // the record just read ended with a newline
};

}  // namespace

std::string_view WithoutBom(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

std::vector<SplitRecord> SplitSample(std::string_view sample, bool whole, const formats::CsvDialect& dialect, size_t limit) {
  return Splitter(WithoutBom(sample), whole, dialect).Split(limit);
}

}  // namespace sluice::sources
