#include "formats/xml_record.h"

#include <algorithm>

#include "core/text.h"
#include "formats/json_text.h"

namespace sluice::formats {
namespace {

using contract::TypeKind;

constexpr std::string_view kText = "#text";

bool IsNil(const XmlNode& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [](const auto& a) { return a.first == "nil" && (a.second == "true" || a.second == "1"); });
}

const FieldShape* ChildOf(const FieldShape* shape, std::string_view name) {
  if (shape == nullptr || shape->type.kind != TypeKind::kStruct) return nullptr;
  const int at = shape->Find(name);
  return at < 0 ? nullptr : &shape->children[static_cast<size_t>(at)];
}

void AppendValue(const XmlNode& node, const FieldShape* shape, std::string* out);

void AppendKey(std::string_view name, std::string* out) {
  if (out->back() != '{') *out += ',';
  AppendJsonString(name, out);
  *out += ':';
}

// Children of one name, in the place of the first: a value, or the array of all.
void AppendGroup(const std::vector<const XmlNode*>& group, const FieldShape* shape, std::string* out) {
  const bool list = shape != nullptr && shape->type.kind == TypeKind::kList;
  if (group.size() == 1 && !list) return AppendValue(*group[0], shape, out);
  *out += '[';
  for (const XmlNode* node : group) {
    if (out->back() != '[') *out += ',';
    AppendValue(*node, list ? &shape->children[0] : shape, out);
  }
  *out += ']';
}

void AppendObject(const XmlNode& node, const FieldShape* shape, std::string* out) {
  *out += '{';
  for (const auto& [name, value] : node.attributes) {
    AppendKey("@" + name, out);
    AppendJsonString(value, out);
  }
  if (!Trim(node.text).empty()) {
    AppendKey(kText, out);
    AppendJsonString(node.children.empty() ? std::string_view(node.text) : Trim(node.text), out);
  }
  std::vector<bool> done(node.children.size(), false);
  for (size_t i = 0; i < node.children.size(); ++i) {
    if (done[i]) continue;
    std::vector<const XmlNode*> group;
    for (size_t k = i; k < node.children.size(); ++k) {
      if (done[k] || node.children[k]->name != node.children[i]->name) continue;
      done[k] = true;
      group.push_back(node.children[k].get());
    }
    AppendKey(node.children[i]->name, out);
    AppendGroup(group, ChildOf(shape, node.children[i]->name), out);
  }
  *out += '}';
}

void AppendValue(const XmlNode& node, const FieldShape* shape, std::string* out) {
  if (IsNil(node)) {
    *out += "null";
    return;
  }
  const bool nested = shape != nullptr && (shape->type.kind == TypeKind::kStruct || shape->type.kind == TypeKind::kMap);
  // The contract wants the text alone, and ignores what it has no field for.
  const bool text_only = shape != nullptr && !shape->type.is_nested() && shape->new_fields == NewFields::kIgnore && node.children.empty();
  if (!node.children.empty() || (!node.attributes.empty() && !text_only) || (nested && !Trim(node.text).empty()))
    return AppendObject(node, shape, out);
  if (node.text.empty() || (nested && Trim(node.text).empty())) {
    *out += "null";
    return;
  }
  AppendJsonString(node.text, out);
}

}  // namespace

std::string JsonOfXml(const XmlNode& record, const FieldShape* shape) {
  std::string out;
  AppendObject(record, shape, &out);
  return out;
}

}  // namespace sluice::formats
