#pragma once
// What a reader of nested records knows of a field before it has read any: its type, and how its values are decoded.
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "contract/contract.h"
#include "contract/text_decoder.h"
#include "core/result.h"
#include "formats/reader.h"

namespace sluice::formats {

enum class NewFields { kIgnore, kRefuse };

// What is known of a field before any record is read. Immutable; shared by all blocks of a file.
struct FieldShape {
  contract::DataType type;
  std::string name;
  std::string key;  // its usual spelling in the file
  bool trim = false;
  std::vector<std::string> null_tokens;          // for strings
  std::optional<contract::TextDecoder> decoder;  // scalars
  std::string zone;                              // of timestamps without one; "" = none
  std::vector<FieldShape> children;              // struct: fields; list: element; map: key, value
  std::unordered_map<std::string, int> by_key;   // struct: spelling → child; lower-case ones too
  NewFields new_fields = NewFields::kRefuse;     // struct

  int Find(std::string_view key) const;  // -1: none
};

// Could a field of the record, which is none of its columns, become one?
bool MayBeColumn(const FieldShape& record, std::string_view key);

// The record as a struct of the request's columns. Errors: kUser "bad-format", "unknown-zone".
Result<FieldShape> ShapeOf(const ReadRequest& request);
// Gives a struct's fields (root: the columns of `request`) their spellings; `from` before names.
void IndexKeys(const ReadRequest& request, FieldShape* root);

}  // namespace sluice::formats
