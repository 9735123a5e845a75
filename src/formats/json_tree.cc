#include "formats/json_tree.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>

#include "contract/arrow_types.h"
#include "contract/decode_column.h"

namespace sluice::formats {
namespace {

using contract::TypeKind;
using contract::Violation;

bool IsTop(const JsonNode& node) { return node.parent != nullptr && node.parent->parent == nullptr; }

// The path of a node's value and the record that it belongs to. A list that is being read has no end yet.
void PathOf(const JsonNode& node, size_t index, std::string* path, size_t* row) {
  const JsonNode* parent = node.parent;
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
  const JsonNode& first = *parent->children[0];
  if (parent->shape.type.kind == TypeKind::kMap && index < first.texts.size())
    *path += fmt::format("[\"{}\"]", first.texts[index]);
  else
    *path += fmt::format("[{}]", index - static_cast<size_t>(parent->offsets[list]));
}

std::shared_ptr<arrow::Buffer> Bitmap(const std::vector<uint8_t>& valid) {
  if (std::find(valid.begin(), valid.end(), 0) == valid.end()) return nullptr;
  std::vector<uint8_t> bits((valid.size() + 7) / 8, 0);
  for (size_t i = 0; i < valid.size(); ++i) bits[i / 8] |= static_cast<uint8_t>(valid[i] << (i % 8));
  return arrow::Buffer::FromVector(std::move(bits));
}

Result<std::shared_ptr<arrow::Array>> BuildScalar(const JsonNode& node, std::vector<Violation>* violations) {
  const size_t before = violations->size();
  SLUICE_TRY(auto array, contract::DecodeColumn(*node.shape.decoder, node.shape.name, node.texts, violations));
  if (IsTop(node)) return array;
  for (size_t i = before; i < violations->size(); ++i) {
    const auto index = static_cast<size_t>((*violations)[i].row);
    (*violations)[i].message.insert(0, PathPrefix(node, index));
    std::string path;
    size_t row = 0;
    PathOf(node, index, &path, &row);
    (*violations)[i].row = static_cast<int64_t>(row);
    (*violations)[i].column = TopOf(node).shape.name;
  }
  return array;
}

}  // namespace

void JsonNode::Truncate(size_t n) {
  if (IsScalar()) return texts.resize(std::min(n, texts.size()));
  valid.resize(std::min(n, valid.size()));
  if (IsStruct())
    for (auto& child : children) child->Truncate(n);
  if (!IsList()) return;
  offsets.resize(std::min(n + 1, offsets.size()));
  for (auto& child : children) child->Truncate(static_cast<size_t>(offsets.back()));
}

std::string PathPrefix(const JsonNode& node, size_t index) {
  std::string path;
  size_t row = 0;
  PathOf(node, index, &path, &row);
  return IsTop(node) ? "" : fmt::format("at {}: ", path);
}

const JsonNode& TopOf(const JsonNode& node) { return IsTop(node) ? node : TopOf(*node.parent); }

Result<std::shared_ptr<arrow::Array>> BuildArray(const JsonNode& node, std::vector<Violation>* violations) {
  if (node.IsScalar()) return BuildScalar(node, violations);
  arrow::ArrayDataVector children;
  for (const auto& child : node.children) {
    SLUICE_TRY(const auto array, BuildArray(*child, violations));
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

}  // namespace sluice::formats
