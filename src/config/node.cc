#include "config/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::config {
namespace {

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool IsDigits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

std::string_view WithoutSign(std::string_view text) { return !text.empty() && (text[0] == '-' || text[0] == '+') ? text.substr(1) : text; }

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?   (YAML 1.2.2 section 10.3.2)
bool IsNumber(std::string_view text) {
  text = WithoutSign(text);
  if (IsOneOf(text, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"})) return true;
  const size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    if (!IsDigits(WithoutSign(text.substr(exponent + 1)))) return false;
    text = text.substr(0, exponent);
  }
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return IsDigits(text);
  const std::string_view whole = text.substr(0, dot), fraction = text.substr(dot + 1);
  if (whole.empty()) return IsDigits(fraction);
  return IsDigits(whole) && (fraction.empty() || IsDigits(fraction));
}

}  // namespace

const Entry* Node::FindEntry(std::string_view key) const {
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry;
  return nullptr;
}

const Node* Node::Find(std::string_view key) const {
  const Entry* entry = FindEntry(key);
  return entry ? &entry->value : nullptr;
}

std::string Describe(const Node& node) {
  constexpr size_t kLongest = 60;
  std::string text = node.text.size() > kLongest ? node.text.substr(0, kLongest) + "…" : node.text;
  switch (node.kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kBoolean:
      return text;
    case Kind::kInteger:
    case Kind::kNumber:
      return "the number " + text;
    case Kind::kText:
      return fmt::format("the text \"{}\"", text);
    case Kind::kList:
      return node.items.empty() ? "an empty list" : "a list";
    case Kind::kMap:
      return node.entries.empty() ? "an empty map" : "a map";
  }
  return "";
}

Kind KindOfPlain(std::string_view text) {
  if (IsOneOf(text, {"", "~", "null", "Null", "NULL"})) return Kind::kNull;
  if (IsOneOf(text, {"true", "True", "TRUE", "false", "False", "FALSE"})) return Kind::kBoolean;
  if (IsDigits(WithoutSign(text))) return Kind::kInteger;
  return IsNumber(text) ? Kind::kNumber : Kind::kText;
}

Node ScalarOf(std::string_view text) {
  Node node;
  node.kind = KindOfPlain(text);
  node.text = text;
  return node;
}

Node EmptyMapAt(Mark mark) {
  Node node;
  node.kind = Kind::kMap;
  node.mark = std::move(mark);
  return node;
}

Node Overlay(const Node& base, const Node& over) {
  if (!base.is_map() || !over.is_map()) return over;
  Node merged = base;
  if (!over.inherited) {
    merged.mark = over.mark;
    merged.inherited = false;
  }
  for (const Entry& entry : over.entries) {
    const auto same = std::find_if(merged.entries.begin(), merged.entries.end(), [&](const Entry& e) { return e.key == entry.key; });
    if (same == merged.entries.end())
      merged.entries.push_back(entry);
    else
      *same = Entry{entry.key, entry.key_mark, Overlay(same->value, entry.value)};
  }
  return merged;
}

Node Without(const Node& map, const std::vector<std::string>& keys) {
  Node rest = map;
  std::erase_if(rest.entries, [&](const Entry& entry) { return std::find(keys.begin(), keys.end(), entry.key) != keys.end(); });
  return rest;
}

Node AsInherited(Node node) {
  node.inherited = true;
  for (Node& item : node.items) item = AsInherited(std::move(item));
  for (Entry& entry : node.entries) entry.value = AsInherited(std::move(entry.value));
  return node;
}

}  // namespace sluice::config
