#include "formats/csv_block.h"

#include <arrow/api.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "contract/arrow_types.h"
#include "contract/decode_column.h"
#include "core/text.h"
#include "formats/byte_masks.h"
#include "formats/encoding.h"

namespace sluice::formats {

using contract::Violation;

namespace {

constexpr size_t kMostSpares = 4, kMostSpareBytes = 8 << 20;

}  // namespace

Result<std::shared_ptr<const CsvFile>> MakeCsvFile(const ReadRequest& request, const CsvDialect& dialect,
                                                   const std::vector<std::string>& names) {
  auto file = std::make_shared<CsvFile>();
  file->dialect = dialect;
  file->encoding = request.encoding;
  file->contract = request.contract;
  SLUICE_TRY(file->plan, PlanColumns(request, names, dialect.header));
  file->fields = static_cast<uint32_t>(names.size());
  file->dictionaries = request.dictionaries;
  for (const ColumnPlan::Column& column : file->plan.columns) {
    SLUICE_TRY(auto decoder, DecoderOf(request, column));
    file->decoders.push_back(std::move(decoder));
  }
  return std::shared_ptr<const CsvFile>(std::move(file));
}

std::unique_ptr<CsvBytes> CsvBytes::Make(size_t capacity) {
  auto bytes = std::make_unique<CsvBytes>();
  bytes->data = std::make_unique_for_overwrite<char[]>(capacity + 64);
  bytes->capacity = capacity;
  return bytes;
}

std::shared_ptr<CsvBytes> CsvBytesPool::Make(size_t capacity) {
  std::unique_ptr<CsvBytes> bytes;
  {
    const std::lock_guard lock(spares_->mutex);
    if (!spares_->bytes.empty()) {
      bytes = std::move(spares_->bytes.back());
      spares_->bytes.pop_back();
    }
  }
  if (bytes == nullptr || bytes->capacity < capacity) bytes = CsvBytes::Make(capacity);
  bytes->size = 0;
  return {bytes.release(), [spares = spares_](CsvBytes* unused) {
            std::unique_ptr<CsvBytes> spare(unused);
            const std::lock_guard lock(spares->mutex);
            if (spare->capacity <= kMostSpareBytes && spares->bytes.size() < kMostSpares) spares->bytes.push_back(std::move(spare));
          }};
}

struct CsvBlock::Content {
  std::shared_ptr<const CsvFile> file;
  CsvSlice slice;
  RecordIndex index;
  CsvBlockPlace place;
  std::mutex place_mutex;
  size_t counted = 0;                       // bytes before the record that was asked for last …
  int64_t line_ends = 0, source_bytes = 0;  // … the line ends among them, and what they are in the file's own encoding

  size_t End(size_t row) const {
    const auto bad = std::lower_bound(index.bad.begin(), index.bad.end(), row, [](const BadRecord& b, size_t r) { return b.record < r; });
    if (bad != index.bad.end() && bad->record == row) return bad->end;
    return index.ends[row * index.fields + index.fields - 1];
  }
  std::string_view Raw(size_t row) const { return {slice.data() + index.starts[row], End(row) - index.starts[row]}; }

  RecordPlace Place(size_t row) {
    const size_t start = index.starts[row];
    const std::lock_guard lock(place_mutex);
    if (start < counted) counted = 0, line_ends = 0, source_bytes = 0;
    const std::string_view passed(slice.data() + counted, start - counted);
    line_ends += CountLineEnds(passed.data(), passed.size());
    source_bytes += SourceSize(file->encoding).Of(passed);
    counted = start;
    return {place.first_row + static_cast<int64_t>(row), place.first_line + line_ends, place.first_offset + source_bytes};
  }
};

CsvBlock::CsvBlock(std::shared_ptr<const CsvFile> file, CsvSlice slice, RecordIndex index, CsvBlockPlace place)
    : content_(std::make_shared<Content>()) {
  content_->file = std::move(file);
  content_->slice = std::move(slice);
  content_->index = std::move(index);
  content_->place = place;
}

namespace {

// Records whose bytes are no text: bad too, from now on.
void FindBadText(const char* bytes, size_t size, const std::string& encoding, RecordIndex* index,
                 const std::function<std::string_view(size_t)>& raw) {
  const bool nul = std::memchr(bytes, '\0', size) != nullptr;
  if (!nul && simdjson::validate_utf8(bytes, size)) return;
  std::vector<BadRecord> found;
  for (size_t row = 0; row < index->size(); ++row) {
    const std::string_view text = raw(row);
    std::string message;
    if (!simdjson::validate_utf8(text.data(), text.size()))
      message = "not valid " + (encoding.empty() ? "UTF-8" : encoding);
    else if (text.find('\0') != std::string_view::npos)
      message = "holds a NUL byte";
    if (message.empty()) continue;
    const auto end = static_cast<uint32_t>(index->starts[row] + text.size());
    found.push_back({static_cast<uint32_t>(row), end, "encoding", std::move(message)});
  }
  for (BadRecord& bad : found) {
    const auto at =
        std::lower_bound(index->bad.begin(), index->bad.end(), bad.record, [](const BadRecord& b, uint32_t r) { return b.record < r; });
    if (at == index->bad.end() || at->record != bad.record)
      index->bad.insert(at, std::move(bad));
    else if (std::strcmp(at->rule, "length") != 0)  // that only its beginning is here must stay known
      *at = std::move(bad);
  }
}

// How the fields of one column become texts.
struct FieldRules {
  bool trim = false;
  bool empty_is_null = false;
  bool quoted_may_be_null = false;            // a column that is no text: "" cannot be a value of it
  std::vector<std::string_view> null_tokens;  // without ""

  FieldRules(const CsvFile& file, const ColumnPlan::Column& column) {
    const contract::ColumnContract* own =
        column.contract_column >= 0 ? &file.contract->columns[static_cast<size_t>(column.contract_column)] : nullptr;
    trim = own != nullptr && own->trim ? *own->trim : file.contract->trim;
    const auto& tokens = own != nullptr && own->null_tokens ? *own->null_tokens : file.contract->null_tokens;
    for (const std::string& token : tokens) {
      if (token.empty())
        empty_is_null = true;
      else
        null_tokens.push_back(token);
    }
    const auto kind = column.field.type.kind;
    quoted_may_be_null = kind != contract::TypeKind::kString && kind != contract::TypeKind::kBinary;
  }

  bool IsNull(std::string_view text) const {
    if (text.empty()) return empty_is_null;
    return !null_tokens.empty() && std::find(null_tokens.begin(), null_tokens.end(), text) != null_tokens.end();
  }
};

// Texts that had to be rewritten (doubled quotes). Views stay valid until it is cleared.
class TextArena {
 public:
  // Room for so many bytes; what is made of it is then taken.
  char* Room(size_t bytes) {
    if (bytes > left_) {
      left_ = std::max(bytes, kChunk);
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
      at_ = chunks_.back().get();
    }
    return at_;
  }
  std::string_view Take(size_t bytes) {
    const std::string_view text(at_, bytes);
    at_ += bytes;
    left_ -= bytes;
    return text;
  }
  void Clear() {
    chunks_.clear();
    left_ = 0;
  }

 private:
  static constexpr size_t kChunk = size_t{64} << 10;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* at_ = nullptr;
  size_t left_ = 0;
};

std::string_view QuotedText(std::string_view field, const CsvDialect& dialect, const FieldRules& rules, TextArena* arena) {
  std::string_view text = field.substr(1, field.size() - 2);
  if (!text.empty() && std::memchr(text.data(), dialect.escape, text.size()) != nullptr) {
    char* const room = arena->Room(text.size());
    text = arena->Take(UnescapeInto(text, dialect, room));
  }
  if (rules.trim) text = Trim(text);
  if (rules.quoted_may_be_null && rules.IsNull(text)) return {};
  return text.data() == nullptr ? std::string_view("") : text;
}

void ViewColumn(const CsvFile& file, const char* bytes, const RecordIndex& index, size_t position, const FieldRules& rules,
                TextArena* arena, std::vector<std::string_view>* views) {
  const char quote = file.dialect.quote;
  const uint32_t stride = index.fields;
  const auto gap = static_cast<uint32_t>(file.dialect.delimiter_size());
  const uint32_t* end_of = index.ends.data() + position;
  const bool plain = !rules.trim && rules.null_tokens.empty() && rules.empty_is_null;
  for (size_t row = 0; row < index.size(); ++row, end_of += stride) {
    const uint32_t begin = position == 0 ? index.starts[row] : end_of[-1] + gap;
    const char* text = bytes + begin;
    const size_t length = *end_of - begin;
    std::string_view& view = (*views)[row];
    if (length != 0 && quote != '\0' && *text == quote) {
      view = QuotedText({text, length}, file.dialect, rules, arena);
    } else if (plain) {
      view = length == 0 ? std::string_view() : std::string_view(text, length);
    } else {
      const std::string_view trimmed = rules.trim ? Trim({text, length}) : std::string_view(text, length);
      view = rules.IsNull(trimmed) ? std::string_view() : trimmed.data() == nullptr ? std::string_view("") : trimmed;
    }
  }
  for (const BadRecord& bad : index.bad) (*views)[bad.record] = {};
}

std::shared_ptr<arrow::Array> AllNull(const contract::DataType& type, size_t rows) {
  return *arrow::MakeArrayOfNull(contract::ToArrow(type), static_cast<int64_t>(rows));
}

}  // namespace

Result<DecodedBatch> CsvBlock::Decode() {
  Content& content = *content_;
  const CsvFile& file = *content.file;
  const char* bytes = content.slice.data();
  RecordIndex& index = content.index;
  FindBadText(bytes, content.slice.size, file.encoding, &index, [&](size_t row) { return content.Raw(row); });
  DecodedBatch batch;
  batch.first_row = content.place.first_row;
  TextArena arena;
  std::vector<std::string_view> views(index.size());
  std::vector<std::shared_ptr<arrow::Array>> columns;
  std::vector<std::shared_ptr<arrow::Field>> fields;
  for (size_t i = 0; i < file.plan.columns.size(); ++i) {
    const ColumnPlan::Column& column = file.plan.columns[i];
    fields.push_back(contract::ToArrow(column.field));
    if (column.file_column < 0) {
      columns.push_back(AllNull(column.field.type, index.size()));
      continue;
    }
    arena.Clear();
    ViewColumn(file, bytes, index, static_cast<size_t>(column.file_column), FieldRules(file, column), &arena, &views);
    contract::TextDictionary* dictionary = file.dictionaries.empty() ? nullptr : file.dictionaries[i].get();
    SLUICE_TRY(auto array, contract::DecodeColumn(file.decoders[i], column.field.name, views, &batch.violations, dictionary));
    columns.push_back(std::move(array));
  }
  for (const int position : file.plan.refused) {
    ColumnPlan::Column column{{file.plan.file_names[static_cast<size_t>(position)], contract::DataType::Of(contract::TypeKind::kString)}};
    arena.Clear();
    ViewColumn(file, bytes, index, static_cast<size_t>(position), FieldRules(file, column), &arena, &views);
    for (size_t row = 0; row < views.size(); ++row) {
      if (views[row].data() == nullptr) continue;
      batch.violations.push_back(
          {static_cast<int64_t>(row), column.field.name, "new_column", contract::CutValue(views[row]),
           column.field.name.empty() ? "a value where the header names no field" : "the contract does not have this column", false});
    }
  }
  for (const BadRecord& bad : index.bad) {
    const bool text = std::strcmp(bad.rule, "encoding") != 0;
    batch.violations.push_back({bad.record, "", bad.rule, text ? contract::CutValue(content.Raw(bad.record)) : "", bad.message, false});
  }
  std::stable_sort(batch.violations.begin(), batch.violations.end(), [](const Violation& a, const Violation& b) { return a.row < b.row; });
  batch.rows = arrow::RecordBatch::Make(arrow::schema(std::move(fields)), static_cast<int64_t>(index.size()), std::move(columns));
  batch.place = [content = content_](int64_t row) { return content->Place(static_cast<size_t>(row)); };
  batch.raw = [content = content_](int64_t row) { return std::string(content->Raw(static_cast<size_t>(row))); };
  return batch;
}

}  // namespace sluice::formats
