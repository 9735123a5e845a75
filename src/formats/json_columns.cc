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

// The values of one field of one block; what they mean stands in its shape.
struct Node {
  explicit Node(const FieldShape& s, Node* p) : shape(s), parent(p) {
    for (const FieldShape& child : s.children) children.push_back(std::make_unique<Node>(child, this));
    if (IsList()) offsets.push_back(0);
  }

  bool IsScalar() const { return !shape.type.is_nested(); }
  bool IsStruct() const { return shape.type.kind == TypeKind::kStruct; }
  bool IsList() const { return shape.type.kind == TypeKind::kList || shape.type.kind == TypeKind::kMap; }
  size_t size() const { return IsScalar() ? texts.size() : valid.size(); }

  void AppendNull() {
    if (IsScalar()) {
      texts.emplace_back();
      return;
    }
    valid.push_back(0);
    if (IsList()) offsets.push_back(offsets.back());
    if (IsStruct())
      for (auto& child : children) child->AppendNull();
  }

  void Truncate(size_t n) {
    if (IsScalar()) return texts.resize(std::min(n, texts.size()));
    valid.resize(std::min(n, valid.size()));
    if (IsStruct())
      for (auto& child : children) child->Truncate(n);
    if (!IsList()) return;
    offsets.resize(std::min(n + 1, offsets.size()));
    for (auto& child : children) child->Truncate(static_cast<size_t>(offsets.back()));
  }

  const FieldShape& shape;
  Node* parent;
  std::vector<std::string_view> texts;  // scalars; data() == nullptr: NULL
  std::vector<uint8_t> valid;           // the others
  std::vector<int32_t> offsets;         // lists and maps
  std::vector<std::unique_ptr<Node>> children;
};

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
  Node root;
  std::deque<std::string> texts;  // those that are not spelt in the input as they are
  std::vector<Violation> violations;
  std::string_view line;
  const Node* column = nullptr;  // the top-level field being read

  // --- reading; an error_code ends the record ---

  error_code AppendRecord() {
    ondemand::document document;
    if (const error_code e = parser.iterate(line.data(), line.size(), line.size() + kJsonPadding).get(document)) return e;
    ondemand::object object;
    if (const error_code e = document.get_object().get(object)) return e;
    if (const error_code e = AppendObject(object, &root, 0)) return e;
    return document.current_location().error() == simdjson::OUT_OF_BOUNDS ? simdjson::SUCCESS : simdjson::TRAILING_CONTENT;
  }

  error_code AppendObject(ondemand::object& object, Node* node, int depth) {
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

  error_code AppendField(ondemand::value& value, std::string_view key, int at, size_t index, Node* node, int depth) {
    const bool is_root = node == &root;
    if (at < 0) {
      if (node->shape.new_fields == NewFields::kRefuse) AddNewField(is_root, key, node, value);
      return Walk(value, depth + 1);
    }
    Node* child = node->children[static_cast<size_t>(at)].get();
    if (is_root) column = child;
    if (child->size() > index) {
      AddViolation("fields", key, fmt::format("the field \"{}\" is there twice", key));
      return Walk(value, depth + 1);
    }
    return AppendValue(value, child, depth + 1);
  }

  error_code AppendValue(ondemand::value& value, Node* node, int depth) {
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

  error_code AppendScalar(ondemand::value& value, std::string_view token, Node* node, int depth) {
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

  error_code AppendList(ondemand::value& value, Node* node, int depth) {
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

  error_code AppendMap(ondemand::value& value, Node* node, int depth) {
    ondemand::object object;
    if (const error_code e = value.get_object().get(object)) return e;
    Node& keys = *node->children[0];
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

  error_code AppendMismatch(ondemand::value& value, Node* node, int depth) {
    const std::string_view token = TrimRight(value.raw_json_token());
    std::string_view text = token;
    if (token[0] == '{' || token[0] == '[') {
      if (const error_code e = RawTextOf(value, token.data(), depth, &text)) return e;
    } else if (const error_code e = Walk(value, depth)) {
      return e;
    }
    const size_t index = node->size();
    node->AppendNull();
    AddViolation("type", text,
                 At(*node, index) + (node->shape.type.is_nested() ? fmt::format("not a {}", NameOf(node->shape.type.kind))
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

  void AddNewField(bool is_root, std::string_view name, Node* node, ondemand::value& value) {
    if (is_root) {
      violations.push_back({static_cast<int64_t>(root.size()), std::string(name), "new_column",
                            contract::CutValue(TrimRight(value.raw_json_token())), "the contract has no such column", false});
      return;
    }
    AddViolation("new_column", name, fmt::format("{}the contract's type has no field \"{}\"", At(*node, node->size()), name));
  }

  // "at lines[2].zip: ", or nothing for a top-level column.
  std::string At(const Node& node, size_t index) const {
    std::string path;
    size_t row = 0;
    PathOf(node, index, &path, &row);
    return node.parent == &root ? "" : fmt::format("at {}: ", path);
  }

  // The path of a node's value and the record that it belongs to. A list that is being read has no end yet.
  void PathOf(const Node& node, size_t index, std::string* path, size_t* row) const {
    const Node* parent = node.parent;
    if (parent == nullptr) {
      *row = index;
      return;
    }
    if (!parent->IsList()) {
      PathOf(*parent, index, path, row);
      *path += (path->empty() ? "" : ".") + node.shape.name;
      return;
    }
    const auto after = std::upper_bound(parent->offsets.begin(), parent->offsets.end(), static_cast<int32_t>(index));
    const size_t list = static_cast<size_t>(after - parent->offsets.begin()) - 1;
    PathOf(*parent, list, path, row);
    const Node& first = *parent->children[0];
    if (parent->shape.type.kind == TypeKind::kMap && index < first.texts.size())
      *path += fmt::format("[\"{}\"]", first.texts[index]);
    else
      *path += fmt::format("[{}]", index - static_cast<size_t>(parent->offsets[list]));
  }

  // --- building ---

  static std::shared_ptr<arrow::Buffer> Bitmap(const std::vector<uint8_t>& valid) {
    if (std::find(valid.begin(), valid.end(), 0) == valid.end()) return nullptr;
    std::vector<uint8_t> bits((valid.size() + 7) / 8, 0);
    for (size_t i = 0; i < valid.size(); ++i) bits[i / 8] |= static_cast<uint8_t>(valid[i] << (i % 8));
    return arrow::Buffer::FromVector(std::move(bits));
  }

  Result<std::shared_ptr<arrow::Array>> Build(const Node& node) {
    if (node.IsScalar()) return BuildScalar(node);
    arrow::ArrayDataVector children;
    for (const auto& child : node.children) {
      SLUICE_TRY(const auto array, Build(*child));
      children.push_back(array->data());
    }
    const auto type = contract::ToArrow(node.shape.type);
    std::vector<std::shared_ptr<arrow::Buffer>> buffers = {Bitmap(node.valid)};
    if (node.IsList()) buffers.push_back(arrow::Buffer::FromVector(node.offsets));
    if (node.shape.type.kind == TypeKind::kMap) {
      const auto entries = static_cast<const arrow::MapType&>(*type).value_type();
      const auto count = static_cast<int64_t>(node.children[0]->size());
      children = {arrow::ArrayData::Make(entries, count, {nullptr}, std::move(children), 0)};
    }
    return arrow::MakeArray(arrow::ArrayData::Make(type, static_cast<int64_t>(node.size()), std::move(buffers), std::move(children)));
  }

  Result<std::shared_ptr<arrow::Array>> BuildScalar(const Node& node) {
    const size_t before = violations.size();
    SLUICE_TRY(auto array, contract::DecodeColumn(*node.shape.decoder, node.shape.name, node.texts, &violations));
    if (node.parent == &root) return array;
    for (size_t i = before; i < violations.size(); ++i) {
      const auto index = static_cast<size_t>(violations[i].row);
      violations[i].message.insert(0, At(node, index));
      std::string path;
      size_t row = 0;
      PathOf(node, index, &path, &row);
      violations[i].row = static_cast<int64_t>(row);
      violations[i].column = TopOf(node).shape.name;
    }
    return array;
  }

  const Node& TopOf(const Node& node) const { return node.parent == &root ? node : TopOf(*node.parent); }
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
    SLUICE_TRY(auto array, impl_->Build(*child));
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
