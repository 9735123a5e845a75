#include "formats/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/profile.h"
#include "core/text.h"
#include "formats/byte_masks.h"
#include "formats/csv_block.h"
#include "formats/csv_header.h"
#include "formats/csv_scan.h"
#include "formats/encoding.h"

namespace sluice::formats {
namespace {

// The file's bytes, a window of them at a time: blocks are slices of it, and keep it alive.
class CsvWindow {
 public:
  // Of a small file there is one block, and no room is made for more than it.
  CsvWindow(std::unique_ptr<ByteSource> source, size_t block_bytes)
      : source_(std::move(source)),
        block_bytes_(std::min(block_bytes, static_cast<size_t>(source_->size_left().value_or(INT64_MAX - 1)) + 1)),
        bytes_(CsvBytes::Make(0)) {}

  // Afterwards `want` bytes are unread, or all that are left.
  Status Need(size_t want) {
    const std::string_view rest = unread();
    if (ended_ || rest.size() >= want) return Ok();
    auto next = pool_.Make(want);
    if (!rest.empty()) std::memcpy(next->data.get(), rest.data(), rest.size());
    next->size = rest.size();
    while (!ended_ && next->size < want) {
      const StageTimer timer(Stage::kRead);
      SLUICE_TRY(const size_t read, source_->Read(next->data.get() + next->size, want - next->size));
      if (read == 0) ended_ = true;
      next->size += read;
    }
    std::memset(next->data.get() + next->size, 0, 64);
    bytes_ = std::move(next);
    begin_ = 0;
    return Ok();
  }
  // The unread bytes and as many again: for a record that is longer than they.
  Status Grow() { return Need(std::max(2 * unread().size(), block_bytes_)); }
  void Consume(size_t n) { begin_ += n; }

  std::string_view unread() const { return {bytes_->data.get() + begin_, bytes_->size - begin_}; }
  CsvSlice Slice(size_t size) const { return {bytes_, begin_, size}; }
  bool ended() const { return ended_; }
  size_t block_bytes() const { return block_bytes_; }

 private:
  std::unique_ptr<ByteSource> source_;
  size_t block_bytes_;
  CsvBytesPool pool_;
  std::shared_ptr<CsvBytes> bytes_;
  size_t begin_ = 0;  // of the unread bytes
  bool ended_ = false;
};

// Where the first line or record behind the byte order mark and the skipped lines begins, and the header's fields.
struct Front {
  size_t records_at = 0;            // first byte after the header
  std::vector<std::string> fields;  // names of the header, or the first record where there is none; empty: no bytes
};

class CsvFront {
 public:
  CsvFront(CsvWindow& window, const ReadRequest& request, const CsvDialect& dialect, bool as_written = false)
      : window_(window), request_(request), dialect_(dialect), as_written_(as_written) {}

  Result<Front> Read() {
    SLUICE_CHECK(window_.Grow());
    size_t at = window_.unread().starts_with("\xef\xbb\xbf") ? 3 : 0;
    for (int i = 0; i < dialect_.skip; ++i) SLUICE_CHECK(PassLine(&at));
    Front front;
    std::vector<std::vector<std::string>> rows;  // of the header
    for (;;) {
      if (at >= window_.unread().size() && window_.ended()) {
        front.records_at = at;
        if (!rows.empty()) {
          SLUICE_TRY(front.fields, NamesOf(rows));
        }
        return front;
      }
      size_t next = at;
      SLUICE_TRY(auto fields, FieldsAt(&next));
      front.records_at = dialect_.header ? next : at;
      at = next;
      if (fields.empty()) continue;  // an empty or comment line
      if (!dialect_.header) {
        front.fields = std::move(fields);
        return front;
      }
      rows.push_back(std::move(fields));
      if (rows.size() < static_cast<size_t>(dialect_.header_rows)) continue;
      SLUICE_TRY(front.fields, NamesOf(rows));
      return front;
    }
  }

 private:
  Status PassLine(size_t* at) {
    for (;;) {
      const std::string_view text = window_.unread();
      const size_t end = text.find_first_of("\r\n", *at);
      if (std::min(end, text.size()) - *at > MaxRecord()) return Fail(BadHeader("a line before the table is longer than a record may be"));
      if (end == std::string_view::npos || (text[end] == '\r' && end + 1 == text.size())) {
        if (!window_.ended()) {
          SLUICE_CHECK(window_.Grow());
          continue;
        }
        *at = text.size();
        return Ok();
      }
      *at = end + 1 + (text[end] == '\r' && text[end + 1] == '\n');
      return Ok();
    }
  }

  // The fields of the record at `at`, which moves past it. None: the line is empty or a comment.
  Result<std::vector<std::string>> FieldsAt(size_t* at) {
    for (;;) {
      const std::string_view text = window_.unread().substr(*at);
      FrontRecord front = TakeFrontRecord(text.data(), text.size(), window_.ended(), dialect_, MaxRecord());
      if (!front.complete) {
        SLUICE_CHECK(window_.Grow());
        continue;
      }
      if (!front.bad.empty()) {
        // Without a header it is a record like any other, and loses nothing but itself.
        if (!dialect_.header && !request_.contract->columns.empty()) return std::vector<std::string>(request_.contract->columns.size());
        return Fail(BadHeader("the first record cannot be split: " + front.bad));
      }
      *at += front.consumed;
      return std::move(front.fields);
    }
  }

  // Names go into schemas, and so cannot be refused like a value.
  Result<std::vector<std::string>> NamesOf(const std::vector<std::vector<std::string>>& rows) const {
    std::vector<std::string> names = HeaderNames(rows, dialect_, as_written_);
    for (size_t i = 0; i < names.size(); ++i)
      if (!IsValidUtf8(names[i]))
        return Fail(DataError("bad-header", fmt::format("{}: the name of its column {} is not UTF-8", NameOf(request_), i + 1))
                        .Hint("say in the source's `read` how the file is written: encoding: windows-1252, iso-8859-2, …"));
    return names;
  }

  size_t MaxRecord() const { return static_cast<size_t>(request_.max_record_bytes); }
  Error BadHeader(const std::string& why) const {
    return DataError("bad-header", fmt::format("{}: {}", NameOf(request_), why))
        .Hint("pin the dialect under read: (delimiter, quote, skip)");
  }

  CsvWindow& window_;
  const ReadRequest& request_;
  const CsvDialect& dialect_;
  bool as_written_;
};

class CsvReader : public RecordReader {
 public:
  CsvReader(CsvWindow window, std::shared_ptr<const CsvFile> file, size_t max_record_bytes, size_t records_at)
      : window_(std::move(window)), file_(std::move(file)), source_size_of_(file_->encoding), max_(max_record_bytes) {
    Pass(records_at);
  }

  Result<std::unique_ptr<RawBlock>> Next() override {
    for (size_t want = window_.block_bytes();;) {
      SLUICE_CHECK(window_.Need(want));
      if (discarding_) {
        want = SkipDiscarded();
        continue;
      }
      const std::string_view unread = window_.unread();
      const CsvSlice slice = window_.Slice(std::min(unread.size(), want));
      const bool final = window_.ended() && slice.size == unread.size();
      RecordIndex index;
      Reserve(&index);
      ScanResult scan = ScanRecords(slice.data(), slice.size, final, file_->dialect, file_->fields, max_, &index);
      if (want > window_.block_bytes()) Shorten(&index, &scan);
      const CsvBlockPlace place = place_;
      place_.first_row += static_cast<int64_t>(index.size());
      Pass(scan.consumed);
      discarding_ = scan.discarding;
      fields_per_block_ = index.ends.size();
      if (index.size() > 0) return std::make_unique<CsvBlock>(file_, slice, std::move(index), place);
      if (final) return nullptr;
      // Twice as much, and so no byte is looked at more than a few times; what is beyond the limit is judged by then.
      want = scan.consumed > 0 ? window_.block_bytes() : std::min(2 * want, max_ + window_.block_bytes() + 64);
    }
  }

 private:
  // The slice had to grow for one record: those that begin far behind it are left to blocks of the usual size.
  void Shorten(RecordIndex* index, ScanResult* scan) const {
    if (index->size() < 2) return;
    const auto far = std::lower_bound(index->starts.begin() + 1, index->starts.end(), index->starts[1] + window_.block_bytes());
    if (far == index->starts.end()) return;
    *scan = {*far, false};
    const auto kept = static_cast<size_t>(far - index->starts.begin());
    index->starts.resize(kept);
    index->ends.resize(kept * index->fields);
    while (!index->bad.empty() && index->bad.back().record >= kept) index->bad.pop_back();
  }
  void Pass(size_t bytes) {
    place_.first_line += CountLineEnds(window_.unread().data(), bytes);
    place_.first_offset += source_size_of_.Of(window_.unread().substr(0, bytes));
    window_.Consume(bytes);
  }
  // Passes the rest of a record that was cut, up to and with its line's end. Returns how many bytes to look at next.
  size_t SkipDiscarded() {
    const std::string_view text = window_.unread();
    size_t at = std::min(text.find_first_of("\r\n"), text.size());
    const bool lone = at + 1 == text.size() && text[at] == '\r' && !window_.ended();  // a LF may follow
    discarding_ = (at == text.size() || lone) && !window_.ended();
    if (at < text.size() && !lone) at += text[at] == '\r' && text.substr(at).starts_with("\r\n") ? 2 : 1;
    Pass(at);
    return std::max(window_.block_bytes(), window_.unread().size() + 1);
  }
  void Reserve(RecordIndex* index) const {
    index->ends.reserve(fields_per_block_ + fields_per_block_ / 8 + 1024);
    index->starts.reserve(index->ends.capacity() / file_->fields + 1);
  }

  CsvWindow window_;
  std::shared_ptr<const CsvFile> file_;
  SourceSize source_size_of_;
  size_t max_;
  CsvBlockPlace place_;
  size_t fields_per_block_ = 0;
  bool discarding_ = false;
};

std::vector<std::string> Numbered(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 1; i <= count; ++i) names.push_back(fmt::format("column_{}", i));
  return names;
}

// Without a header a record has as many fields as the contract has columns; fewer, if the first one does and that is accepted. Where
// nothing says the columns, the first record does.
size_t FieldsWithoutHeader(const ReadRequest& request, size_t first_record) {
  const size_t contracted = request.contract->columns.size();
  if (contracted == 0) return first_record;
  const bool may_lack = request.contract->on_missing_column == contract::OnMissingColumn::kNull;
  return may_lack && first_record < contracted ? first_record : contracted;
}

Result<CsvWindow> OpenWindow(const ReadRequest& request, const CsvDialect& dialect, size_t block_bytes) {
  SLUICE_TRY(auto source, OpenText(request));
  return CsvWindow(WithoutFooter(std::move(source), dialect.footer), block_bytes);
}

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenCsv(const ReadRequest& request, const CsvDialect& dialect, std::vector<std::string>* header) {
  SLUICE_TRY(CsvWindow window, OpenWindow(request, dialect, static_cast<size_t>(request.block_bytes)));
  SLUICE_TRY(Front front, CsvFront(window, request, dialect).Read());
  if (front.fields.empty()) return NoRecords();
  std::vector<std::string> names = dialect.header ? std::move(front.fields) : Numbered(FieldsWithoutHeader(request, front.fields.size()));
  if (header != nullptr && dialect.header) *header = names;
  SLUICE_TRY(auto file, MakeCsvFile(request, dialect, names));
  return std::make_unique<CsvReader>(std::move(window), std::move(file), static_cast<size_t>(request.max_record_bytes), front.records_at);
}

Result<std::vector<std::string>> ReadCsvHeader(const ReadRequest& request, const CsvDialect& dialect, bool as_written) {
  SLUICE_TRY(CsvWindow window, OpenWindow(request, dialect, 64 << 10));
  SLUICE_TRY(Front front, CsvFront(window, request, dialect, as_written).Read());
  if (!dialect.header) return Numbered(front.fields.size());
  return std::move(front.fields);
}

Result<std::vector<contract::Field>> NewCsvColumns(const ReadRequest& request, const CsvDialect& dialect) {
  std::vector<contract::Field> fields;
  if (!dialect.header && !request.contract->columns.empty()) return fields;
  SLUICE_TRY(const auto names, ReadCsvHeader(request, dialect));
  for (const std::string& name : NewColumnNames(request, names)) {
    fields.push_back({name, contract::DataType::Of(contract::TypeKind::kString), true, {}});
  }
  return fields;
}

}  // namespace sluice::formats
