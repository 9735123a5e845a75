#include "formats/csv_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/counted.h"
#include "core/text.h"
#include "formats/byte_masks.h"
#include "formats/cut_record.h"

namespace sluice::formats {
namespace {

// The end of the line that p stands in: a CR or LF, or the end of the bytes.
size_t LineEnd(const char* bytes, size_t size, size_t p) {
  while (p < size && bytes[p] != '\n' && bytes[p] != '\r') ++p;
  return p;
}

// One byte after the other: exact for every dialect and every kind of dirt.
class RecordScanner {
 public:
  RecordScanner(const char* bytes, size_t size, bool final, const CsvDialect& dialect, uint32_t fields, size_t max_record_bytes,
                RecordIndex* index)
      : bytes_(bytes),
        size_(size),
        final_(final),
        dialect_(dialect),
        width_(dialect.delimiter_size()),
        fields_(fields),
        max_(max_record_bytes),
        index_(*index) {}

  enum class Step { kRecord, kIncomplete, kDiscard };

  // Takes the record that starts at `at` (< size); `at` moves past it. kIncomplete: nothing taken, more bytes are needed. kDiscard: the
  // record (or comment) is too long; the rest of its line is still to be passed.
  Step TakeRecord(size_t* at) {
    start_ = *at;
    if (dialect_.comment != '\0' && bytes_[start_] == dialect_.comment) return SkipLine(at);
    base_ = index_.ends.size();
    stray_ = false;
    for (size_t p = start_;;) {
      const Field field = TakeField(p);
      switch (field.outcome) {
        case Outcome::kNeedMore:
          return Undo();
        case Outcome::kTooLong:
          return CutAt(at);
        case Outcome::kUnclosed:
          return EndAtFirstLine(field.end, at);
        case Outcome::kField:
          break;
      }
      index_.ends.push_back(static_cast<uint32_t>(field.end));
      if (AtDelimiter(field.end)) {
        p = field.end + width_;
        continue;
      }
      size_t next = field.end;
      if (!PassTerminator(&next)) return Undo();
      Finish(field.end);
      *at = next;
      return Step::kRecord;
    }
  }

 private:
  enum class Outcome { kField, kNeedMore, kUnclosed, kTooLong };
  struct Field {
    Outcome outcome;
    size_t end;  // kField: the delimiter or terminator after it; kUnclosed: where the quoted field begins
  };

  void Refuse(size_t end, const char* rule, std::string message) {
    index_.bad.push_back({static_cast<uint32_t>(index_.starts.size()), static_cast<uint32_t>(end), rule, std::move(message)});
    index_.starts.push_back(static_cast<uint32_t>(start_));
    index_.ends.resize(base_);
    for (uint32_t c = 0; c < fields_; ++c) index_.ends.push_back(static_cast<uint32_t>(start_ + c * width_));
  }

  // The record's fields stand in `ends` from base_ on.
  void Finish(size_t end) {
    const size_t count = index_.ends.size() - base_;
    if (stray_) return Refuse(end, "quote", "a quote inside a quoted field is not doubled or escaped");
    if (count == fields_ || (fields_ == 0 && end != start_)) {
      index_.starts.push_back(static_cast<uint32_t>(start_));
    } else if (end == start_) {
      index_.ends.resize(base_);  // an empty line
    } else {
      Refuse(end, "fields", fmt::format("{} where {} expected", Counted(count, "field"), Counted(fields_, "is", "are")));
    }
  }

  bool TooLong(size_t p) const { return p - start_ > max_; }
  static bool IsLineEnd(char c) { return c == '\n' || c == '\r'; }
  bool AtDelimiter(size_t p) const {
    if (p >= size_ || bytes_[p] != dialect_.delimiter) return false;
    return width_ == 1 || std::string_view(bytes_ + p, size_ - p).substr(1).starts_with(dialect_.delimiter_rest);
  }

  Field TakeField(size_t p) {
    if (dialect_.quote != '\0' && p < size_ && bytes_[p] == dialect_.quote) return TakeQuoted(p);
    return TakePlain(p);
  }

  Field TakePlain(size_t p) {
    while (p < size_ && !AtDelimiter(p) && !IsLineEnd(bytes_[p])) ++p;
    if (TooLong(p)) return {Outcome::kTooLong, p};
    if (p == size_ && !final_) return {Outcome::kNeedMore, p};
    return {Outcome::kField, p};
  }

  Field TakeQuoted(const size_t open) {
    const bool doubled = dialect_.escape == dialect_.quote;
    bool over_line = false;
    for (size_t p = open + 1;; ++p) {
      if (TooLong(p)) return {over_line ? Outcome::kUnclosed : Outcome::kTooLong, open};
      if (p >= size_) return {final_ ? Outcome::kUnclosed : Outcome::kNeedMore, open};
      const char c = bytes_[p];
      over_line |= IsLineEnd(c);
      if (!doubled && c == dialect_.escape && c != '\0') {
        if (++p < size_) over_line |= IsLineEnd(bytes_[p]);
        continue;
      }
      if (c != dialect_.quote) continue;
      if (p + width_ >= size_ && !final_) return {Outcome::kNeedMore, p + 1};
      if (p + 1 == size_) return {Outcome::kField, p + 1};
      const char next = bytes_[p + 1];
      if (doubled && next == dialect_.quote) {
        ++p;
        continue;
      }
      if (AtDelimiter(p + 1) || IsLineEnd(next)) return {Outcome::kField, p + 1};
      if (over_line) return {Outcome::kUnclosed, open};
      stray_ = true;
      return TakePlain(p + 1);
    }
  }

  // Moves past CR, LF or CRLF; false if what follows a last CR is not known yet.
  bool PassTerminator(size_t* p) const {
    if (*p >= size_) return true;
    if (bytes_[*p] == '\r') {
      if (*p + 1 == size_ && !final_) return false;
      if (*p + 1 < size_ && bytes_[*p + 1] == '\n') ++*p;
    }
    ++*p;
    return true;
  }

  Step Undo() {
    index_.ends.resize(base_);
    return Step::kIncomplete;
  }

  Step SkipLine(size_t* at) {
    size_t p = LineEnd(bytes_, size_, start_);
    const bool ends = (p < size_ || final_) && PassTerminator(&p);
    if (!ends && !TooLong(p)) return Step::kIncomplete;
    *at = p;
    return ends ? Step::kRecord : Step::kDiscard;
  }

  // The quote at `open` is stray: the record ends with the line it stands in.
  Step EndAtFirstLine(size_t open, size_t* at) {
    const size_t end = LineEnd(bytes_, size_, open);
    size_t next = end;
    if (!PassTerminator(&next)) return Undo();
    Refuse(end, "quote", "a quote is opened and not closed");
    *at = next;
    return Step::kRecord;
  }

  Step CutAt(size_t* at) {
    const size_t kept = KeptOfCutRecord({bytes_ + start_, max_});
    Refuse(start_ + kept, "length", CutRecordMessage(static_cast<int64_t>(max_)));
    *at = start_ + max_;
    return Step::kDiscard;
  }

  const char* bytes_;
  size_t size_;
  bool final_;
  const CsvDialect& dialect_;
  size_t width_;  // of the delimiter
  uint32_t fields_;
  size_t max_;
  RecordIndex& index_;
  size_t start_ = 0, base_ = 0;
  bool stray_ = false;
};

// Moves past the end of the line that `at` stands in; false if it (or what follows its CR) is not among the bytes: `at` is then
// where to look on.
bool PassLine(const char* bytes, size_t size, bool final, size_t* at) {
  *at = LineEnd(bytes, size, *at);
  if (*at == size) return final;
  if (bytes[*at] == '\r' && *at + 1 == size && !final) return false;
  *at += bytes[*at] == '\r' && *at + 1 < size && bytes[*at + 1] == '\n' ? 2 : 1;
  return true;
}

// The masks of the steps from anywhere on; some are made ahead.
class MaskWindow {
 public:
  MaskWindow(const char* bytes, size_t size, char delimiter, char quote)
      : bytes_(bytes), size_(size), delimiter_(delimiter), quote_(quote) {}

  const Masks& At(size_t pos) {
    const size_t ahead = pos - begin_;  // beyond all where pos is before them
    if (ahead >= made_ || ahead % 64 != 0) return Make(pos);
    return masks_[ahead / 64];
  }

 private:
  static constexpr size_t kSteps = 16;  // few enough to throw away at a record that is taken otherwise

  const Masks& Make(size_t pos) {
    const size_t steps = std::min(kSteps, (size_ - pos + 63) / 64);
    FindMasks(bytes_ + pos, steps, delimiter_, quote_, masks_);
    begin_ = pos;
    made_ = steps * 64;
    return masks_[0];
  }

  const char* bytes_;
  size_t size_;
  char delimiter_, quote_;
  Masks masks_[kSteps];
  size_t begin_ = 0, made_ = 0;
};

// Carries of the 64-byte steps from one to the next.
struct Carry {
  uint64_t inside = 0;    // all ones: the last byte is inside of quotes
  uint64_t boundary = 1;  // the last byte was a delimiter or terminator (or there was none)
  uint64_t quote = 0;     // it was a quote
  uint64_t closing = 0;   // it was a closing quote: what follows is still to be looked at
  uint64_t cr = 0;        // it was a CR outside of quotes
};

// Bits of delimiters and terminators outside of quotes; of CRLF only the CR. `well_formed`: every quote stands where it may.
struct Structure {
  uint64_t bits, line_ends;
  bool well_formed;
};

Structure Structural(const Masks& m, uint64_t valid, Carry& carry) {
  uint64_t boundaries = (m.delimiter | m.lf | m.cr) & valid;
  uint64_t inside = 0;
  bool well_formed = true;
  const uint64_t quotes = m.quote & valid;
  if ((quotes | carry.inside | carry.closing) != 0) {
    inside = PrefixXor(quotes) ^ carry.inside;
    const uint64_t opening = quotes & inside, closing = quotes & ~inside;
    const uint64_t may_open = (boundaries & ~inside) << 1 | carry.boundary | quotes << 1 | carry.quote;
    const uint64_t may_follow = boundaries | quotes | ~valid;
    const uint64_t followers = closing << 1 | carry.closing;
    well_formed = (opening & ~may_open) == 0 && (followers & ~may_follow) == 0;
    carry.inside = inside >> 63 ? ~uint64_t{0} : 0;
    carry.closing = closing >> 63;
  }
  boundaries &= ~inside;
  const uint64_t cr = m.cr & valid & ~inside;
  const uint64_t second_of_crlf = m.lf & (cr << 1 | carry.cr);
  carry.cr = cr >> 63;
  carry.boundary = boundaries >> 63;
  carry.quote = quotes >> 63;
  return {boundaries & ~second_of_crlf, (m.lf | m.cr) & boundaries & ~second_of_crlf, well_formed};
}

// 64 bytes at a time, as long as they hold records as they should be. Anything else (a stray quote, a ragged record, an empty
// line) is given to the RecordScanner, one record, and the steps go on behind it.
class FastScanner {
 public:
  FastScanner(const char* bytes, size_t size, bool final, const CsvDialect& dialect, uint32_t fields, size_t max_record_bytes,
              RecordIndex* index)
      : bytes_(bytes),
        size_(size),
        final_(final),
        fields_(fields),
        max_(max_record_bytes),
        index_(*index),
        slow_(bytes, size, final, dialect, fields, max_record_bytes, index),
        masks_(bytes, size, dialect.delimiter, dialect.quote) {}

  ScanResult Run() {
    used_ = base_ = index_.ends.size();
    while (pos_ < size_ && !stopped_) {
      const size_t left = size_ - pos_;
      const uint64_t valid = left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
      const Structure found = Structural(masks_.At(pos_), valid, carry_);
      if (found.well_formed && pos_ - start_ <= max_) {
        if (Take(found)) pos_ += 64;
      } else {
        TakeSlowly(std::min(size_, pos_ + 64));
      }
    }
    Trim();
    if (!stopped_ && start_ < size_ && (final_ || size_ - start_ > max_)) TakeSlowly(size_);
    return {start_, discarding_};
  }

 private:
  // Adds this step's fields; false if the record scanner has taken over and pos_ is where to go on.
  bool Take(const Structure& found) {
    if (used_ + 64 > index_.ends.size()) index_.ends.resize(used_ + 1024);
    uint32_t* ends = index_.ends.data() + used_;
    for (uint64_t bits = found.bits; bits != 0; bits &= bits - 1) {
      const size_t p = pos_ + static_cast<size_t>(__builtin_ctzll(bits));
      *ends++ = static_cast<uint32_t>(p);
      if ((found.line_ends & bits & (0 - bits)) == 0) continue;
      used_ = static_cast<size_t>(ends - index_.ends.data());
      const bool cr = bytes_[p] == '\r';
      if (used_ - base_ != fields_ || p - start_ > max_ || (cr && p + 1 == size_)) return TakeSlowly(start_ + 1), false;
      index_.starts.push_back(static_cast<uint32_t>(start_));
      base_ = used_;
      start_ = p + 1 + (cr && bytes_[p + 1] == '\n');
    }
    used_ = static_cast<size_t>(ends - index_.ends.data());
    return true;
  }

  // Takes whole records from start_ until one ends at or behind `until`.
  void TakeSlowly(size_t until) {
    Trim();
    while (start_ < until && !stopped_) {
      const auto step = slow_.TakeRecord(&start_);
      if (step == RecordScanner::Step::kIncomplete) stopped_ = true;
      if (step == RecordScanner::Step::kDiscard && !PassLine(bytes_, size_, final_, &start_)) stopped_ = discarding_ = true;
    }
    used_ = base_ = index_.ends.size();
    carry_ = Carry{};
    pos_ = start_;
  }

  // Drops the fields of the record that has not ended.
  void Trim() {
    used_ = base_;
    index_.ends.resize(base_);
  }

  const char* bytes_;
  const size_t size_;
  const bool final_;
  const uint32_t fields_;
  const size_t max_;
  RecordIndex& index_;
  RecordScanner slow_;
  MaskWindow masks_;
  Carry carry_;
  size_t pos_ = 0, start_ = 0;  // the step; the record
  size_t used_ = 0, base_ = 0;  // of index_.ends: filled; filled when the record began
  bool stopped_ = false, discarding_ = false;
};

}  // namespace

ScanResult ScanRecordsSlowly(const char* bytes, size_t size, bool final, const CsvDialect& dialect, uint32_t fields,
                             size_t max_record_bytes, RecordIndex* index) {
  index->fields = fields;
  RecordScanner scanner(bytes, size, final, dialect, fields, max_record_bytes, index);
  for (size_t at = 0; at < size;) {
    switch (scanner.TakeRecord(&at)) {
      case RecordScanner::Step::kRecord:
        break;
      case RecordScanner::Step::kIncomplete:
        return {at, false};
      case RecordScanner::Step::kDiscard:
        if (!PassLine(bytes, size, final, &at)) return {at, true};
        break;
    }
  }
  return {size, false};
}

void ScanSingleRecord(const char* bytes, size_t begin, size_t end, const CsvDialect& dialect, uint32_t fields, size_t max_record_bytes,
                      RecordIndex* index) {
  const size_t before = index->size(), ends_before = index->ends.size(), bad_before = index->bad.size();
  CsvDialect plain = dialect;
  plain.comment = '\0';  // it was a record before
  size_t at = begin;
  RecordScanner scanner(bytes, end, true, plain, fields, max_record_bytes, index);
  if (begin < end) (void)scanner.TakeRecord(&at);
  if (at == end && index->size() == before + 1) return;
  const bool several = index->size() > before;
  index->starts.resize(before);
  index->ends.resize(ends_before);
  index->bad.resize(bad_before);
  index->bad.push_back({static_cast<uint32_t>(before), static_cast<uint32_t>(end), several ? "quote" : "fields",
                        several ? "more than one record" : "an empty record"});
  index->starts.push_back(static_cast<uint32_t>(begin));
  for (uint32_t c = 0; c < fields; ++c) index->ends.push_back(static_cast<uint32_t>(begin + c * dialect.delimiter_size()));
}

FrontRecord TakeFrontRecord(const char* bytes, size_t size, bool final, const CsvDialect& dialect, size_t max_record_bytes) {
  FrontRecord front;
  RecordIndex index;
  if (size == 0) return {final, 0, {}, ""};
  RecordScanner scanner(bytes, size, final, dialect, 0, max_record_bytes, &index);
  const auto step = scanner.TakeRecord(&front.consumed);
  if (step == RecordScanner::Step::kIncomplete) return front;
  front.complete = true;
  const bool long_comment = index.ends.empty() && LineEnd(bytes, size, 0) > max_record_bytes;  // the same whether its end is there or not
  if (step == RecordScanner::Step::kDiscard || long_comment)
    front.bad = "it is longer than " + FormatBytes(static_cast<int64_t>(max_record_bytes));
  else if (!index.bad.empty())
    front.bad = index.bad.front().message;
  size_t begin = 0;
  for (const uint32_t end : index.ends) {
    front.fields.push_back(UnquoteField({bytes + begin, end - begin}, dialect));
    begin = end + dialect.delimiter_size();
  }
  return front;
}

ScanResult ScanRecords(const char* bytes, size_t size, bool final, const CsvDialect& dialect, uint32_t fields, size_t max_record_bytes,
                       RecordIndex* index) {
  const bool simple =
      dialect.comment == '\0' && (dialect.quote == '\0' || dialect.escape == dialect.quote) && dialect.delimiter_rest.empty();
  if (!simple || fields < 2) return ScanRecordsSlowly(bytes, size, final, dialect, fields, max_record_bytes, index);
  index->fields = fields;
  return FastScanner(bytes, size, final, dialect, fields, max_record_bytes, index).Run();
}

size_t UnescapeInto(std::string_view inside, const CsvDialect& dialect, char* out) {
  const char* const begin = out;
  const char *at = inside.data(), *const end = at + inside.size();
  while (at < end) {
    const auto* escape = static_cast<const char*>(std::memchr(at, dialect.escape, static_cast<size_t>(end - at)));
    const bool escapes = escape != nullptr && escape + 1 < end && (escape[1] == dialect.quote || escape[1] == dialect.escape);
    const char* const kept = escapes ? escape : escape != nullptr ? escape + 1 : end;
    std::memcpy(out, at, static_cast<size_t>(kept - at));
    out += kept - at;
    at = kept;
    if (!escapes) continue;
    *out++ = escape[1];
    at = escape + 2;
  }
  return static_cast<size_t>(out - begin);
}

std::string UnquoteField(std::string_view field, const CsvDialect& dialect) {
  if (dialect.quote == '\0' || field.size() < 2 || field.front() != dialect.quote) return std::string(field);
  field = field.substr(1, field.size() - 2);
  std::string out(field.size(), '\0');
  out.resize(UnescapeInto(field, dialect, out.data()));
  return out;
}

}  // namespace sluice::formats
