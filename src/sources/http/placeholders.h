#pragma once
// {placeholders} in the texts of a request.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::sources::http {

// By name: "page", "offset", "next", "cursor", "window.start", "window.end", "window.last", "parent.FIELD". One without a value is absent.
using Values = std::map<std::string, std::string, std::less<>>;

// Names between braces, in order: what looks like one, known or not.
std::vector<std::string> PlaceholdersIn(std::string_view text);

// Each placeholder replaced. nullopt: one has no value.
std::optional<std::string> Fill(std::string_view text, const Values& values);
// Of a path: values are percent-encoded.
std::optional<std::string> FillPath(std::string_view text, const Values& values);
// Of a JSON body: values are escaped, and "{name}" without a value, quotes included, is null. Other braces are JSON's own.
std::string FillBody(std::string_view text, const Values& values);

}  // namespace sluice::sources::http
