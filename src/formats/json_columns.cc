#include "formats/json_columns.h"

#include <arrow/api.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <deque>
#include <tuple>

#include "contract/arrow_types.h"
#include "contract/decode_column.h"
#include "core/text.h"
#include "formats/json_number.h"
#include "formats/json_tree.h"
#include "formats/ndjson_lines.h"

namespace sluice::formats {
namespace {

namespace ondemand = simdjson::ondemand;
using contract::TypeKind;
using contract::Violation;
using simdjson::error_code;

constexpr int kMaxDepth = 128;
constexpr error_code kTooDeep = simdjson::DEPTH_ERROR;

static_assert(kJsonPadding >= simdjson::SIMDJSON_PADDING);

std::string_view TrimRight(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

bool IsLiteral(std::string_view token) { return token == "true" || token == "false" || token == "null"; }

std::string MessageOf(error_code code) {
  switch (code) {
    case simdjson::UTF8_ERROR:
      return "not valid UTF-8";
    case simdjson::UNCLOSED_STRING:
      return "not valid JSON: a string is not closed";
    case simdjson::UNESCAPED_CHARS:
      return "not valid JSON: a control character in a string";
    case simdjson::STRING_ERROR:
      return "not valid JSON: a bad escape in a string";
    case simdjson::NUMBER_ERROR:
      return "not valid JSON: a malformed number";
    case simdjson::INCORRECT_TYPE:
      return "not a JSON object";
    case simdjson::TRAILING_CONTENT:
      return "more than one JSON value in the line";
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
      return "not valid JSON: an object or array is not closed";
    case kTooDeep:
      return fmt::format("nested deeper than {} levels", kMaxDepth);
    default:
      return "not valid JSON";
  }
}

}  // namespace

struct JsonColumns::Impl {
  explicit Impl(const FieldShape& shape) : root(shape, nullptr) {}

  ondemand::parser parser;
  JsonNode root;
  std::deque<std::string> texts;  // those that are not spelt in the input as they are
  std::vector<Violation> violations;
  std::string_view line;
  const JsonNode* column = nullptr;  // the top-level field being read
  bool new_columns = false;
  JsonKeys keys;  // of lines that are no acceptable record

  // --- reading; an error_code ends the record ---

  error_code AppendRecord() {
    ondemand::document document;
    if (const error_code e = parser.iterate(line.data(), line.size(), line.size() + kJsonPadding).get(document)) return e;
    ondemand::object object;
    if (const error_code e = document.get_object().get(object)) return e;
    if (const error_code e = AppendObject(object, &root, 0)) return e;
    return document.current_location().error() == simdjson::OUT_OF_BOUNDS ? simdjson::SUCCESS : simdjson::TRAILING_CONTENT;
  }

  error_code AppendObject(ondemand::object& object, JsonNode* node, int depth) {
    const size_t index = node->size();
    size_t guess = 0;  // records mostly have their fields in one order
    for (auto field_result : object) {
      ondemand::field field;
      if (const error_code e = std::move(field_result).get(field)) return e;
      std::string_view key;
      if (const error_code e = field.unescaped_key(false).get(key)) return e;
      const bool guessed = guess < node->children.size() && node->children[guess]->shape.key == key;
      const int at = guessed ? static_cast<int>(guess) : node->shape.Find(key);
      if (at >= 0) guess = static_cast<size_t>(at) + 1;
      if (const error_code e = AppendField(field.value(), key, at, index, node, depth)) return e;
    }
    for (auto& child : node->children)
      if (child->size() == index) child->AppendNull();
    node->valid.push_back(1);
    return simdjson::SUCCESS;
  }

  error_code AppendField(ondemand::value& value, std::string_view key, int at, size_t index, JsonNode* node, int depth) {
    const bool is_root = node == &root;
    if (at < 0) {
      new_columns |= is_root && MayBeColumn(node->shape, key);
      if (node->shape.new_fields == NewFields::kRefuse) AddNewField(is_root, key, node, value);
      return Walk(value, depth + 1);
    }
    JsonNode* child = node->children[static_cast<size_t>(at)].get();
    if (is_root) column = child;
    if (child->size() > index) {
      AddViolation("fields", key, fmt::format("the field \"{}\" is there twice", key));
      return Walk(value, depth + 1);
    }
    return AppendValue(value, child, depth + 1);
  }

  error_code AppendValue(ondemand::value& value, JsonNode* node, int depth) {
    if (depth > kMaxDepth) return kTooDeep;
    const std::string_view token = TrimRight(value.raw_json_token());
    if (token.empty()) return simdjson::TAPE_ERROR;
    if (token == "null") {
      node->AppendNull();
      return simdjson::SUCCESS;
    }
    if (node->IsScalar()) return AppendScalar(value, token, node, depth);
    if (node->IsStruct() && token[0] == '{') {
      ondemand::object object;
      if (const error_code e = value.get_object().get(object)) return e;
      return AppendObject(object, node, depth);
    }
    if (node->shape.type.kind == TypeKind::kMap && token[0] == '{') return AppendMap(value, node, depth);
    if (node->shape.type.kind == TypeKind::kList && token[0] == '[') return AppendList(value, node, depth);
    return AppendMismatch(value, node, depth);
  }

  error_code AppendScalar(ondemand::value& value, std::string_view token, JsonNode* node, int depth) {
    if (token[0] == '"') {
      std::string_view text;
      if (const error_code e = StringOf(value, token, &text)) return e;
      if (node->shape.trim) text = Trim(text);
      const auto& tokens = node->shape.null_tokens;
      const bool is_null = std::find(tokens.begin(), tokens.end(), text) != tokens.end();
      node->texts.push_back(is_null ? std::string_view() : text.data() == nullptr ? std::string_view("") : text);
      return simdjson::SUCCESS;
    }
    if (token[0] == '{' || token[0] == '[') {
      if (node->shape.type.kind != TypeKind::kString) return AppendMismatch(value, node, depth);
      std::string_view text;
      if (const error_code e = RawTextOf(value, token.data(), depth, &text)) return e;
      node->texts.push_back(text);
      return simdjson::SUCCESS;
    }
    if (!IsLiteral(token)) {
      if (!IsJsonNumber(token)) return simdjson::NUMBER_ERROR;
      if (node->shape.type.kind == TypeKind::kDecimal && token.find_first_of("eE") != std::string_view::npos)
        token = texts.emplace_back(WithoutExponent(token));
    }
    node->texts.push_back(token);
    return simdjson::SUCCESS;
  }

  error_code AppendList(ondemand::value& value, JsonNode* node, int depth) {
    ondemand::array array;
    if (const error_code e = value.get_array().get(array)) return e;
    for (auto element_result : array) {
      ondemand::value element;
      if (const error_code e = std::move(element_result).get(element)) return e;
      if (const error_code e = AppendValue(element, node->children[0].get(), depth + 1)) return e;
    }
    node->valid.push_back(1);
    node->offsets.push_back(static_cast<int32_t>(node->children[0]->size()));
    return simdjson::SUCCESS;
  }

  error_code AppendMap(ondemand::value& value, JsonNode* node, int depth) {
    ondemand::object object;
    if (const error_code e = value.get_object().get(object)) return e;
    JsonNode& keys = *node->children[0];
    const size_t first = keys.size();
    for (auto field_result : object) {
      ondemand::field field;
      if (const error_code e = std::move(field_result).get(field)) return e;
      std::string_view key;
      if (const error_code e = field.unescaped_key(false).get(key)) return e;
      key = texts.emplace_back(key);
      if (std::find(keys.texts.begin() + static_cast<int64_t>(first), keys.texts.end(), key) != keys.texts.end())
        AddViolation("fields", key, fmt::format("the key \"{}\" is there twice", key));
      keys.texts.push_back(key);
      if (const error_code e = AppendValue(field.value(), node->children[1].get(), depth + 1)) return e;
    }
    node->valid.push_back(1);
    node->offsets.push_back(static_cast<int32_t>(keys.size()));
    return simdjson::SUCCESS;
  }

  error_code AppendMismatch(ondemand::value& value, JsonNode* node, int depth) {
    const std::string_view token = TrimRight(value.raw_json_token());
    std::string_view text = token;
    if (token[0] == '{' || token[0] == '[') {
      if (const error_code e = RawTextOf(value, token.data(), depth, &text)) return e;
    } else if (const error_code e = Walk(value, depth)) {
      return e;
    }
    const size_t index = node->size();
    node->AppendNull();
    AddViolation(
        "type", text,
        PathPrefix(*node, index) + (node->shape.type.is_nested() ? fmt::format("not a {}", NameOf(node->shape.type.kind))
                                                                 : contract::DecodeMessage(node->shape.type, contract::Decoded::kSyntax)));
    return simdjson::SUCCESS;
  }

  static const char* NameOf(TypeKind kind) {
    return kind == TypeKind::kList ? "list (a JSON array)" : kind == TypeKind::kMap ? "map (a JSON object)" : "struct (a JSON object)";
  }

  // The text of a string: where it has no escapes, as it stands in the line.
  error_code StringOf(ondemand::value& value, std::string_view token, std::string_view* text) {
    if (token.find('\\') == std::string_view::npos && token.size() >= 2 && token.back() == '"') {
      *text = token.substr(1, token.size() - 2);
      return simdjson::SUCCESS;
    }
    std::string_view unescaped;
    if (const error_code e = value.get_string().get(unescaped)) return e;
    *text = texts.emplace_back(unescaped);
    return simdjson::SUCCESS;
  }

  // Walks over the value and gives its JSON text.
  error_code RawTextOf(ondemand::value& value, const char* begin, int depth, std::string_view* text) {
    if (const error_code e = Walk(value, depth)) return e;
    const char* next = nullptr;
    if (const error_code e = value.current_location().get(next)) return e;
    *text = TrimRight({begin, static_cast<size_t>(next - begin)});
    return simdjson::SUCCESS;
  }

  // Reads over a value, checking that it is JSON to its end.
  error_code Walk(ondemand::value& value, int depth) {
    if (depth > kMaxDepth) return kTooDeep;
    const std::string_view token = TrimRight(value.raw_json_token());
    if (token.empty()) return simdjson::TAPE_ERROR;
    if (token[0] == '{') return WalkObject(value, depth);
    if (token[0] == '[') return WalkArray(value, depth);
    if (token[0] == '"') return value.get_string().error();
    return IsLiteral(token) || IsJsonNumber(token) ? simdjson::SUCCESS : simdjson::NUMBER_ERROR;
  }

  error_code WalkObject(ondemand::value& value, int depth) {
    ondemand::object object;
    if (const error_code e = value.get_object().get(object)) return e;
    for (auto field_result : object) {
      ondemand::field field;
      if (const error_code e = std::move(field_result).get(field)) return e;
      if (const error_code e = field.unescaped_key(false).error()) return e;
      if (const error_code e = Walk(field.value(), depth + 1)) return e;
    }
    return simdjson::SUCCESS;
  }

  error_code WalkArray(ondemand::value& value, int depth) {
    ondemand::array array;
    if (const error_code e = value.get_array().get(array)) return e;
    for (auto element_result : array) {
      ondemand::value element;
      if (const error_code e = std::move(element_result).get(element)) return e;
      if (const error_code e = Walk(element, depth + 1)) return e;
    }
    return simdjson::SUCCESS;
  }

  // --- saying what is wrong ---

  void AddViolation(std::string rule, std::string_view value, std::string message) {
    violations.push_back({static_cast<int64_t>(root.size()), column == nullptr ? "" : column->shape.name, std::move(rule),
                          contract::CutValue(value), std::move(message), false});
  }

  void AddNewField(bool is_root, std::string_view name, JsonNode* node, ondemand::value& value) {
    if (is_root) {
      violations.push_back({static_cast<int64_t>(root.size()), std::string(name), "new_column",
                            contract::CutValue(TrimRight(value.raw_json_token())), "the contract has no such column", false});
      return;
    }
    AddViolation("new_column", name, fmt::format("{}the contract's type has no field \"{}\"", PathPrefix(*node, node->size()), name));
  }
};

JsonColumns::JsonColumns(const FieldShape& shape) : impl_(std::make_unique<Impl>(shape)) {}
JsonColumns::~JsonColumns() = default;

void JsonColumns::Append(std::string_view line) {
  const size_t row = impl_->root.size(), violations = impl_->violations.size();
  impl_->line = line;
  impl_->column = nullptr;
  const error_code code = impl_->AppendRecord();
  if (code == simdjson::SUCCESS) return;
  impl_->root.Truncate(row);
  impl_->violations.resize(violations);
  for (const std::string& key : impl_->keys.Of(line)) impl_->new_columns |= MayBeColumn(impl_->root.shape, key);
  Refuse(line, code == simdjson::UTF8_ERROR ? "encoding" : "json", MessageOf(code));
}

void JsonColumns::Refuse(std::string_view line, std::string rule, std::string message) {
  impl_->violations.push_back(
      {static_cast<int64_t>(impl_->root.size()), "", std::move(rule), contract::CutValue(line), std::move(message), false});
  impl_->root.AppendNull();
}

Result<std::shared_ptr<arrow::RecordBatch>> JsonColumns::Finish(std::vector<Violation>* violations) {
  const int64_t rows = static_cast<int64_t>(impl_->root.size());
  arrow::ArrayVector columns;
  contract::Schema schema;
  for (const auto& child : impl_->root.children) {
    SLUICE_TRY(auto array, BuildArray(*child, &impl_->violations));
    columns.push_back(std::move(array));
    schema.fields.push_back({child->shape.name, child->shape.type, true, {}});
  }
  std::vector<Violation>& all = impl_->violations;
  const auto key = [](const Violation& v) { return std::tie(v.row, v.column); };
  std::stable_sort(all.begin(), all.end(), [&](const Violation& a, const Violation& b) { return key(a) < key(b); });
  all.erase(std::unique(all.begin(), all.end(), [&](const Violation& a, const Violation& b) { return key(a) == key(b); }), all.end());
  *violations = std::move(all);
  return arrow::RecordBatch::Make(contract::ToArrow(schema), rows, std::move(columns));
}

bool JsonColumns::met_new_columns() const { return impl_->new_columns; }

struct JsonKeys::Impl {
  ondemand::parser parser;
  std::vector<std::string> keys;

  error_code Read(std::string_view line) {
    ondemand::document document;
    if (const error_code e = parser.iterate(line.data(), line.size(), line.size() + kJsonPadding).get(document)) return e;
    ondemand::object object;
    if (const error_code e = document.get_object().get(object)) return e;
    for (auto field_result : object) {
      ondemand::field field;
      if (const error_code e = std::move(field_result).get(field)) return e;
      std::string_view key;
      if (const error_code e = field.unescaped_key(false).get(key)) return e;
      keys.emplace_back(key);
    }
    return simdjson::SUCCESS;
  }
};

JsonKeys::JsonKeys() : impl_(std::make_unique<Impl>()) {}
JsonKeys::~JsonKeys() = default;

const std::vector<std::string>& JsonKeys::Of(std::string_view line) {
  impl_->keys.clear();
  if (impl_->Read(line) != simdjson::SUCCESS) impl_->keys.clear();
  return impl_->keys;
}

}  // namespace sluice::formats
