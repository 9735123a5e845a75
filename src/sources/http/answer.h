#pragma once
// What is in an answer: JSON, looked at by paths, its records as lines.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sources/http/placeholders.h"
#include "sources/http/settings.h"

namespace sluice::sources::http {

// A record as a line of JSON; `own`: what tells it from others: all but what is carried from elsewhere in the answer.
using TakeRecord = std::function<Status(std::string_view record, std::string_view own)>;

// A path of names and places in lists: "data.items", "0.rates"; "$." before it may stand. "" is the whole.
class Answer {
 public:
  // Errors: kData "http-answer": it is no JSON.
  static Result<Answer> Parse(std::string body);

  // The JSON text at a path, on one line; nullopt: there is nothing, or null. Error kData "http-answer": on the way there the JSON is
  // broken.
  Result<std::optional<std::string>> At(std::string_view path) const;
  // Likewise, of a scalar; a string without its quotes. A list or map is nothing.
  Result<std::optional<std::string>> TextAt(std::string_view path) const;

  // Each record of `request` as JSON on one line, keys and carried columns put in front of its own; in order. `json`: what may be carried
  // beside paths of the answer. Gives how many elements the list, or with `keys` the map, at the records' path has; nullopt: there is
  // nothing. Errors: kData "http-answer": the JSON is broken further in; those of `take`.
  Result<std::optional<int64_t>> ForEachRecord(const Request& request, const Values& json, const TakeRecord& take) const;

 private:
  explicit Answer(std::string body) : body_(std::move(body)) {}
  struct Padded;
  Padded padded() const;

  std::string body_;  // without white space, and padded as simdjson wants it
  size_t size_ = 0;
};

// A field of a record, as TextAt and At have it: for cursors and parents. `record` is one JSON object.
std::optional<std::string> FieldOf(std::string_view record, std::string_view path, bool as_json);

}  // namespace sluice::sources::http
