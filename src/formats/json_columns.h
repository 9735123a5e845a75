#pragma once
// JSON objects → Arrow columns: shredding. Each leaf of the schema gathers the texts of its values; they are decoded column by column
// at the end, by the contract's text decoders. (The idea of shredding: Melnik et al., "Dremel", VLDB 2010; here with Arrow's offsets.)
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "core/result.h"
#include "formats/field_shape.h"

namespace arrow {
class RecordBatch;
}

namespace sluice::formats {

// Fills columns record by record. Not thread-safe.
class JsonColumns {
 public:
  explicit JsonColumns(const FieldShape& shape);
  ~JsonColumns();

  // The texts given must live until Finish, with kJsonPadding readable bytes behind each. A line that is no acceptable record
  // becomes a row of NULLs with one violation.
  void Append(std::string_view line);
  // A row of NULLs with this violation.
  void Refuse(std::string_view line, std::string rule, std::string message);
  // The rows, and all violations by row, one per (row, column).
  Result<std::shared_ptr<arrow::RecordBatch>> Finish(std::vector<contract::Violation>* violations);
  // Has a record a field that could be a column? Also one that is refused, as long as its fields can be told.
  bool met_new_columns() const;

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
