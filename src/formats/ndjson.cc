#include "formats/ndjson.h"

#include <fmt/format.h>

#include <utility>

#include "core/text.h"
#include "formats/encoding.h"
#include "formats/json_columns.h"
#include "formats/json_lines_block.h"
#include "formats/ndjson_lines.h"
#include "formats/new_json_fields.h"

namespace sluice::formats {
namespace {

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
      if (!block->lines.empty()) return JsonBlock(std::move(block), shape_, max_record_bytes_);
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
  if (first != "[" && first != "{" && !first.starts_with("[{")) return Ok();
  return Fail(DataError("not-ndjson", fmt::format("{} is one JSON {}, not one object per line", NameOf(request),
                                                  first[0] == '[' ? "array" : "object over several lines"))
                  .Hint(first[0] == '[' ? "write format: json, which reads it; or turn it into lines: jq -c '.[]' old.json > new.ndjson"
                                        : "write format: json, which reads it; or turn it into lines: jq -c . old.json > new.ndjson"));
}

Result<LineReader> OpenLines(const ReadRequest& request) {
  SLUICE_TRY(auto bytes, OpenText(request));
  return LineReader(std::move(bytes), request.block_bytes, request.max_record_bytes, request.encoding);
}

}  // namespace

Result<std::unique_ptr<RecordReader>> OpenNdjson(const ReadRequest& request) {
  SLUICE_TRY(FieldShape shape, ShapeOf(request));
  SLUICE_TRY(LineReader lines, OpenLines(request));
  SLUICE_TRY(auto first, lines.Next());
  while (first != nullptr && first->lines.empty()) {  // a block of blank lines
    SLUICE_TRY(first, lines.Next());
  }
  SLUICE_CHECK(CheckFirstLine(request, first.get()));
  return std::make_unique<NdjsonReader>(std::move(lines), std::make_shared<const FieldShape>(std::move(shape)), std::move(first),
                                        request.max_record_bytes);
}

Result<std::vector<contract::Field>> NewNdjsonColumns(const ReadRequest& request) {
  if (request.contract->on_new_column != contract::OnNewColumn::kEvolve) return std::vector<contract::Field>();
  SLUICE_TRY(LineReader lines, OpenLines(request));
  NewJsonFields fields(request);
  while (true) {
    SLUICE_TRY(const auto block, lines.Next());
    if (block == nullptr) return std::move(fields).Take();
    fields.Look(*block);
    if (fields.full()) return std::move(fields).Take();
  }
}

}  // namespace sluice::formats
