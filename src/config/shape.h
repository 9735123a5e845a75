#pragma once
// What a value in a project file may be, as a value: the decoder's own description of itself, from which the JSON Schema for
// editors and the reference page are written.
#include <memory>
#include <string>
#include <vector>

namespace sluice::config {

struct Shape;
using ShapePtr = std::shared_ptr<const Shape>;

struct Choice {
  std::string name, doc;
};

struct FieldShape {
  std::string name;
  ShapePtr shape;
  bool required = false;
  std::string default_text;  // as YAML, or prose in (parentheses)
  std::string doc;           // one or two sentences
  std::string since;         // version that brought it, where later than the first
};

// A key that is known but not taken, with what to do.
struct KnownKey {
  std::string name, advice;
  bool later = false;  // it will come: "not-yet"; else a slip: "unknown-key"
};

struct Shape {
  enum class Kind { kScalar, kEnum, kList, kMap, kObject, kEither, kAny };
  Kind kind = Kind::kAny;
  std::string noun;                     // "a duration": expected …
  std::string type;                     // "duration": the reference's word
  std::string example;                  // of a scalar: "24h"; of an object: a YAML text
  std::vector<std::string> json_types;  // kScalar
  std::string json_pattern;             // kScalar, of its text form
  std::vector<Choice> choices;          // kEnum
  std::vector<ShapePtr> parts;          // kList, kMap: the element; kEither: the alternatives
  std::string name;                     // kObject: "contract", unique
  std::string phrase;                   // kObject: what messages call it
  std::string title, doc;               // kObject: its section
  std::vector<FieldShape> fields;       // kObject
  std::vector<KnownKey> known;          // kObject

  const FieldShape* Find(std::string_view field) const;
  std::vector<std::string> Keys() const;
};

// "duration", "list of column", "map of connection", "`a` | `b`": in Markdown.
std::string TypeText(const Shape& shape);

// JSON Schema (draft 2020-12) of documents of this shape, indented; objects below it become $defs.
std::string JsonSchemaOf(const Shape& root, const std::string& id, const std::string& title);

// One section per object: heading, text, table of keys, example. `level` is the heading's.
std::string MarkdownOf(const Shape& object, int level);

}  // namespace sluice::config
