#pragma once
// Requests to one API: as who we are, no faster than it allows, again where that may help, and never to another host.
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "net/http.h"
#include "net/retry.h"
#include "sources/http/settings.h"

namespace sluice::sources::http {

struct Call {
  std::string method, url;  // without the connection's own parameters
  net::Headers headers;
  std::string body;
};

class Caller {
 public:
  Caller(const Settings& settings, const std::atomic<bool>* cancel, Clock& clock, Random& random);
  ~Caller();

  // With "***" for each secret of the connection, also as it is sent: for messages that show what a peer said.
  std::string Masked(std::string text) const;
  // The error of a call, with what was asked before it.
  Error About(Error error, const Call& call) const;

  // An answer of 200 to 299, or one of 404 or 410. Thread-safe. Errors: kUser "http-unauthorized" (401, 403), "http-refused" (any other of
  // 300 to 499), "http-other-host", "tls-failed", "bad-url"; kRetryable "http-failed" (429 and 500 to 599, when the tries are used up),
  // "connect-failed", "connection-lost", "timed-out"; kData "http-too-large".
  Result<net::HttpResponse> Send(const Call& call);

 private:
  class Paced;

  Result<net::HttpRequest> Dress(const Call& call, const std::string& token) const;
  // Not `refused`, which the peer takes no more.
  Result<std::string> Token(const std::string& refused);
  Result<std::string> FetchToken();
  Result<net::HttpResponse> SendOnce(const Call& call, const std::string& token);
  Error ErrorOf(const Call& call, const net::HttpResponse& response) const;
  std::vector<std::string> Secrets() const;
  static std::string Masked(std::string text, std::vector<std::string> secrets);

  const Settings& settings_;
  Clock& clock_;
  Random& random_;
  const net::RetryPolicy policy_;
  std::unique_ptr<net::HttpClient> client_;
  std::unique_ptr<Paced> paced_;
  mutable std::mutex mutex_;
  std::string token_;   // guarded by mutex_
  Instant token_ends_;  // likewise
};

}  // namespace sluice::sources::http
