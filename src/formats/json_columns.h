#pragma once
// JSON objects → Arrow columns: shredding. Each leaf of the schema gathers the texts of its values; they are decoded column by column
// at the end, by the contract's text decoders. (The idea of shredding: Melnik et al., "Dremel", VLDB 2010; here with Arrow's offsets.)
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "contract/contract.h"
#include "contract/text_decoder.h"
#include "core/result.h"
#include "formats/reader.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace sluice::formats {

enum class NewFields { kIgnore, kRefuse };

// What is known of a field before any record is read. Immutable; shared by all blocks of a file.
struct JsonShape {
  contract::DataType type;
  std::string name;
  std::string key;                                    // its usual spelling in the file
  bool trim = false;
  std::vector<std::string> null_tokens;               // for strings
  std::optional<contract::TextDecoder> decoder;       // scalars
  std::vector<JsonShape> children;                    // struct: fields; list: element; map: key, value
  std::unordered_map<std::string, int> by_key;        // struct: spelling → child; lower-case ones too
  NewFields new_fields = NewFields::kRefuse;          // struct

  int Find(std::string_view key) const;               // -1: none
};

// The record as a struct of the request's columns. Errors: kUser "bad-format", "unknown-zone".
Result<JsonShape> ShapeOf(const ReadRequest& request);

// Fills columns record by record. Not thread-safe.
class JsonColumns {
 public:
  explicit JsonColumns(const JsonShape& shape);
  ~JsonColumns();

  // The texts given must live until Finish, with kJsonPadding readable bytes behind each. A line that is no acceptable record
  // becomes a row of NULLs with one violation.
  void Append(std::string_view line);
  // A row of NULLs with this violation.
  void Refuse(std::string_view line, std::string rule, std::string message);
  // The rows, and all violations by row, one per (row, column).
  Result<std::shared_ptr<arrow::RecordBatch>> Finish(std::vector<contract::Violation>* violations);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

// The top-level keys of a line, in order; empty where it is no JSON object.
class JsonKeys {
 public:
  JsonKeys();
  ~JsonKeys();
  const std::vector<std::string>& Of(std::string_view line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::formats
