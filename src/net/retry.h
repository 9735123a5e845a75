#pragma once
// When to try again: exponential backoff with full jitter (each pause is drawn between nothing and the bound, and the bound doubles),
// but not before the time that a peer asked for.
#include <atomic>
#include <optional>

#include "core/clock.h"
#include "net/http.h"

namespace sluice::net {

struct RetryPolicy {
  int tries = 7;                                 // the first included
  int64_t first_millis = 100;                    // bound of the first pause
  int64_t longest_millis = 10'000;               // of any
  int64_t longest_asked_millis = 60'000;         // a peer that asks for more is not waited for
  const std::atomic<bool>* cancelled = nullptr;  // once true there is no further try
};

class Backoff {
 public:
  Backoff(const RetryPolicy& policy, Clock& clock, Random& random) : policy_(policy), clock_(clock), random_(random) {}
  // Sleeps. False: no further try. `asked_millis`: what the peer asked to wait.
  bool Pause(std::optional<int64_t> asked_millis = std::nullopt);
  int tries() const { return tries_; }

 private:
  bool Sleep(int64_t millis);

  const RetryPolicy& policy_;
  Clock& clock_;
  Random& random_;
  int tries_ = 1;
};

// Milliseconds that a Retry-After header asks for: seconds, or an HTTP date (RFC 9110 section 10.2.3).
std::optional<int64_t> RetryAfter(const HttpResponse& response, Instant now);
// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7, IMF-fixdate).
std::optional<Instant> ParseHttpDate(std::string_view text);

// Statuses of a peer that is busy or ill for the moment: 408, 425, 429, and 500 to 599 but for 501 and 505.
bool MayPassStatus(int status);

// Sends a request that does the same however often it is sent, until there is an answer that is none of MayPassStatus or the tries are
// used up: then the last answer or error; kCancelled where the policy was cancelled.
Result<HttpResponse> SendAgain(HttpClient& client, const HttpRequest& request, const RetryPolicy& policy, Clock& clock, Random& random);

}  // namespace sluice::net
