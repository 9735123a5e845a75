#include "sources/http/placeholders.h"

#include <functional>

#include "core/json_text.h"
#include "core/text.h"

namespace sluice::sources::http {
namespace {

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

// The name of the placeholder that begins at `at`; "" = none does.
std::string_view NameAt(std::string_view text, size_t at) {
  if (text[at] != '{') return {};
  size_t end = at + 1;
  while (end < text.size() && IsNameByte(text[end])) ++end;
  return end < text.size() && text[end] == '}' ? text.substr(at + 1, end - at - 1) : std::string_view();
}

using Write = std::function<std::string(std::string_view)>;

std::optional<std::string> Replace(std::string_view text, const Values& values, const Write& write) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const std::string_view name = NameAt(text, at);
    if (name.empty()) {
      out += text[at++];
      continue;
    }
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    out += write(found->second);
    at += name.size() + 2;
  }
  return out;
}

}  // namespace

std::vector<std::string> PlaceholdersIn(std::string_view text) {
  std::vector<std::string> names;
  for (size_t at = 0; at < text.size(); ++at)
    if (const std::string_view name = NameAt(text, at); !name.empty()) names.emplace_back(name);
  return names;
}

std::optional<std::string> Fill(std::string_view text, const Values& values) {
  return Replace(text, values, [](std::string_view value) { return std::string(value); });
}

std::optional<std::string> FillPath(std::string_view text, const Values& values) {
  return Replace(text, values, [](std::string_view value) { return PercentEncode(value, false); });
}

std::string FillBody(std::string_view text, const Values& values) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const std::string_view name = NameAt(text, at);
    const auto found = name.empty() ? values.end() : values.find(name);
    const size_t behind = at + name.size() + 2;
    const bool quoted = !name.empty() && at > 0 && text[at - 1] == '"' && behind < text.size() && text[behind] == '"';
    if (found != values.end()) {
      std::string json;
      AppendJsonString(found->second, &json);
      out.append(json, 1, json.size() - 2);
      at = behind;
    } else if (quoted) {
      out.back() = 'n';
      out += "ull";
      at = behind + 1;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace sluice::sources::http
