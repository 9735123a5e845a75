#include "input.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <iterator>

#include "contract/type.h"
#include "core/clock.h"
#include "store/object_store.h"

namespace sluice::fuzz {
namespace {

std::string TextOf(formats::RawBlock& block) {
  auto batch = block.Decode();
  if (!batch) return "error " + batch.error().code + "\n";
  Require(batch->rows->ValidateFull().ok(), "the arrays hold together", batch->rows->ValidateFull().ToString());
  std::string text;
  size_t violation = 0;
  int64_t before = -1;
  for (int64_t row = 0; row < batch->rows->num_rows(); ++row) {
    const auto place = batch->place(row);
    Require(place.row == batch->first_row + row, "rows are counted");
    // Of a record beyond the limit so much is kept as was at hand, at least the limit: in blocks of another size another part.
    const bool cut =
        violation < batch->violations.size() && batch->violations[violation].row == row && batch->violations[violation].rule == "length";
    text +=
        fmt::format("{} line {} at {} [{}]", place.row, place.line, place.offset, batch->raw(row).substr(0, cut ? 40 : std::string::npos));
    for (const auto& column : batch->rows->columns()) text += " | " + (*column->GetScalar(row))->ToString();
    for (; violation < batch->violations.size() && batch->violations[violation].row == row; ++violation)
      text += fmt::format(" !{}:{}:{}", batch->violations[violation].column, batch->violations[violation].rule,
                          batch->violations[violation].message);
    text += "\n";
  }
  for (const auto& one : batch->violations) {
    Require(one.row >= before, "violations are in the rows' order");
    before = one.row;
  }
  Require(violation == batch->violations.size(), "each violation has its row");
  return text;
}

}  // namespace

formats::CsvDialect DialectOf(unsigned which) {
  formats::CsvDialect dialect;
  if (which == 1) dialect.delimiter = ';';
  if (which == 2) dialect.delimiter = '\t', dialect.quote = dialect.escape = '\0';
  if (which == 3) dialect.escape = '\\', dialect.comment = '#';
  if (which == 4) dialect.quote = dialect.escape = '\'', dialect.delimiter = '|';
  if (which == 5) dialect.header = false, dialect.skip = 1;
  return dialect;
}

std::string Transcript(Result<std::unique_ptr<formats::RecordReader>> reader) {
  if (!reader) return "error " + reader.error().code + "\n";
  std::string text;
  for (;;) {
    auto block = (*reader)->Next();
    if (!block) return text + "error " + block.error().code + "\n";
    if (*block == nullptr) return text;
    text += TextOf(**block);
  }
}

struct File::Parts {
  FixedClock clock{Instant{1}};
  std::unique_ptr<store::ObjectStore> store = store::NewMemoryStore(clock);
  contract::Contract contract;
};

File::File(std::string_view bytes, unsigned contract) : parts_(std::make_unique<Parts>()) {
  static const std::vector<std::vector<std::pair<const char*, const char*>>> kColumns = {
      {{"a", "string"}, {"b", "bigint"}, {"c", "decimal(12,2)"}},
      {{"a", "date"}, {"b", "timestamp"}, {"c", "double"}, {"d", "boolean"}},
      {{"a", "list<struct<x: int, y: map<string, decimal(5,2)>>>"}, {"b", "struct<x: string, y: list<bigint>>"}, {"c", "timestamp_ntz"}},
      {{"a", "string"}},
  };
  Require(static_cast<bool>(parts_->store->Put("f", bytes)), "the store takes the file");
  for (const auto& [name, type] : kColumns[contract % kColumns.size()]) {
    contract::ColumnContract column;
    column.name = name;
    column.type = *contract::ParseType(type);
    parts_->contract.columns.push_back(std::move(column));
  }
  parts_->contract.zone = "UTC";
  parts_->contract.on_new_column = contract % 2 == 0 ? contract::OnNewColumn::kEvolve : contract::OnNewColumn::kFreeze;
}

File::~File() = default;

formats::ReadRequest File::Request(int64_t block_bytes, int64_t max_record_bytes) const {
  formats::ReadRequest request;
  request.store = parts_->store.get();
  request.key = "f";
  request.contract = &parts_->contract;
  request.block_bytes = block_bytes;
  request.max_record_bytes = max_record_bytes;
  return request;
}

}  // namespace sluice::fuzz
