#include "formats/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "formats/csv_block.h"
#include "formats/csv_scan.h"

namespace sluice::formats {
namespace {

// The file's bytes in growing windows: what a block did not consume stands at the front of the next.
class CsvWindow {
 public:
  CsvWindow(std::unique_ptr<ByteSource> source, size_t block_bytes) : source_(std::move(source)), block_bytes_(block_bytes) {}

  // Makes `carry` bytes of the current window's end the next window's front, and fills it up.
  Status Advance(size_t carry, size_t more) {
    auto next = CsvBytes::Make(carry + more);
    if (carry > 0) std::memcpy(next->data.get(), bytes_->data.get() + bytes_->size - carry, carry);
    next->size = carry;
    while (!ended_ && next->size < carry + more) {
      SLUICE_TRY(const size_t read, source_->Read(next->data.get() + next->size, carry + more - next->size));
      if (read == 0) ended_ = true;
      next->size += read;
    }
    std::memset(next->data.get() + next->size, 0, 64);
    bytes_ = std::move(next);
    return Ok();
  }
  Status Next(size_t carry) { return Advance(carry, block_bytes_); }
  // The same bytes and as many again: for a record that is longer than the window.
  Status Grow() { return Advance(bytes_->size, std::max(bytes_->size, block_bytes_)); }
  // Drops bytes off the front without having made a block of them.
  void Drop(size_t n) {
    std::memmove(bytes_->data.get(), bytes_->data.get() + n, bytes_->size - n + 64);
    bytes_->size -= n;
  }

  const std::shared_ptr<CsvBytes>& bytes() const { return bytes_; }
  std::string_view text() const { return {bytes_->data.get(), bytes_->size}; }
  bool ended() const { return ended_; }

 private:
  std::unique_ptr<ByteSource> source_;
  size_t block_bytes_;
  std::shared_ptr<CsvBytes> bytes_;
  bool ended_ = false;
};

Status RefuseOtherEncodings(std::string_view start, const std::string& key) {
  for (const std::string_view mark : {std::string_view("\xff\xfe", 2), std::string_view("\xfe\xff", 2)}) {
    if (!start.starts_with(mark)) continue;
    return Fail(DataError("unsupported-encoding", key + " is UTF-16 or UTF-32 by its first bytes")
                    .Hint("convert it to UTF-8: iconv -f UTF-16 -t UTF-8"));
  }
  return Ok();
}

// Where the first line or record behind the byte order mark and the skipped lines begins, and the header's fields.
struct Front {
  size_t records_at = 0;            // first byte after the header
  std::vector<std::string> fields;  // of the header, or of the first record where there is none; empty: no bytes
};

class CsvFront {
 public:
  CsvFront(CsvWindow& window, const ReadRequest& request, const CsvDialect& dialect)
      : window_(window), request_(request), dialect_(dialect) {}

  Result<Front> Read() {
    SLUICE_CHECK(window_.Next(0));
    SLUICE_CHECK(RefuseOtherEncodings(window_.text(), request_.key));
    size_t at = window_.text().starts_with("\xef\xbb\xbf") ? 3 : 0;
    for (int i = 0; i < dialect_.skip; ++i) SLUICE_CHECK(PassLine(&at));
    Front front;
    for (;;) {
      if (at >= window_.text().size() && window_.ended()) {
        front.records_at = at;
        return front;
      }
      size_t next = at;
      SLUICE_TRY(front.fields, FieldsAt(&next));
      front.records_at = dialect_.header ? next : at;
      if (!front.fields.empty()) return front;
      at = next;  // an empty or comment line
    }
  }

 private:
  Status PassLine(size_t* at) {
    for (;;) {
      const std::string_view text = window_.text();
      const size_t end = text.find_first_of("\r\n", *at);
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
      const std::string_view text = window_.text().substr(*at);
      FrontRecord front =
          TakeFrontRecord(text.data(), text.size(), window_.ended(), dialect_, static_cast<size_t>(request_.max_record_bytes));
      if (!front.complete) {
        SLUICE_CHECK(window_.Grow());
        continue;
      }
      if (!front.bad.empty()) {
        return Fail(DataError("bad-header", fmt::format("{}: the first record cannot be split: {}", request_.key, front.bad))
                        .Hint("pin the dialect under read: (delimiter, quote, skip)"));
      }
      *at += front.consumed;
      return std::move(front.fields);
    }
  }

  CsvWindow& window_;
  const ReadRequest& request_;
  const CsvDialect& dialect_;
};

class CsvReader : public RecordReader {
 public:
  CsvReader(CsvWindow window, std::shared_ptr<const CsvFile> file, size_t max_record_bytes, size_t records_at)
      : window_(std::move(window)), file_(std::move(file)), max_(max_record_bytes) {
    place_.first_line = 1 + CountLines(window_.bytes()->data.get(), records_at);
    place_.first_offset = static_cast<int64_t>(records_at);
    window_.Drop(records_at);
  }

  Result<std::unique_ptr<RawBlock>> Next() override {
    for (bool first = std::exchange(fresh_, false);; first = false) {
      if (!first) {
        if (window_.ended()) return nullptr;
        SLUICE_CHECK(consumed_ == 0 ? window_.Grow() : window_.Next(window_.bytes()->size - consumed_));
      }
      SkipDiscarded();
      RecordIndex index;
      Reserve(&index);
      const auto& bytes = window_.bytes();
      const ScanResult scan = ScanRecords(bytes->data.get(), bytes->size, window_.ended(), file_->dialect, file_->fields, max_, &index);
      consumed_ = scan.consumed;
      discarding_ = scan.discarding;
      const CsvBlockPlace place = place_;
      place_.first_row += static_cast<int64_t>(index.size());
      place_.first_line += CountLines(bytes->data.get(), consumed_);
      place_.first_offset += static_cast<int64_t>(consumed_);
      fields_per_block_ = index.ends.size();
      if (index.size() > 0) return std::make_unique<CsvBlock>(file_, bytes, std::move(index), place);
    }
  }

 private:
  // The rest of a record that was cut, up to its line's end.
  void SkipDiscarded() {
    if (!discarding_) return;
    const size_t end = std::min(window_.text().find_first_of("\r\n"), window_.text().size());
    place_.first_offset += static_cast<int64_t>(end);
    window_.Drop(end);
    discarding_ = window_.text().empty() && !window_.ended();
  }
  void Reserve(RecordIndex* index) const {
    index->ends.reserve(fields_per_block_ + fields_per_block_ / 8 + 1024);
    index->starts.reserve(index->ends.capacity() / file_->fields + 1);
  }

  CsvWindow window_;
  std::shared_ptr<const CsvFile> file_;
  size_t max_;
  CsvBlockPlace place_;
  size_t consumed_ = 0, fields_per_block_ = 0;
  bool fresh_ = true, discarding_ = false;
};

class NoRecords : public RecordReader {
 public:
  Result<std::unique_ptr<RawBlock>> Next() override { return nullptr; }
};

std::vector<std::string> Numbered(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 1; i <= count; ++i) names.push_back(fmt::format("column_{}", i));
  return names;
}

// Without a header a record has as many fields as the contract has columns; fewer, if the first one does and that is accepted.
size_t FieldsWithoutHeader(const ReadRequest& request, size_t first_record) {
  const size_t contracted = request.contract->columns.size();
  const bool may_lack = request.contract->on_missing_column == contract::OnMissingColumn::kNull;
  return may_lack && first_record < contracted ? first_record : contracted;
}

std::vector<std::string> Trimmed(std::vector<std::string> names) {
  for (std::string& name : names) name = std::string(Trim(name));
  return names;
}

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenCsv(const ReadRequest& request, const CsvDialect& dialect) {
  SLUICE_TRY(auto source, OpenBytes(*request.store, request.key, request.compression));
  CsvWindow window(std::move(source), static_cast<size_t>(request.block_bytes));
  SLUICE_TRY(Front front, CsvFront(window, request, dialect).Read());
  if (front.fields.empty()) return std::make_unique<NoRecords>();
  std::vector<std::string> names =
      dialect.header ? Trimmed(std::move(front.fields)) : Numbered(FieldsWithoutHeader(request, front.fields.size()));
  SLUICE_TRY(auto file, MakeCsvFile(request, dialect, names));
  return std::make_unique<CsvReader>(std::move(window), std::move(file), static_cast<size_t>(request.max_record_bytes), front.records_at);
}

Result<std::vector<std::string>> ReadCsvHeader(const ReadRequest& request, const CsvDialect& dialect) {
  SLUICE_TRY(auto source, OpenBytes(*request.store, request.key, request.compression));
  CsvWindow window(std::move(source), 64 << 10);
  SLUICE_TRY(Front front, CsvFront(window, request, dialect).Read());
  if (!dialect.header) return Numbered(front.fields.size());
  return Trimmed(std::move(front.fields));
}

Result<std::vector<contract::Field>> NewCsvColumns(const ReadRequest& request, const CsvDialect& dialect) {
  std::vector<contract::Field> fields;
  if (!dialect.header) return fields;
  SLUICE_TRY(const auto names, ReadCsvHeader(request, dialect));
  for (const std::string& name : NewColumnNames(request, names)) {
    fields.push_back({name, contract::DataType::Of(contract::TypeKind::kString), true, {}});
  }
  return fields;
}

}  // namespace sluice::formats
