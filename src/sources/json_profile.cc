#include "sources/json_profile.h"

#include <arrow/api.h>

#include <algorithm>

#include "core/text.h"
#include "formats/json_columns.h"
#include "formats/ndjson_lines.h"

namespace sluice::sources {
namespace {

using contract::DataType;
using contract::TypeKind;

constexpr int kMaxDepth = 16;
constexpr size_t kMaxFields = 200;  // an object with more keys than this is a map in disguise: it stays text

// Reads objects as the columns given, each line from a buffer of its own kind.
Result<std::shared_ptr<arrow::RecordBatch>> ReadObjects(const std::vector<std::string>& lines, const std::vector<contract::Field>& fields) {
  contract::Contract contract;
  contract.on_new_column = contract::OnNewColumn::kFreeze;
  contract.null_tokens.clear();
  for (const contract::Field& field : fields) {
    contract::ColumnContract column;
    column.name = field.name;
    column.type = field.type;
    contract.columns.push_back(std::move(column));
  }
  formats::ReadRequest request;
  request.contract = &contract;
  SLUICE_TRY(const formats::FieldShape shape, formats::ShapeOf(request));
  std::string bytes = Join(lines, "\n");
  bytes.append(formats::kJsonPadding, ' ');
  formats::JsonColumns columns(shape);
  size_t at = 0;
  for (const std::string& line : lines) {
    columns.Append({bytes.data() + at, line.size()});
    at += line.size() + 1;
  }
  std::vector<contract::Violation> violations;
  return columns.Finish(&violations);
}

std::vector<std::string> KeysOf(const std::vector<std::string>& objects) {
  std::vector<std::string> names;
  formats::JsonKeys keys;
  for (const std::string& object : objects) {
    std::string padded = object;
    padded.append(formats::kJsonPadding, ' ');
    for (const std::string& key : keys.Of({padded.data(), object.size()})) {
      const bool known = std::any_of(names.begin(), names.end(), [&](const std::string& name) { return EqualsIgnoreCase(name, key); });
      if (!known && !Trim(key).empty()) names.push_back(key);
    }
    if (names.size() > kMaxFields) break;
  }
  return names;
}

std::vector<std::string> TextsOf(const arrow::Array& array) {
  const auto& strings = static_cast<const arrow::StringArray&>(array);
  std::vector<std::string> texts;
  for (int64_t i = 0; i < strings.length(); ++i)
    if (strings.IsValid(i)) texts.push_back(strings.GetString(i));
  return texts;
}

bool AllStartWith(const std::vector<std::string>& texts, char c) {
  return !texts.empty() && std::all_of(texts.begin(), texts.end(), [&](const std::string& text) { return text.starts_with(c); });
}

Result<DataType> InferObjects(const std::vector<std::string>& objects, const InferOptions& options, int depth) {
  SLUICE_TRY(const JsonFields fields, SplitObjects(objects));
  if (fields.names.empty() || fields.names.size() > kMaxFields) return DataType::Of(TypeKind::kString);
  std::vector<contract::Field> children;
  for (size_t i = 0; i < fields.names.size(); ++i) {
    SLUICE_TRY(DataType type, InferJson(fields.texts[i], options, depth + 1));
    children.push_back({fields.names[i], std::move(type), true, {}});
  }
  return DataType::Struct(std::move(children));
}

Result<DataType> InferArrays(const std::vector<std::string>& arrays, const InferOptions& options, int depth) {
  std::vector<std::string> lines;
  for (const std::string& array : arrays) lines.push_back("{\"items\":" + array + "}");
  SLUICE_TRY(const auto batch, ReadObjects(lines, {{"items", DataType::List(DataType::Of(TypeKind::kString)), true, {}}}));
  SLUICE_TRY(DataType element, InferJson(TextsOf(*static_cast<const arrow::ListArray&>(*batch->column(0)).values()), options, depth + 1));
  return DataType::List(std::move(element));
}

}  // namespace

Result<JsonFields> SplitObjects(const std::vector<std::string>& objects) {
  JsonFields out;
  out.names = KeysOf(objects);
  std::vector<contract::Field> fields;
  for (const std::string& name : out.names) fields.push_back({name, DataType::Of(TypeKind::kString), true, {}});
  SLUICE_TRY(const auto batch, ReadObjects(objects, fields));
  for (int c = 0; c < batch->num_columns(); ++c) out.texts.push_back(TextsOf(*batch->column(c)));
  return out;
}

Result<DataType> InferJson(const std::vector<std::string>& texts, const InferOptions& options, int depth) {
  if (depth < kMaxDepth && AllStartWith(texts, '{')) return InferObjects(texts, options, depth);
  if (depth < kMaxDepth && AllStartWith(texts, '[')) return InferArrays(texts, options, depth);
  TextProfile profile;
  for (const std::string& text : texts) profile.Add(text);
  const InferredType inferred = profile.Infer({false, options.tolerance});
  if (inferred.type.kind == TypeKind::kTimestamp && inferred.without_zone) return DataType::Of(TypeKind::kTimestampNtz);
  return inferred.type;
}

}  // namespace sluice::sources
