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

std::optional<std::string> JsonAt(Level level, simdjson::padded_string_view body, std::string_view path) {
  od::document document;
  if (Parser(level).iterate(body).get(document)) return std::nullopt;
  const auto steps = Steps(path);
  std::string_view raw;
  if (steps.empty()) {
    if (document.raw_json().get(raw)) return std::nullopt;
  } else {
    od::value value;
    if (Walk(document, steps).get(value) || value.raw_json().get(raw)) return std::nullopt;
  }
  raw = Trim(raw);
  return raw == "null" ? std::nullopt : std::optional<std::string>(raw);
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
  Extraction(const Request& request, std::string front, const TakeRecord& take)
      : request_(request), front_(std::move(front)), take_(take) {}

  // The value at the records' path.
  Status TakeAll(od::value value) {
    od::json_type type{};
    SLUICE_CHECK(Check(value.type().error()));
    type = value.type().value_unsafe();
    if (type != od::json_type::array) return TakeLevel(value, 0, front_);
    od::array array;
    SLUICE_CHECK(Check(value.get_array().get(array)));
    for (auto element : array) {
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
    return take_(line_, std::string_view(line_).substr(1 + std::min(front_.size(), line_.size() - 1)));
  }

  const Request& request_;
  const std::string front_;
  const TakeRecord& take_;
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

std::optional<std::string> Answer::At(std::string_view path) const { return JsonAt(Level::kAnswer, padded(), path); }

std::optional<std::string> Answer::TextAt(std::string_view path) const { return TextOf(At(path)); }

Result<bool> Answer::ForEachRecord(const Request& request, const Values& json, const TakeRecord& take) const {
  std::string front;
  for (const auto& [column, from] : request.carry) {
    AppendJsonString(column, &front);
    front += ':';
    const auto found = json.find(from);
    front += found != json.end() ? found->second : At(from).value_or("null");
    front += ',';
  }
  Extraction extraction(request, std::move(front), take);
  od::document document;
  if (const auto failed = Parser(Level::kAnswer).iterate(padded()).get(document); failed) return Fail(Broken(failed));
  const auto steps = Steps(request.records);
  od::value value;
  if (steps.empty()) {
    if (const auto failed = document.get_value().get(value); failed) return Fail(Broken(failed));
  } else if (const auto failed = Walk(document, steps).get(value); failed) {
    if (IsAbsent(failed)) return false;
    return Fail(Broken(failed));
  }
  if (!steps.empty() && value.is_null().value_unsafe()) return false;  // of the whole it may not be asked, and it is a map or list
  SLUICE_CHECK(extraction.TakeAll(value));
  return true;
}

std::optional<std::string> FieldOf(std::string_view record, std::string_view path, bool as_json) {
  const simdjson::padded_string padded(record);
  const auto json = JsonAt(Level::kRecord, padded, path);
  return as_json ? json : TextOf(json);
}

}  // namespace sluice::sources::http
