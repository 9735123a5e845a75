#pragma once
#include <string>
#include <string_view>

#include "config/node.h"
#include "core/result.h"

namespace sluice::config {

// The one document in `text`, as YAML 1.2's core schema reads it; an empty document is an empty map at 1:1. `file` names it in
// places. Anchors, aliases and `<<` work. Errors, with their place:
//   "yaml-syntax", "duplicate-key" (all of them), "several-documents", "yaml-tag" (no type tags but !!str), "yaml-key" (a key that
//   is no scalar), "yaml-too-large" (aliases that multiply).
Result<Node> ParseYaml(std::string_view text, const std::string& file);

}  // namespace sluice::config
