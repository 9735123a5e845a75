#pragma once
// Shredded JSON: a tree of the schema's fields, each with its values of one block, and the Arrow arrays made of them.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "core/result.h"
#include "formats/field_shape.h"

namespace arrow {
class Array;
}

namespace sluice::formats {

// The values of one field of one block; what they mean stands in its shape.
struct JsonNode {
  explicit JsonNode(const FieldShape& s, JsonNode* p) : shape(s), parent(p) {
    for (const FieldShape& child : s.children) children.push_back(std::make_unique<JsonNode>(child, this));
    if (IsList()) offsets.push_back(0);
  }

  bool IsScalar() const { return !shape.type.is_nested(); }
  bool IsStruct() const { return shape.type.kind == contract::TypeKind::kStruct; }
  bool IsList() const { return shape.type.kind == contract::TypeKind::kList || shape.type.kind == contract::TypeKind::kMap; }
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

  void Truncate(size_t n);

  const FieldShape& shape;
  JsonNode* parent;
  std::vector<std::string_view> texts;  // scalars; data() == nullptr: NULL
  std::vector<uint8_t> valid;           // the others
  std::vector<int32_t> offsets;         // lists and maps
  std::vector<std::unique_ptr<JsonNode>> children;
};

// "at lines[2].zip: ": where the index-th value of `node` stands in its record; nothing for a top-level column.
std::string PathPrefix(const JsonNode& node, size_t index);
// The column of the record that `node` is or belongs to.
const JsonNode& TopOf(const JsonNode& node);
// The values decoded; what can't be is NULL, and a violation of its record and column.
Result<std::shared_ptr<arrow::Array>> BuildArray(const JsonNode& node, std::vector<contract::Violation>* violations);

}  // namespace sluice::formats
