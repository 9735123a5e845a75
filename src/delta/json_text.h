#pragma once
// Writing JSON by hand: for log lines, whose keys stand in the order that people and other writers know.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/json_text.h"

namespace sluice::delta {

std::string JsonString(std::string_view text);

// An object or array being written: puts the commas.
class JsonObject {
 public:
  explicit JsonObject(std::string* out) : out_(out) { *out_ += '{'; }
  void Close() { *out_ += '}'; }
  void Key(std::string_view key) {
    if (!first_) *out_ += ',';
    first_ = false;
    AppendJsonString(key, out_);
    *out_ += ':';
  }
  void Raw(std::string_view key, std::string_view json) { Key(key), *out_ += json; }
  void Text(std::string_view key, std::string_view value) { Key(key), AppendJsonString(value, out_); }
  void Int(std::string_view key, int64_t value) { Key(key), *out_ += std::to_string(value); }
  void Bool(std::string_view key, bool value) { Key(key), *out_ += value ? "true" : "false"; }

 private:
  std::string* out_;
  bool first_ = true;
};

}  // namespace sluice::delta
