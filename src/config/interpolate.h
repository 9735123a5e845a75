#pragma once
// ${scheme:name} inside YAML texts. `var` is replaced early, before decoding; env, file and secret late, by Resolve, so that what they
// name never reaches a decoded value, a log, a plan or an error. "$${" stands for "${".
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "config/node.h"
#include "config/schema.h"
#include "core/result.h"
#include "core/secret.h"

namespace sluice::config {

// Replaces ${var:x} everywhere below `node`. A text that is nothing but ${var:x} takes the kind of the var. Errors: "unknown-var" with a
// suggestion, "bad-interpolation". Texts with late references keep them.
Node Interpolate(const Node& node, const std::map<std::string, Node>& vars, Diagnostics& diagnostics);

// Names of the late references in a text ("env:HOME"), in order.
std::vector<std::string> LateReferences(std::string_view text);

struct Surroundings {
  std::function<std::optional<std::string>(const std::string&)> environment;  // a variable's value
  std::function<Result<std::string>(const std::string&)> read_file;           // a file's contents, path as written
};
Surroundings ProcessSurroundings(const std::string& root);

// The text with its late references replaced (a file's last newline is dropped). Errors name the reference, never a value:
// "unset-variable", "unreadable-file", "not-yet" (secret).
Result<Secret> Resolve(const PlacedText& text, const Surroundings& surroundings);

// "$${" for "${", and back.
std::string Escape(std::string_view text);
std::string Unescape(std::string_view text);

}  // namespace sluice::config
