#pragma once
// Which top-level fields of JSON records are no columns yet?
#include <string>
#include <vector>

#include "formats/field_shape.h"
#include "formats/json_columns.h"
#include "formats/ndjson_lines.h"

namespace sluice::formats {

class NewJsonFields {
 public:
  explicit NewJsonFields(const ReadRequest& request);
  void Look(const LineBlock& block);
  void Add(const std::string& key);
  bool full() const { return known_.children.size() + fields_.size() > max_columns_; }  // of ReadRequest::max_columns
  // Strings, in order of first appearance.
  std::vector<contract::Field> Take() && { return std::move(fields_); }

 private:
  size_t max_columns_;
  FieldShape known_;
  JsonKeys keys_;
  std::vector<contract::Field> fields_;
};

}  // namespace sluice::formats
