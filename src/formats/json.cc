#include "formats/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/encoding.h"
#include "formats/json_documents.h"
#include "formats/json_lines_block.h"
#include "formats/new_json_fields.h"

namespace sluice::formats {
namespace {

constexpr size_t kLookBytes = 64 << 10;  // of the file, to see how its documents stand

// What was looked at, and then the rest.
class LookedAtBytes : public ByteSource {
 public:
  LookedAtBytes(std::string looked_at, std::unique_ptr<ByteSource> rest) : looked_at_(std::move(looked_at)), rest_(std::move(rest)) {}
  Result<size_t> Read(char* buffer, size_t capacity) override {
    if (at_ == looked_at_.size()) return rest_->Read(buffer, capacity);
    const size_t n = std::min(capacity, looked_at_.size() - at_);
    std::memcpy(buffer, looked_at_.data() + at_, n);
    at_ += n;
    return n;
  }

 private:
  std::string looked_at_;
  size_t at_ = 0;
  std::unique_ptr<ByteSource> rest_;
};

// Where the object that `text` begins with ends; npos: not within it.
size_t EndOfObject(std::string_view text) {
  int64_t depth = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

// The first line is a whole object, and the next one begins another.
bool OneALine(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const std::string_view line = text.substr(0, text.find('\n'));
  if (!line.starts_with('{') || EndOfObject(line) == std::string_view::npos) return false;
  if (!Trim(line.substr(EndOfObject(line))).empty()) return false;
  text.remove_prefix(line.size());
  const size_t next = text.find_first_not_of(" \t\r\n");
  return next == std::string_view::npos || text[next] == '{';
}

// Whole records of the file, however they stand in it.
class JsonRecords {
 public:
  static Result<JsonRecords> Open(const ReadRequest& request) {
    SLUICE_TRY(auto bytes, OpenText(request));
    std::string looked_at(kLookBytes, '\0');
    size_t have = 0;
    while (have < looked_at.size()) {
      const auto n = bytes->Read(looked_at.data() + have, looked_at.size() - have);
      if (!n && have == 0) return Fail(n.error());
      if (!n || *n == 0) break;  // an error comes again behind what is here
      have += *n;
    }
    looked_at.resize(have);
    const std::string uri = NameOf(request);
    const bool lines = OneALine(looked_at);
    auto source = std::make_unique<LookedAtBytes>(std::move(looked_at), std::move(bytes));
    if (lines) return JsonRecords(LineReader(std::move(source), request.block_bytes, request.max_record_bytes, request.encoding));
    return JsonRecords(DocumentReader(std::move(source), request.block_bytes, request.max_record_bytes, uri, request.encoding));
  }

  // Null at the end; blocks have records.
  Result<std::unique_ptr<LineBlock>> Next() {
    while (true) {
      SLUICE_TRY(auto block, std::visit([](auto& reader) { return reader.Next(); }, reader_));
      if (block == nullptr || !block->lines.empty()) return block;
    }
  }

 private:
  explicit JsonRecords(std::variant<LineReader, DocumentReader> reader) : reader_(std::move(reader)) {}
  std::variant<LineReader, DocumentReader> reader_;
};

class JsonReader : public RecordReader {
 public:
  JsonReader(JsonRecords records, FieldShape shape, int64_t max_record_bytes)
      : records_(std::move(records)), shape_(std::make_shared<const FieldShape>(std::move(shape))), max_record_bytes_(max_record_bytes) {}

  Result<std::unique_ptr<RawBlock>> Next() override {
    SLUICE_TRY(auto block, records_.Next());
    if (block == nullptr) return std::unique_ptr<RawBlock>();
    return JsonBlock(std::move(block), shape_, max_record_bytes_);
  }

 private:
  JsonRecords records_;
  std::shared_ptr<const FieldShape> shape_;
  int64_t max_record_bytes_;
};

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenJson(const ReadRequest& request) {
  SLUICE_TRY(FieldShape shape, ShapeOf(request));
  SLUICE_TRY(JsonRecords records, JsonRecords::Open(request));
  return std::make_unique<JsonReader>(std::move(records), std::move(shape), request.max_record_bytes);
}

Result<std::vector<contract::Field>> NewJsonColumns(const ReadRequest& request) {
  if (request.contract->on_new_column != contract::OnNewColumn::kEvolve) return std::vector<contract::Field>();
  SLUICE_TRY(JsonRecords records, JsonRecords::Open(request));
  NewJsonFields fields(request);
  while (true) {
    SLUICE_TRY(const auto block, records.Next());
    if (block == nullptr) return std::move(fields).Take();
    fields.Look(*block);
    if (fields.full()) return std::move(fields).Take();
  }
}

}  // namespace sluice::formats
