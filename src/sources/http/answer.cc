#include "sources/http/answer.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/json_text.h"
#include "core/text.h"

namespace sluice::sources::http {
namespace {

namespace od = simdjson::ondemand;

std::vector<std::string> Steps(std::string_view path) {
  if (path.starts_with("$.")) path.remove_prefix(2);
  if (path.empty() || path == "$") return {};
  return Split(path, '.');
}

// A parser is at work in one text at a time, and while an answer is walked through a record of it is looked into, and a string of that.
enum class Level { kAnswer, kRecord, kString };

od::parser& Parser(Level level) {
  thread_local std::array<od::parser, 3> parsers;
  return parsers[static_cast<size_t>(level)];
}

simdjson::simdjson_result<od::value> Step(od::value value, const std::string& name) {
  simdjson::ondemand::json_type type{};
  if (const auto failed = value.type().get(type); failed) return failed;
  if (type == od::json_type::object) return value.find_field_unordered(name);
  size_t place = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), place);
  if (type != od::json_type::array || error != std::errc() || end != name.data() + name.size()) return simdjson::NO_SUCH_FIELD;
  return value.at(place);
}

simdjson::simdjson_result<od::value> Walk(od::document& document, const std::vector<std::string>& steps) {
  od::value value;
  if (const auto failed = document.get_value().get(value); failed) return failed;
  for (const std::string& step : steps)
    if (const auto failed = Step(value, step).get(value); failed) return failed;
  return value;
}

bool IsAbsent(simdjson::error_code code) {
  return code == simdjson::NO_SUCH_FIELD || code == simdjson::INDEX_OUT_OF_BOUNDS || code == simdjson::INCORRECT_TYPE;
}

Error Broken(simdjson::error_code code) {
  return DataError("http-answer", fmt::format("the answer is no JSON: {}", simdjson::error_message(code)));
}

Result<std::optional<std::string>> JsonAt(Level level, simdjson::padded_string_view body, std::string_view path) {
  od::document document;
  if (const auto failed = Parser(level).iterate(body).get(document); failed) return Fail(Broken(failed));
  const auto steps = Steps(path);
  std::string_view raw;
  if (steps.empty()) {
    if (const auto failed = document.raw_json().get(raw); failed) return Fail(Broken(failed));
  } else {
    od::value value;
    auto failed = Walk(document, steps).get(value);
    if (!failed) failed = value.raw_json().get(raw);
    if (IsAbsent(failed)) return std::optional<std::string>();
    if (failed) return Fail(Broken(failed));
  }
  raw = Trim(raw);
  return raw == "null" ? std::optional<std::string>() : std::optional<std::string>(raw);
}

// Of a scalar as JSON.
std::optional<std::string> TextOf(const std::optional<std::string>& json) {
  if (!json || json->empty() || json->front() == '{' || json->front() == '[') return std::nullopt;
  if (json->front() != '"') return json;
  const simdjson::padded_string padded(*json);
  od::document document;
  std::string_view text;
  if (Parser(Level::kString).iterate(padded).get(document) || document.get_string().get(text)) return std::nullopt;
  return std::string(text);
}

// `{"front":…,` + the rest of an object; `front` ends with a comma, unless it is empty.
void Lead(std::string_view front, std::string_view object, std::string* out) {
  const std::string_view rest = Trim(object.substr(1));
  out->assign("{").append(front);
  if (rest == "}" && !front.empty()) out->pop_back();
  out->append(rest);
}

class Extraction {
 public:
  // `carried`: so many bytes of `front` are of elsewhere in the answer.
  Extraction(const Request& request, std::string front, size_t carried, const TakeRecord& take)
      : request_(request), front_(std::move(front)), carried_(carried), take_(take) {}
  int64_t elements() const { return elements_; }

  // The value at the records' path.
  Status TakeAll(od::value value) {
    od::json_type type{};
    SLUICE_CHECK(Check(value.type().error()));
    type = value.type().value_unsafe();
    if (type != od::json_type::array) {
      is_map_ = true;
      elements_ = request_.keys.empty() ? 1 : 0;
      return TakeLevel(value, 0, front_);
    }
    od::array array;
    SLUICE_CHECK(Check(value.get_array().get(array)));
    for (auto element : array) {
      ++elements_;
      od::value one;
      SLUICE_CHECK(Check(element.get(one)));
      SLUICE_CHECK(TakeLevel(one, 0, front_));
    }
    return Ok();
  }

 private:
  static Status Check(simdjson::error_code code) { return code ? Status(Fail(Broken(code))) : Ok(); }

  // Maps of maps, down to the records.
  Status TakeLevel(od::value value, size_t level, const std::string& front) {
    if (level == request_.keys.size()) return TakeOne(value, front);
    od::object object;
    if (value.get_object().get(object)) return TakeOne(value, front);  // not what was said: a record that its contract refuses
    for (auto field : object) {
      if (level == 0 && is_map_) ++elements_;
      std::string_view key;
      SLUICE_CHECK(Check(field.unescaped_key().get(key)));
      std::string longer = front;
      AppendJsonString(request_.keys[level], &longer);
      longer += ':';
      AppendJsonString(key, &longer);
      longer += ',';
      od::value inner;
      SLUICE_CHECK(Check(field.value().get(inner)));
      SLUICE_CHECK(TakeLevel(inner, level + 1, longer));
    }
    return Ok();
  }

  Status TakeOne(od::value value, const std::string& front) {
    std::string_view raw;
    SLUICE_CHECK(Check(value.raw_json().get(raw)));
    raw = Trim(raw);
    if (raw.starts_with('{')) {
      Lead(front, raw, &line_);
    } else if (!request_.value.empty()) {
      line_.assign("{").append(front);
      AppendJsonString(request_.value, &line_);
      line_.append(":").append(raw).append("}");
    } else {
      line_ = raw;
      return take_(line_, line_);
    }
    return take_(line_, std::string_view(line_).substr(1 + std::min(carried_, line_.size() - 1)));
  }

  const Request& request_;
  const std::string front_;
  const size_t carried_;
  const TakeRecord& take_;
  bool is_map_ = false;
  int64_t elements_ = 0;
  std::string line_;
};

}  // namespace

// A view of simdjson's own kind, in a header that does without it.
struct Answer::Padded : simdjson::padded_string_view {
  using padded_string_view::padded_string_view;
};

Answer::Padded Answer::padded() const { return Padded(body_.data(), size_, body_.size()); }

Result<Answer> Answer::Parse(std::string body) {
  if (body.starts_with("\xef\xbb\xbf")) body.erase(0, 3);
  const std::string_view front = Trim(body).substr(0, 1);
  if (front != "{" && front != "[")
    return Fail(
        DataError("http-answer", front.empty() ? "the answer is empty, and JSON is expected" : "the answer is no JSON map or list"));
  if (!IsValidUtf8(body)) return Fail(DataError("http-answer", "the answer is no UTF-8, and JSON is expected"));
  Answer answer{std::string(body.size() + simdjson::SIMDJSON_PADDING, ' ')};
  if (const auto failed = simdjson::minify(body.data(), body.size(), answer.body_.data(), answer.size_); failed)
    return Fail(Broken(failed));
  std::fill(answer.body_.begin() + static_cast<std::ptrdiff_t>(answer.size_), answer.body_.end(), ' ');
  // An answer that is cut off behind its records would seem to have no further page: the brackets must close.
  od::document document;
  std::string_view raw;
  if (const auto failed = Parser(Level::kAnswer).iterate(answer.padded()).get(document); failed) return Fail(Broken(failed));
  if (const auto failed = document.raw_json().get(raw); failed) return Fail(Broken(failed));
  if (Trim(raw).size() != answer.size_) return Fail(DataError("http-answer", "the answer is no JSON: something follows its end"));
  return answer;
}

Result<std::optional<std::string>> Answer::At(std::string_view path) const { return JsonAt(Level::kAnswer, padded(), path); }

Result<std::optional<std::string>> Answer::TextAt(std::string_view path) const {
  SLUICE_TRY(const auto json, At(path));
  return TextOf(json);
}

Result<std::optional<int64_t>> Answer::ForEachRecord(const Request& request, const Values& json, const TakeRecord& take) const {
  std::string front, given;
  for (const auto& [column, from] : request.carry) {
    const auto found = json.find(from);
    std::string& out = found != json.end() ? given : front;
    AppendJsonString(column, &out);
    out += ':';
    if (found != json.end()) {
      out += found->second;
    } else {
      SLUICE_TRY(const auto there, At(from));
      out += there.value_or("null");
    }
    out += ',';
  }
  const size_t carried = front.size();
  Extraction extraction(request, front + given, carried, take);
  od::document document;
  if (const auto failed = Parser(Level::kAnswer).iterate(padded()).get(document); failed) return Fail(Broken(failed));
  const auto steps = Steps(request.records);
  od::value value;
  if (steps.empty()) {
    if (const auto failed = document.get_value().get(value); failed) return Fail(Broken(failed));
  } else if (const auto failed = Walk(document, steps).get(value); failed) {
    if (IsAbsent(failed)) return std::optional<int64_t>();
    return Fail(Broken(failed));
  }
  if (!steps.empty() && value.is_null().value_unsafe())
    return std::optional<int64_t>();  // of the whole it may not be asked, and it is a map or list
  SLUICE_CHECK(extraction.TakeAll(value));
  return std::optional(extraction.elements());
}

std::optional<std::string> FieldOf(std::string_view record, std::string_view path, bool as_json) {
  const simdjson::padded_string padded(record);
  const auto json = JsonAt(Level::kRecord, padded, path);
  if (!json) return std::nullopt;  // a broken record is its contract's matter
  return as_json ? *json : TextOf(*json);
}

}  // namespace sluice::sources::http
