#include "config/shape.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/text.h"

namespace sluice::config {
namespace {

using Json = nlohmann::ordered_json;

Json SchemaFor(const Shape& shape, Json& defs);

Json ObjectSchema(const Shape& shape, Json& defs) {
  Json schema = {{"type", "object"}, {"title", shape.title}, {"description", shape.doc}, {"additionalProperties", false}};
  Json properties = Json::object(), required = Json::array();
  for (const FieldShape& field : shape.fields) {
    Json property = SchemaFor(*field.shape, defs);
    property["description"] = field.doc;
    if (!field.default_text.empty() && field.default_text[0] != '(') {
      const Json value = Json::parse(field.default_text, nullptr, false);
      property["default"] = value.is_discarded() ? Json(field.default_text) : value;
    }
    properties[field.name] = std::move(property);
    if (field.required) required.push_back(field.name);
  }
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

Json ScalarSchema(const Shape& shape) {
  Json schema = Json::object();
  if (shape.json_types.size() == 1)
    schema["type"] = shape.json_types[0];
  else
    schema["type"] = shape.json_types;
  if (!shape.json_pattern.empty()) schema["pattern"] = shape.json_pattern;
  if (!shape.example.empty()) schema["examples"] = Json::array({shape.example});
  return schema;
}

Json EnumSchema(const Shape& shape) {
  Json schema = {{"enum", Json::array()}};
  for (const Choice& choice : shape.choices) {
    const bool is_boolean = choice.name == "true" || choice.name == "false";
    schema["enum"].push_back(is_boolean ? Json(choice.name == "true") : Json(choice.name));
    if (choice.name == "null") schema["enum"].push_back(nullptr);  // without quotes it is one
  }
  return schema;
}

Json SchemaFor(const Shape& shape, Json& defs) {
  switch (shape.kind) {
    case Shape::Kind::kScalar:
      return ScalarSchema(shape);
    case Shape::Kind::kEnum:
      return EnumSchema(shape);
    case Shape::Kind::kList:
      return {{"type", "array"}, {"items", SchemaFor(*shape.parts[0], defs)}};
    case Shape::Kind::kMap:
      return {{"type", "object"}, {"additionalProperties", SchemaFor(*shape.parts[0], defs)}};
    case Shape::Kind::kEither:
      return {{"anyOf", Json::array({SchemaFor(*shape.parts[0], defs), SchemaFor(*shape.parts[1], defs)})}};
    case Shape::Kind::kAny:
      return Json::object();
    case Shape::Kind::kObject:
      break;
  }
  if (!defs.contains(shape.name)) {
    defs[shape.name] = Json::object();
    Json made = ObjectSchema(shape, defs);
    defs[shape.name] = std::move(made);
  }
  return {{"$ref", "#/$defs/" + shape.name}};
}

std::string EscapeCell(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string Meaning(const FieldShape& field) {
  std::string text = field.doc;
  if (field.shape->kind == Shape::Kind::kEnum)
    for (const Choice& choice : field.shape->choices)
      if (!choice.doc.empty()) text += fmt::format(" `{}`: {}.", choice.name, choice.doc);
  if (!field.since.empty()) text += fmt::format(" Since {}.", field.since);
  return text;
}

std::string DefaultCell(const FieldShape& field) {
  if (field.required) return "**required**";
  if (field.default_text.empty()) return "";
  if (field.default_text[0] == '(') return field.default_text.substr(1, field.default_text.size() - 2);
  return "`" + field.default_text + "`";
}

std::string KeyTable(const Shape& object) {
  std::string out = "| key | type | default | meaning |\n|---|---|---|---|\n";
  for (const FieldShape& field : object.fields)
    out += fmt::format("| `{}` | {} | {} | {} |\n", field.name, EscapeCell(TypeText(*field.shape)), EscapeCell(DefaultCell(field)),
                       EscapeCell(Meaning(field)));
  return out;
}

}  // namespace

const FieldShape* Shape::Find(std::string_view field) const {
  for (const FieldShape& candidate : fields)
    if (candidate.name == field) return &candidate;
  return nullptr;
}

std::vector<std::string> Shape::Keys() const {
  std::vector<std::string> keys;
  for (const FieldShape& field : fields) keys.push_back(field.name);
  return keys;
}

std::string TypeText(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::kScalar:
    case Shape::Kind::kAny:
      return shape.type;
    case Shape::Kind::kList:
      return "list of " + TypeText(*shape.parts[0]);
    case Shape::Kind::kMap:
      return "map of " + TypeText(*shape.parts[0]);
    case Shape::Kind::kEither:
      return TypeText(*shape.parts[0]) + " or " + TypeText(*shape.parts[1]);
    case Shape::Kind::kObject:
      return fmt::format("[{}](#{})", shape.name, shape.name);
    case Shape::Kind::kEnum:
      break;
  }
  std::string text;
  for (const Choice& choice : shape.choices) text += (text.empty() ? "`" : " | `") + choice.name + "`";
  return text;
}

std::string JsonSchemaOf(const Shape& root, const std::string& id, const std::string& title) {
  Json defs = Json::object();
  Json body = ObjectSchema(root, defs);
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"$id", id}, {"title", title}};
  for (auto& [key, value] : body.items())
    if (key != "title") schema[key] = value;
  if (!defs.empty()) schema["$defs"] = std::move(defs);
  return schema.dump(2) + "\n";
}

std::string MarkdownOf(const Shape& object, int level) {
  std::string out =
      fmt::format("<a id=\"{}\"></a>\n{} {}\n\n{}\n\n{}", object.name, std::string(level, '#'), object.title, object.doc, KeyTable(object));
  std::string later;
  for (const KnownKey& known : object.known)
    if (known.later) later += (later.empty() ? "`" : ", `") + known.name + "`";
  if (!later.empty()) out += "\nKept for later, refused until then: " + later + ".\n";
  if (!object.example.empty()) out += fmt::format("\n```yaml\n{}\n```\n", Trim(object.example));
  return out + "\n";
}

}  // namespace sluice::config
