#include "formats/fixed.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "contract/arrow_types.h"
#include "contract/decode_column.h"
#include "core/text.h"
#include "formats/column_plan.h"
#include "formats/cut_record.h"
#include "formats/encoding.h"
#include "formats/ndjson_lines.h"

namespace sluice::formats {
namespace {

// What all blocks of a file share.
struct FixedFile {
  FixedOptions options;
  ColumnPlan plan;
  struct Column {
    contract::TextDecoder decoder;
    std::vector<std::string> null_tokens;
  };
  std::vector<Column> columns;  // as plan.columns
  int64_t max_record_bytes = 0, width = 0;
};

std::string_view WithoutBlanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::string_view("", 0);
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// A line's characters by their number. The text is UTF-8.
class Characters {
 public:
  explicit Characters(std::string_view line) : line_(line), ascii_(IsAscii(line)) {
    for (size_t i = 0; i < line.size() && !ascii_; ++i)
      if ((static_cast<unsigned char>(line[i]) & 0xc0) != 0x80) starts_.push_back(i);
  }
  int64_t size() const { return static_cast<int64_t>(ascii_ ? line_.size() : starts_.size()); }
  std::string_view Slice(int64_t begin, int64_t end) const {
    const size_t from = ByteOf(begin);
    return line_.substr(from, ByteOf(end) - from);
  }

 private:
  size_t ByteOf(int64_t character) const {
    if (character >= size()) return line_.size();
    return ascii_ ? static_cast<size_t>(character) : starts_[static_cast<size_t>(character)];
  }
  std::string_view line_;
  bool ascii_;
  std::vector<size_t> starts_;
};

class FixedBlock : public RawBlock {
 public:
  FixedBlock(std::shared_ptr<const FixedFile> file, std::shared_ptr<const LineBlock> lines)
      : file_(std::move(file)), lines_(std::move(lines)) {}

  Result<DecodedBatch> Decode() override {
    DecodedBatch batch;
    const size_t rows = lines_->lines.size();
    std::vector<std::vector<std::string_view>> texts(file_->columns.size(), std::vector<std::string_view>(rows));
    for (size_t row = 0; row < rows; ++row) Split(row, &texts, &batch.violations);
    arrow::ArrayVector arrays;
    arrow::FieldVector fields;
    for (size_t i = 0; i < file_->columns.size(); ++i) {
      const contract::Field& field = file_->plan.columns[i].field;
      fields.push_back(contract::ToArrow(field));
      SLUICE_TRY(auto array, contract::DecodeColumn(file_->columns[i].decoder, field.name, texts[i], &batch.violations));
      arrays.push_back(std::move(array));
    }
    std::stable_sort(batch.violations.begin(), batch.violations.end(), [](const auto& a, const auto& b) { return a.row < b.row; });
    batch.rows = arrow::RecordBatch::Make(arrow::schema(fields), static_cast<int64_t>(rows), std::move(arrays));
    batch.first_row = lines_->first_row;
    batch.place = [lines = lines_](int64_t row) {
      const LineBlock::Line& line = lines->lines[static_cast<size_t>(row)];
      return RecordPlace{lines->first_row + row, lines->first_line + line.number, lines->offset_of(line)};
    };
    batch.raw = [lines = lines_](int64_t row) { return std::string(lines->text(static_cast<size_t>(row))); };
    return batch;
  }

 private:
  // The line's fields; data() == nullptr is NULL. All NULL where the line as a whole is refused.
  void Split(size_t row, std::vector<std::vector<std::string_view>>* texts, std::vector<contract::Violation>* violations) const {
    const std::string_view line = lines_->text(row);
    const auto refuse = [&](const char* rule, std::string message) {
      violations->push_back({static_cast<int64_t>(row), "", rule, contract::CutValue(line), std::move(message), false});
    };
    if (lines_->lines[row].cut) return refuse("length", CutRecordMessage(file_->max_record_bytes));
    if (!IsValidUtf8(line)) return refuse("encoding", "not valid UTF-8");
    if (line.find('\0') != std::string_view::npos) return refuse("encoding", "holds a NUL byte");
    const Characters characters(line);
    if (characters.size() < file_->width && !file_->options.pad)
      return refuse("fields", fmt::format("{} characters, {} expected", characters.size(), file_->width));
    if (!WithoutBlanks(characters.Slice(file_->width, characters.size())).empty())
      return refuse("fields", fmt::format("{} characters, {} expected, and not only blanks behind them", characters.size(), file_->width));
    const auto field = [&](int position) {
      const FixedField& at = file_->options.fields[static_cast<size_t>(position)];
      return WithoutBlanks(characters.Slice(at.start, at.start + at.width));
    };
    for (size_t i = 0; i < file_->columns.size(); ++i) {
      if (file_->plan.columns[i].file_column < 0) continue;
      const std::string_view text = field(file_->plan.columns[i].file_column);
      const auto& tokens = file_->columns[i].null_tokens;
      if (std::find(tokens.begin(), tokens.end(), text) == tokens.end()) (*texts)[i][row] = text;
    }
    for (const int position : file_->plan.refused)
      if (const std::string_view text = field(position); !text.empty())
        violations->push_back({static_cast<int64_t>(row), file_->plan.file_names[static_cast<size_t>(position)], "new_column",
                               contract::CutValue(text), "the contract has no such column", false});
  }

  std::shared_ptr<const FixedFile> file_;
  std::shared_ptr<const LineBlock> lines_;
};

class FixedReader : public RecordReader {
 public:
  FixedReader(std::shared_ptr<const FixedFile> file, LineReader lines) : file_(std::move(file)), lines_(std::move(lines)) {}
  Result<std::unique_ptr<RawBlock>> Next() override {
    while (true) {
      SLUICE_TRY(auto block, lines_.Next());
      if (block == nullptr) return std::unique_ptr<RawBlock>();
      if (!block->lines.empty()) return std::make_unique<FixedBlock>(file_, std::move(block));
    }
  }

 private:
  std::shared_ptr<const FixedFile> file_;
  LineReader lines_;
};

std::vector<std::string> NamesOf(const FixedOptions& options) {
  std::vector<std::string> names;
  for (const FixedField& field : options.fields) names.push_back(field.name);
  return names;
}

std::vector<std::string> NullTokensOf(const contract::Contract& contract, const ColumnPlan::Column& column) {
  if (column.contract_column < 0) return contract.null_tokens;
  return contract.columns[static_cast<size_t>(column.contract_column)].null_tokens.value_or(contract.null_tokens);
}

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenFixed(const ReadRequest& request) {
  auto file = std::make_shared<FixedFile>();
  file->options = request.options.fixed;
  file->max_record_bytes = request.max_record_bytes;
  if (file->options.fields.empty())
    return Fail(UserError("missing-key", fmt::format("where do the fields of {} stand?", NameOf(request)))
                    .Hint("say it in `read`: widths: [10, 8, 12], or give each column of the contract its start and width"));
  SLUICE_TRY(file->plan, PlanColumns(request, NamesOf(file->options)));
  for (const ColumnPlan::Column& column : file->plan.columns) {
    SLUICE_TRY(auto decoder, DecoderOf(request, column));
    file->columns.push_back({std::move(decoder), NullTokensOf(*request.contract, column)});
  }
  for (const FixedField& field : file->options.fields) file->width = std::max(file->width, field.start + field.width);
  SLUICE_TRY(auto bytes, OpenText(request));
  LineReader lines(std::move(bytes), request.block_bytes, request.max_record_bytes, request.encoding);
  SLUICE_CHECK(lines.SkipLines(file->options.skip));
  return std::make_unique<FixedReader>(std::move(file), std::move(lines));
}

Result<std::vector<contract::Field>> NewFixedColumns(const ReadRequest& request) {
  std::vector<contract::Field> fields;
  for (const std::string& name : NewColumnNames(request, NamesOf(request.options.fixed)))
    fields.push_back({name, contract::DataType::Of(contract::TypeKind::kString), true, {}});
  return fields;
}

}  // namespace sluice::formats
