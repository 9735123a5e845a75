#pragma once
// A YAML document as a value: every key and scalar knows where it stands. Stages make new nodes; nothing changes one in place.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace sluice::config {

enum class Kind { kNull, kBoolean, kInteger, kNumber, kText, kList, kMap };

// A place in a file whose name is shared by all nodes of that file.
struct Mark {
  std::shared_ptr<const std::string> file;
  int line = 0, column = 0;
  Location location() const { return file ? Location{*file, line, column} : Location{}; }
};

struct Entry;

struct Node {
  Kind kind = Kind::kNull;
  std::string text;            // of a scalar, as it is written (12, 0.10, true, NULL), without quotes
  bool interpolated = false;   // text was made from a ${…}
  bool late = false;           // text still has references to resolve late (then "$${" in it stays as it is)
  bool broken = false;         // an error about it was reported: it is not looked at again
  bool inherited = false;      // came from a `defaults:` that reaches many files
  Mark mark;                   // first byte of the value (an opening quote, "|" or "[" included)
  Mark text_mark;              // of a text: its first byte, for messages about what is inside
  std::vector<Node> items;     // of a list
  std::vector<Entry> entries;  // of a map, in the file's order, keys distinct

  bool is_scalar() const { return kind != Kind::kList && kind != Kind::kMap && kind != Kind::kNull; }
  bool is_null() const { return kind == Kind::kNull; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
  Location where() const { return mark.location(); }
  // The value of a map's key; null if there is none or this is no map.
  const Node* Find(std::string_view key) const;
  const Entry* FindEntry(std::string_view key) const;
};

struct Entry {
  std::string key;
  Mark key_mark;
  Node value;
  Location where() const { return key_mark.location(); }
};

// What a person would call the node in "expected …, found …": "a list", "the text \"x\"", "nothing".
std::string Describe(const Node& node);
// The kind that a plain (unquoted) YAML scalar has, by the core schema of YAML 1.2 (`yes`, `on` and 0777 with an o are not special).
Kind KindOfPlain(std::string_view text);
// A scalar without a place, of the kind its text has when plain.
Node ScalarOf(std::string_view text);
Node EmptyMapAt(Mark mark);

// `over` laid upon `base`: maps merge key by key, anything else replaces. Places stay those of where each value was written.
Node Overlay(const Node& base, const Node& over);
// The map without `keys`.
Node Without(const Node& map, const std::vector<std::string>& keys);
// Every node below marked as inherited.
Node AsInherited(Node node);

}  // namespace sluice::config
