#include "ingest/quarantine.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "contract/arrow_types.h"
#include "core/text.h"

namespace sluice::ingest {
namespace {

using contract::DataType;
using contract::Field;
using contract::Schema;
using contract::TypeKind;

DataType ViolationType() {
  const DataType text = DataType::Of(TypeKind::kString);
  return DataType::Struct({{"column", text, true, {}}, {"rule", text, true, {}}, {"value", text, true, {}}, {"message", text, true, {}}});
}

Schema MakeSchema() {
  const auto of = [](TypeKind kind) { return DataType::Of(kind); };
  Schema schema;
  schema.fields = {{"id", of(TypeKind::kString), false, {}},
                   {"record", of(TypeKind::kString), true, {}},
                   {"record_bytes", of(TypeKind::kBinary), true, {}},
                   {"format", of(TypeKind::kString), true, {}},
                   {"file", of(TypeKind::kString), true, {}},
                   {"row", of(TypeKind::kBigint), true, {}},
                   {"line", of(TypeKind::kBigint), true, {}},
                   {"byte_offset", of(TypeKind::kBigint), true, {}},
                   {"violations", DataType::List(ViolationType()), true, {}},
                   {"state", of(TypeKind::kString), false, {}},
                   {"resolved_at", of(TypeKind::kTimestamp), true, {}},
                   {"resolved_batch", of(TypeKind::kBigint), true, {}}};
  for (const Field& field : contract::BronzeMetadataColumns()) schema.fields.push_back(field);
  return schema;
}

arrow::Status AppendViolations(const std::vector<contract::Violation>& violations, arrow::ListBuilder& list) {
  ARROW_RETURN_NOT_OK(list.Append());
  auto& items = static_cast<arrow::StructBuilder&>(*list.value_builder());
  const auto text = [&](int i, const std::string& value) {
    return static_cast<arrow::StringBuilder&>(*items.field_builder(i)).Append(value);
  };
  for (const contract::Violation& violation : violations) {
    ARROW_RETURN_NOT_OK(items.Append());
    ARROW_RETURN_NOT_OK(text(0, violation.column));
    ARROW_RETURN_NOT_OK(text(1, violation.rule));
    ARROW_RETURN_NOT_OK(text(2, violation.value));
    ARROW_RETURN_NOT_OK(text(3, violation.message));
  }
  return arrow::Status::OK();
}

Error OutOfMemory(const arrow::Status& status) { return RetryableError("out-of-memory", "quarantine rows: " + status.ToString()); }

}  // namespace

// Appends rows column by column through the builders of QuarantineSchema(), by position.
class QuarantineRows::Builder {
 public:
  Builder() : schema_(contract::ToArrow(QuarantineSchema())) {
    for (const auto& field : schema_->fields()) builders_.push_back(*arrow::MakeBuilder(field->type()));
  }

  arrow::Status Append(const RefusedRecord& record, const std::string& file, const std::string& format, const std::string& source,
                       const BatchIdentity& batch) {
    const bool text = IsValidUtf8(record.raw);
    ARROW_RETURN_NOT_OK(Text(0, record.id));
    ARROW_RETURN_NOT_OK(text ? Text(1, record.raw) : builders_[1]->AppendNull());
    ARROW_RETURN_NOT_OK(text ? builders_[2]->AppendNull() : static_cast<arrow::BinaryBuilder&>(*builders_[2]).Append(record.raw));
    ARROW_RETURN_NOT_OK(Text(3, format));
    ARROW_RETURN_NOT_OK(Text(4, file));
    ARROW_RETURN_NOT_OK(Number(5, record.place.row));
    ARROW_RETURN_NOT_OK(Number(6, record.place.line));
    ARROW_RETURN_NOT_OK(Number(7, record.place.offset));
    ARROW_RETURN_NOT_OK(AppendViolations(record.violations, static_cast<arrow::ListBuilder&>(*builders_[8])));
    ARROW_RETURN_NOT_OK(Text(9, "open"));
    ARROW_RETURN_NOT_OK(builders_[10]->AppendNull());
    ARROW_RETURN_NOT_OK(builders_[11]->AppendNull());
    ARROW_RETURN_NOT_OK(Text(12, batch.run_id));
    ARROW_RETURN_NOT_OK(Number(13, batch.number));
    ARROW_RETURN_NOT_OK(Text(14, source));
    ARROW_RETURN_NOT_OK(Text(15, file));
    ARROW_RETURN_NOT_OK(Number(16, record.place.row));
    ARROW_RETURN_NOT_OK(static_cast<arrow::TimestampBuilder&>(*builders_[17]).Append(batch.ingested_at.micros));
    return static_cast<arrow::Date32Builder&>(*builders_[18]).Append(batch.execution_date);
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Finish(int64_t rows) {
    std::vector<std::shared_ptr<arrow::Array>> columns(builders_.size());
    for (size_t i = 0; i < builders_.size(); ++i) ARROW_RETURN_NOT_OK(builders_[i]->Finish(&columns[i]));
    return arrow::RecordBatch::Make(schema_, rows, std::move(columns));
  }

 private:
  arrow::Status Text(size_t i, const std::string& value) { return static_cast<arrow::StringBuilder&>(*builders_[i]).Append(value); }
  arrow::Status Number(size_t i, int64_t value) { return static_cast<arrow::Int64Builder&>(*builders_[i]).Append(value); }

  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders_;
};

const Schema& QuarantineSchema() {
  static const Schema schema = MakeSchema();
  return schema;
}

std::string QuarantineId(const BatchIdentity& batch, size_t file, int64_t row) { return fmt::format("{}-{}-{}", batch.number, file, row); }

std::string RefusedKey(const BatchIdentity& batch) {
  return fmt::format("_sluice/refused/{}/{}.{}.parquet", batch.node, batch.number, batch.attempt);
}

std::string BatchIdentity::file_prefix() const { return fmt::format("{}-{}.{}", node, number, attempt); }

QuarantineRows::QuarantineRows(const BatchIdentity& batch, std::string source)
    : builder_(std::make_unique<Builder>()), batch_(batch), source_(std::move(source)) {}
QuarantineRows::~QuarantineRows() = default;
QuarantineRows::QuarantineRows(QuarantineRows&&) noexcept = default;

Status QuarantineRows::Add(const RefusedRecord& record, const std::string& file, const std::string& format) {
  if (const auto status = builder_->Append(record, file, format, source_, batch_); !status.ok()) return Fail(OutOfMemory(status));
  ++rows_;
  bytes_ += static_cast<int64_t>(record.raw.size());
  return Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> QuarantineRows::Take() {
  auto batch = builder_->Finish(std::exchange(rows_, 0));
  bytes_ = 0;
  if (!batch.ok()) return Fail(OutOfMemory(batch.status()));
  return *batch;
}

std::string RecordFormat(sources::FileFormat format, const formats::FormatOptions& options, const formats::CsvDialect& dialect,
                         const std::vector<std::string>& header) {
  nlohmann::json json;
  if (format == sources::FileFormat::kFixed) {
    json = {{"format", "fixed"}, {"pad", options.fixed.pad}, {"fields", nlohmann::json::array()}};
    for (const formats::FixedField& field : options.fixed.fields) json["fields"].push_back({field.name, field.start, field.width});
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  if (format != sources::FileFormat::kCsv) {
    json["format"] = "json";  // a record of another format is kept as the JSON object it stands for
    return json.dump();
  }
  const auto one = [](char c) { return c == '\0' ? std::string() : std::string(1, c); };
  json["format"] = "csv";
  json["delimiter"] = dialect.delimiter_text();
  json["quote"] = one(dialect.quote);
  json["escape"] = one(dialect.escape);
  json["comment"] = one(dialect.comment);
  if (dialect.header) json["header"] = header;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sluice::ingest
