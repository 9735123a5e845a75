#include "net/retry.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "core/time.h"

namespace sluice::net {
namespace {

constexpr int64_t kNap = 50;  // of a pause, so that a cancelled one ends soon

std::optional<int64_t> Number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

bool Backoff::Sleep(int64_t millis) {
  const auto cancelled = [&] { return policy_.cancelled != nullptr && policy_.cancelled->load(std::memory_order_relaxed); };
  while (millis > 0 && !cancelled()) {
    const int64_t nap = policy_.cancelled != nullptr ? std::min(millis, kNap) : millis;
    clock_.SleepMillis(nap);
    millis -= nap;
  }
  return !cancelled();
}

bool Backoff::Pause(std::optional<int64_t> asked_millis) {
  if (tries_ >= policy_.tries || asked_millis.value_or(0) > policy_.longest_asked_millis) return false;
  const int64_t bound = std::min(policy_.longest_millis, policy_.first_millis << std::min(tries_ - 1, 20));
  ++tries_;
  const auto drawn = static_cast<int64_t>(random_.Next() % static_cast<uint64_t>(bound + 1));
  return Sleep(std::max(drawn, asked_millis.value_or(0)));
}

std::optional<Instant> ParseHttpDate(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::vector<std::string> parts = Split(text, ' ');
  if (parts.size() != 6 || parts[5] != "GMT" || parts[2].size() != 3) return std::nullopt;
  const size_t month = kMonths.find(parts[2]);
  const auto day = Number(parts[1]), year = Number(parts[3]);
  const std::vector<std::string> time = Split(parts[4], ':');
  if (month == std::string_view::npos || month % 3 != 0 || !day || !year || time.size() != 3) return std::nullopt;
  const auto hour = Number(time[0]), minute = Number(time[1]), second = Number(time[2]);
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60 || *day > 31 || *year > 9999 ||
      !IsValidDate(static_cast<int>(*year), static_cast<unsigned>(month / 3 + 1), static_cast<unsigned>(*day)))
    return std::nullopt;
  const int64_t days = DaysFromCivil(static_cast<int>(*year), static_cast<unsigned>(month / 3 + 1), static_cast<unsigned>(*day));
  return Instant{(((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1'000'000};
}

std::optional<int64_t> RetryAfter(const HttpResponse& response, Instant now) {
  const std::string* text = response.Header("Retry-After");
  if (text == nullptr) return std::nullopt;
  constexpr int64_t kMost = 365LL * 86'400;
  if (const auto seconds = Number(*text)) return std::min(*seconds, kMost) * 1000;
  const auto then = ParseHttpDate(*text);
  return then ? std::optional(std::max<int64_t>(0, then->millis() - now.millis())) : std::nullopt;
}

bool MayPassStatus(int status) {
  return status == 408 || status == 425 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

Result<HttpResponse> SendAgain(HttpClient& client, const HttpRequest& request, const RetryPolicy& policy, Clock& clock, Random& random) {
  Backoff backoff(policy, clock, random);
  while (true) {
    auto response = client.Send(request);
    const bool may_pass = response ? MayPassStatus(response->status) : response.error().kind == ErrorKind::kRetryable;
    if (!may_pass) return response;
    if (backoff.Pause(response ? RetryAfter(*response, clock.Now()) : std::nullopt)) continue;
    if (policy.cancelled != nullptr && *policy.cancelled) return Fail(CancelledError());
    return response;
  }
}

}  // namespace sluice::net
