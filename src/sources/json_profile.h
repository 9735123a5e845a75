#pragma once
// The nested type that JSON texts have in common.
#include <string>
#include <string_view>
#include <vector>

#include "contract/type.h"
#include "core/result.h"
#include "sources/text_profile.h"

namespace sluice::sources {

// Of texts that are all objects, or all arrays: struct or list, to any depth; fields in order of first appearance. Where the texts
// disagree, and for an object without fields, string: its JSON text. Scalars are inferred with ISO times only.
Result<contract::DataType> InferJson(const std::vector<std::string>& texts, const InferOptions& options, int depth = 0);

// The texts of each top-level field of JSON objects, in order of first appearance; data() == nullptr is no value.
struct JsonFields {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> texts;  // by name: those that are there
};
Result<JsonFields> SplitObjects(const std::vector<std::string>& objects);

}  // namespace sluice::sources
