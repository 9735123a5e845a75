#pragma once
// How do we speak HTTP? One client over libcurl, which enters through http.cc alone and is loaded when the first request is made.
// Connections are kept and used again; certificates are always verified.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace sluice::net {

using Headers = std::vector<std::pair<std::string, std::string>>;
// The value of a header, whatever the case of its name; nullptr if it is not there.
const std::string* FindHeader(const Headers& headers, std::string_view name);

// A body that is read piece by piece while it is sent.
struct Upload {
  int64_t size = 0;
  std::function<Result<size_t>(char* buffer, size_t capacity)> read;  // 0 = end; an error ends the request with it
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // percent-encoded; sent as it is
  Headers headers;  // of HTTP's own only what is given here and Host, User-Agent, Content-Length, Accept
  std::string_view body;
  std::optional<Upload> upload;  // instead of body
  // Where the body of a 2xx answer goes, piece by piece, instead of HttpResponse::body; an error ends the request with it.
  std::function<Status(std::string_view piece)> sink;
  // May libcurl send the request once more by itself, where a kept connection turns out to be dead? Not where a second sending would
  // not do the same as the first.
  bool resend = true;
  bool compressed = false;     // may the answer come compressed? It is given decompressed
  bool proxy = true;           // false: whatever the environment's proxy variables say
  int64_t total_millis = 0;    // for the whole request; 0: as long as bytes move
  int64_t connect_millis = 0;  // 0: the client's
};

struct HttpResponse {
  int status = 0;
  Headers headers;
  std::string body;
  bool ok() const { return status >= 200 && status < 300; }
  const std::string* Header(std::string_view name) const { return FindHeader(headers, name); }
};

struct HttpOptions {
  std::string ca_file;                           // PEM; "" = the machine's
  int64_t connect_millis = 10'000;               // until the connection stands, TLS included
  int64_t stall_millis = 30'000;                 // without a byte in either direction: "timed-out"
  const std::atomic<bool>* cancelled = nullptr;  // once true, requests end with kCancelled
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Any status is an answer; errors are what kept one from coming. Codes:
  //   "connect-failed"   retryable: nothing was sent
  //   "connection-lost"  retryable: the request may have been received, and done
  //   "timed-out"        retryable: likewise
  //   "tls-failed"       user: the peer could not be verified
  //   "bad-url"          user
  // Thread-safe.
  virtual Result<HttpResponse> Send(const HttpRequest& request) = 0;
};

std::unique_ptr<HttpClient> NewHttpClient(HttpOptions options);

}  // namespace sluice::net
