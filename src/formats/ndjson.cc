#include "formats/ndjson.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <utility>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/json_columns.h"
#include "formats/ndjson_lines.h"

namespace sluice::formats {
namespace {

Result<JsonShape> Nested(const contract::Field& field, const std::vector<std::string>& formats, std::string_view zone, const JsonShape& like,
                         const Location& where) {
  JsonShape shape;
  shape.type = field.type;
  shape.name = field.name;
  shape.key = field.name;
  shape.trim = like.trim;
  shape.null_tokens = like.null_tokens;
  shape.new_fields = like.new_fields;
  if (!field.type.is_nested()) {
    const bool is_time = field.type.kind == contract::TypeKind::kDate || field.type.kind == contract::TypeKind::kTimestamp ||
                         field.type.kind == contract::TypeKind::kTimestampNtz;
    SLUICE_TRY(shape.decoder, contract::TextDecoder::Make(field.type, is_time ? formats : std::vector<std::string>{}, zone, where));
    return shape;
  }
  for (const contract::Field& child : field.type.children) {
    SLUICE_TRY(JsonShape nested, Nested(child, formats, zone, like, where));
    shape.children.push_back(std::move(nested));
  }
  if (field.type.kind == contract::TypeKind::kStruct) {
    for (size_t i = 0; i < shape.children.size(); ++i) shape.by_key.emplace(ToLower(shape.children[i].name), static_cast<int>(i));
    for (size_t i = 0; i < shape.children.size(); ++i) shape.by_key[shape.children[i].name] = static_cast<int>(i);
  }
  return shape;
}

// A JSON "" is text, as a quoted field of a CSV file is; only a column that lists "" itself means NULL by it.
std::vector<std::string> NullTokens(const contract::ColumnContract& column, const contract::Contract& contract) {
  if (column.null_tokens) return *column.null_tokens;
  std::vector<std::string> tokens = contract.null_tokens;
  std::erase(tokens, "");
  return tokens;
}

// `from` first: a name that another column is read from is not its own.
void IndexKeys(const ReadRequest& request, JsonShape* root) {
  const auto& columns = request.contract->columns;
  for (size_t i = 0; i < columns.size(); ++i)
    if (!columns[i].from.empty()) root->by_key.emplace(columns[i].from, static_cast<int>(i));
  for (size_t i = 0; i < columns.size(); ++i)
    if (!columns[i].from.empty()) root->by_key.emplace(ToLower(Trim(columns[i].from)), static_cast<int>(i));
  for (size_t i = 0; i < root->children.size(); ++i) root->by_key.emplace(root->children[i].name, static_cast<int>(i));
  for (size_t i = 0; i < root->children.size(); ++i) root->by_key.emplace(ToLower(root->children[i].name), static_cast<int>(i));
}

class NdjsonBlock : public RawBlock {
 public:
  NdjsonBlock(std::shared_ptr<const LineBlock> block, std::shared_ptr<const JsonShape> shape) : block_(std::move(block)), shape_(std::move(shape)) {}

  Result<DecodedBatch> Decode() override {
    JsonColumns columns(*shape_);
    for (size_t i = 0; i < block_->lines.size(); ++i) {
      if (block_->lines[i].cut) columns.Refuse(block_->text(i), "length", "the record is longer than max_record_bytes; only its beginning is kept");
      else columns.Append(block_->text(i));
    }
    DecodedBatch batch;
    SLUICE_TRY(batch.rows, columns.Finish(&batch.violations));
    batch.first_row = block_->first_row;
    batch.place = [block = block_](int64_t row) {
      const LineBlock::Line& line = block->lines[static_cast<size_t>(row)];
      return RecordPlace{block->first_row + row, block->first_line + line.number, block->offset + line.begin};
    };
    batch.raw = [block = block_](int64_t row) { return std::string(block->text(static_cast<size_t>(row))); };
    return batch;
  }

 private:
  std::shared_ptr<const LineBlock> block_;
  std::shared_ptr<const JsonShape> shape_;
};

class NdjsonReader : public RecordReader {
 public:
  NdjsonReader(LineReader lines, std::shared_ptr<const JsonShape> shape, std::unique_ptr<LineBlock> first)
      : lines_(std::move(lines)), shape_(std::move(shape)), first_(std::move(first)) {}

  Result<std::unique_ptr<RawBlock>> Next() override {
    while (true) {
      std::unique_ptr<LineBlock> block = std::move(first_);
      if (block == nullptr) {
        SLUICE_TRY(block, lines_.Next());
      }
      if (block == nullptr) return std::unique_ptr<RawBlock>();
      if (!block->lines.empty()) return std::make_unique<NdjsonBlock>(std::move(block), shape_);
    }
  }

 private:
  LineReader lines_;
  std::shared_ptr<const JsonShape> shape_;
  std::unique_ptr<LineBlock> first_;
};

// JSON as people write it for people: one array, or one object over many lines. Every line of it would be refused.
Status CheckFirstLine(const ReadRequest& request, const LineBlock* block) {
  if (block == nullptr || block->lines.empty()) return Ok();
  const std::string_view first = Trim(block->text(0));
  if (first.starts_with(std::string_view("\xff\xfe", 2)) || first.starts_with(std::string_view("\xfe\xff", 2)))
    return Fail(DataError("unsupported-encoding", fmt::format("{} is UTF-16; only UTF-8 can be read", request.store->Uri(request.key)))
                    .Hint("have it exported as UTF-8"));
  if (first != "[" && first != "{" && !first.starts_with("[{")) return Ok();
  return Fail(DataError("not-ndjson", fmt::format("{} is one JSON {}, not one object per line", request.store->Uri(request.key),
                                                  first[0] == '[' ? "array" : "object over several lines"))
                  .Hint(first[0] == '[' ? "turn it into lines: jq -c '.[]' old.json > new.ndjson" : "turn it into lines: jq -c . old.json > new.ndjson"));
}

Result<LineReader> OpenLines(const ReadRequest& request) {
  SLUICE_TRY(auto bytes, OpenBytes(*request.store, request.key, request.compression));
  return LineReader(std::move(bytes), request.block_bytes, request.max_record_bytes);
}

}  // namespace

Result<JsonShape> ShapeOf(const ReadRequest& request) {
  JsonShape root;
  root.type = contract::DataType::Struct(request.schema().fields);
  const contract::Contract& contract = *request.contract;
  for (size_t i = 0; i < root.type.children.size(); ++i) {
    const bool declared = i < contract.columns.size();
    const contract::ColumnContract column = declared ? contract.columns[i] : contract::ColumnContract{};
    JsonShape like;
    like.trim = column.trim.value_or(contract.trim);
    like.null_tokens = NullTokens(column, contract);
    like.new_fields = contract.on_new_column == contract::OnNewColumn::kFreeze ? NewFields::kIgnore : NewFields::kRefuse;
    SLUICE_TRY(JsonShape shape, Nested(root.type.children[i], column.formats, column.zone.value_or(contract.zone), like, column.where));
    if (!column.from.empty()) shape.key = column.from;
    root.children.push_back(std::move(shape));
  }
  root.new_fields = contract.on_new_column == contract::OnNewColumn::kFreeze ? NewFields::kIgnore : NewFields::kRefuse;
  IndexKeys(request, &root);
  return root;
}

Result<std::unique_ptr<RecordReader>> OpenNdjson(const ReadRequest& request) {
  SLUICE_TRY(JsonShape shape, ShapeOf(request));
  SLUICE_TRY(LineReader lines, OpenLines(request));
  SLUICE_TRY(auto first, lines.Next());
  SLUICE_CHECK(CheckFirstLine(request, first.get()));
  return std::make_unique<NdjsonReader>(std::move(lines), std::make_shared<const JsonShape>(std::move(shape)), std::move(first));
}

Result<std::vector<contract::Field>> NewNdjsonColumns(const ReadRequest& request) {
  std::vector<contract::Field> fields;
  if (request.contract->on_new_column != contract::OnNewColumn::kEvolve) return fields;
  JsonShape known;
  known.children.resize(request.schema().fields.size());
  for (size_t i = 0; i < known.children.size(); ++i) known.children[i].name = request.schema().fields[i].name;
  IndexKeys(request, &known);
  SLUICE_TRY(LineReader lines, OpenLines(request));
  JsonKeys keys;
  while (true) {
    SLUICE_TRY(const auto block, lines.Next());
    if (block == nullptr) return fields;
    for (size_t i = 0; i < block->lines.size(); ++i) {
      if (block->lines[i].cut) continue;
      for (const std::string& key : keys.Of(block->text(i))) {
        const std::string name(Trim(key));
        if (name.empty() || contract::IsMetadataColumn(name) || known.Find(name) >= 0) continue;
        known.by_key.emplace(ToLower(name), 0);
        fields.push_back({name, contract::DataType::Of(contract::TypeKind::kString), true, {}});
      }
    }
  }
}

}  // namespace sluice::formats
