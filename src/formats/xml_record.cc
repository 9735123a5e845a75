#include "formats/xml_record.h"

#include <unordered_map>

#include "core/text.h"
#include "formats/json_text.h"

namespace sluice::formats {
namespace {

using contract::TypeKind;

constexpr std::string_view kText = "#text";

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
  std::vector<std::vector<const XmlNode*>> groups;
  std::unordered_map<std::string_view, size_t> group_of;
  for (const auto& child : node.children) {
    const auto [at, is_new] = group_of.emplace(child->name, groups.size());
    if (is_new) groups.emplace_back();
    groups[at->second].push_back(child.get());
  }
  for (const auto& group : groups) {
    AppendKey(group[0]->name, out);
    AppendGroup(group, ChildOf(shape, group[0]->name), out);
  }
  *out += '}';
}

void AppendValue(const XmlNode& node, const FieldShape* shape, std::string* out) {
  if (node.nil) {
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
