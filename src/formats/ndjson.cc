#include "formats/ndjson.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <utility>

#include "core/text.h"
#include "formats/bytes.h"
#include "formats/cut_record.h"
#include "formats/json_columns.h"
#include "formats/ndjson_lines.h"

namespace sluice::formats {
namespace {

class NdjsonBlock : public RawBlock {
 public:
  NdjsonBlock(std::shared_ptr<const LineBlock> block, std::shared_ptr<const FieldShape> shape, int64_t max_record_bytes)
      : block_(std::move(block)), shape_(std::move(shape)), max_record_bytes_(max_record_bytes) {}

  Result<DecodedBatch> Decode() override {
    JsonColumns columns(*shape_);
    for (size_t i = 0; i < block_->lines.size(); ++i) {
      if (block_->lines[i].cut)
        columns.Refuse(block_->text(i), "length", CutRecordMessage(max_record_bytes_));
      else
        columns.Append(block_->text(i));
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
  std::shared_ptr<const FieldShape> shape_;
  int64_t max_record_bytes_;
};

class NdjsonReader : public RecordReader {
 public:
  NdjsonReader(LineReader lines, std::shared_ptr<const FieldShape> shape, std::unique_ptr<LineBlock> first, int64_t max_record_bytes)
      : lines_(std::move(lines)), shape_(std::move(shape)), first_(std::move(first)), max_record_bytes_(max_record_bytes) {}

  Result<std::unique_ptr<RawBlock>> Next() override {
    while (true) {
      std::unique_ptr<LineBlock> block = std::move(first_);
      if (block == nullptr) {
        SLUICE_TRY(block, lines_.Next());
      }
      if (block == nullptr) return std::unique_ptr<RawBlock>();
      if (!block->lines.empty()) return std::make_unique<NdjsonBlock>(std::move(block), shape_, max_record_bytes_);
    }
  }

 private:
  LineReader lines_;
  std::shared_ptr<const FieldShape> shape_;
  std::unique_ptr<LineBlock> first_;
  int64_t max_record_bytes_;
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
                  .Hint(first[0] == '[' ? "turn it into lines: jq -c '.[]' old.json > new.ndjson"
                                        : "turn it into lines: jq -c . old.json > new.ndjson"));
}

Result<LineReader> OpenLines(const ReadRequest& request) {
  SLUICE_TRY(auto bytes, OpenBytes(request));
  return LineReader(std::move(bytes), request.block_bytes, request.max_record_bytes);
}

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenNdjson(const ReadRequest& request) {
  SLUICE_TRY(FieldShape shape, ShapeOf(request));
  SLUICE_TRY(LineReader lines, OpenLines(request));
  SLUICE_TRY(auto first, lines.Next());
  SLUICE_CHECK(CheckFirstLine(request, first.get()));
  return std::make_unique<NdjsonReader>(std::move(lines), std::make_shared<const FieldShape>(std::move(shape)), std::move(first),
                                        request.max_record_bytes);
}

Result<std::vector<contract::Field>> NewNdjsonColumns(const ReadRequest& request) {
  std::vector<contract::Field> fields;
  if (request.contract->on_new_column != contract::OnNewColumn::kEvolve) return fields;
  const contract::Schema schema = request.schema();
  FieldShape known;
  known.children.resize(schema.fields.size());
  for (size_t i = 0; i < known.children.size(); ++i) known.children[i].name = schema.fields[i].name;
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
        if (schema.fields.size() + fields.size() > request.max_columns) return fields;
      }
    }
  }
}

}  // namespace sluice::formats
