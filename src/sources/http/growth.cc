#include "sources/http/growth.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/json_text.h"
#include "core/text.h"
#include "core/time.h"
#include "sources/http/answer.h"

namespace sluice::sources::http {
namespace {

constexpr size_t kMostSeen = 10'000;     // they stand in the batch records
constexpr size_t kMostNear = 1'000'000;  // in memory, of which the end may still leave most behind
constexpr int64_t kDay = 86'400'000'000;

bool IsText(std::string_view json) { return json.starts_with('"'); }

std::string TextOf(std::string_view json) {
  if (!IsText(json)) return std::string(json);
  if (json.find('\\') == std::string_view::npos) return std::string(json.substr(1, json.size() - 2));
  const auto text = nlohmann::json::parse(json, nullptr, false);
  return text.is_string() ? text.get<std::string>() : std::string(json.substr(1, json.size() - 2));
}

std::optional<int64_t> WholeNumber(std::string_view json) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), value);
  return error == std::errc() && end == json.data() + json.size() ? std::optional(value) : std::nullopt;
}

std::optional<double> Number(std::string_view json) {
  double value = 0;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), value);
  return error == std::errc() && end == json.data() + json.size() ? std::optional(value) : std::nullopt;
}

template <typename T>
int Compare(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// nullopt: they are of different kinds. Instants by the time they mean, whole numbers in quotes as numbers, other texts bytewise.
std::optional<int> Compared(const std::string& a, const std::string& b) {
  if (IsText(a) != IsText(b)) return std::nullopt;
  if (IsText(a)) {
    const std::string left = TextOf(a), right = TextOf(b);
    const auto one = ParseInstant(left), other = ParseInstant(right);
    if (one && other) return Compare(one->micros, other->micros);
    const auto number = WholeNumber(left), other_number = WholeNumber(right);
    if (number && other_number) return Compare(*number, *other_number);
    return Compare(left, right);
  }
  const auto one = WholeNumber(a), other = WholeNumber(b);
  if (one && other) return Compare(*one, *other);
  const auto left = Number(a), right = Number(b);
  return left && right ? std::optional(Compare(*left, *right)) : std::nullopt;
}

std::string Quoted(const std::string& text) {
  std::string json;
  AppendJsonString(text, &json);
  return json;
}

}  // namespace

Growth::Growth(std::string field, int64_t lookback, bool lookback_is_time, Instant began, End before)
    : field_(std::move(field)),
      lookback_(std::max<int64_t>(0, lookback)),
      lookback_is_time_(lookback_is_time),
      began_(began),
      before_(std::move(before)),
      greatest_(before_.value) {}

std::string Growth::Capped(const std::string& value) const {
  if (!IsText(value)) return value;
  const std::string text = TextOf(value);
  const auto today = static_cast<int32_t>(began_.micros / kDay);
  std::string capped = value;
  if (const auto instant = ParseInstant(text); instant && instant->micros > began_.micros) capped = Quoted(FormatInstant(began_));
  if (const auto date = ParseDate(text); date && *date > today) capped = Quoted(FormatDate(today));
  // The end never goes back.
  return !before_.value.empty() && Compared(capped, before_.value).value_or(1) < 0 ? before_.value : capped;
}

Result<std::string> Growth::Floor(const std::string& value) const {
  if (lookback_ == 0) return value;
  const auto refuse = [&](const char* what) {
    return Fail(UserError("http-cursor", fmt::format("\"lookback\" is {}, and the cursor {} is {}",
                                                     lookback_is_time_ ? "a time" : "a number", field_, value))
                    .Hint(what));
  };
  if (!IsText(value)) {
    if (lookback_is_time_) return refuse("write lookback: 1000, in the cursor's own unit");
    if (const auto whole = WholeNumber(value)) return std::to_string(*whole < INT64_MIN + lookback_ ? INT64_MIN : *whole - lookback_);
    const auto number = Number(value);
    return number ? Result<std::string>(fmt::format("{}", *number - static_cast<double>(lookback_))) : Result<std::string>(value);
  }
  const std::string text = TextOf(value);
  if (lookback_is_time_) {
    if (const auto instant = ParseInstant(text)) return Quoted(FormatInstant({instant->micros - lookback_}));
    if (const auto date = ParseDate(text)) return Quoted(FormatDate(*date - static_cast<int32_t>((lookback_ + kDay - 1) / kDay)));
  }
  return refuse("a lookback goes with dates, with times that have a zone, and with numbers");
}

Result<std::optional<std::string>> Growth::From() const {
  if (before_.value.empty()) return std::optional<std::string>();
  SLUICE_TRY(const std::string floor, Floor(before_.value));
  return std::optional(TextOf(floor));
}

Result<bool> Growth::Take(std::string_view record, std::string_view own) {
  const auto value = FieldOf(record, field_, true);
  std::string hash = Hex(Hash64(own));
  const std::lock_guard lock(mutex_);
  if (!value) {
    const bool is_new = !before_.without.contains(hash);
    without_.insert(std::move(hash));
    if (without_.size() > kMostSeen)
      return Fail(DataError("http-cursor", fmt::format("more than {} records have no {}", FormatCount(kMostSeen), field_))
                      .Hint("take a field that the records have as their cursor"));
    return is_new;
  }
  const bool is_new = !before_.seen.contains(hash);
  if (greatest_.empty()) greatest_ = *value;
  if (floor_.empty() && !before_.value.empty()) {
    SLUICE_TRY(floor_, Floor(before_.value));
  }
  const auto compared = Compared(*value, greatest_);
  const auto above_floor = floor_.empty() ? compared : Compared(*value, floor_);
  if (!compared || !above_floor)
    return Fail(DataError("http-cursor", fmt::format("the cursor {} is {} in one record and {} in another", field_, greatest_.substr(0, 60),
                                                     value->substr(0, 60)))
                    .Hint("take a field that every record has in one type"));
  if (!floor_.empty() && *above_floor < 0) return false;  // the API gives more than it was asked for
  if (*compared > 0) greatest_ = *value;
  near_.emplace_back(*value, std::move(hash));
  if (near_.size() > trim_at_) SLUICE_CHECK(Trim());
  return is_new;
}

// What has fallen behind the end is not asked for again.
Status Growth::Trim() {
  SLUICE_TRY(const std::string floor, Floor(Capped(greatest_)));
  std::erase_if(near_, [&](const auto& one) { return Compared(one.first, floor).value_or(0) < 0; });
  trim_at_ = std::max<size_t>(40'000, near_.size() * 2);
  if (near_.size() > kMostNear)
    return Fail(
        DataError("http-cursor", fmt::format("more than {} records lie at the end of the cursor {}", FormatCount(kMostNear), field_))
            .Hint("take a finer cursor or a shorter lookback, or load: append with windows"));
  return Ok();
}

Result<End> Growth::After() const {
  End after;
  after.value = greatest_.empty() ? greatest_ : Capped(greatest_);
  after.without = before_.without;
  after.without.insert(without_.begin(), without_.end());
  if (greatest_.empty() && !without_.empty())
    return Fail(DataError("http-cursor", fmt::format("no record has the cursor, {}", field_))
                    .Hint("name a field of the records, with dots between names: meta.updated_at"));
  if (!greatest_.empty()) {
    SLUICE_TRY(const std::string floor, Floor(after.value));
    for (const auto& [value, hash] : near_)
      if (Compared(value, floor).value_or(0) >= 0) after.seen.insert(hash);
  }
  // An API that gives only what lies behind the end has not given those at the end again.
  if (after.value == before_.value) after.seen.insert(before_.seen.begin(), before_.seen.end());
  const size_t known = after.seen.size() + after.without.size();
  if (known > kMostSeen)
    return Fail(DataError("http-cursor", fmt::format("{} records lie at the end of the cursor {}, too many to tell those that come again",
                                                     FormatCount(static_cast<int64_t>(known)), field_))
                    .Hint("take a finer cursor or a shorter lookback, or load: append with windows"));
  return after;
}

}  // namespace sluice::sources::http
