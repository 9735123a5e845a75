#pragma once
// One bucket, spoken to: addresses, signatures, tries, and answers as errors of ours.
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "net/credentials.h"
#include "net/retry.h"
#include "net/sigv4.h"
#include "store/remote.h"

namespace sluice::store {

// Where the bucket is.
struct S3Address {
  std::string bucket;
  std::string scheme = "https", host;  // host of the service, with its port; "" = AWS's for the region
  std::string base_path;               // of an endpoint that has one, without a '/' at its end
  bool path_style = false;
};

struct S3Call {
  std::string action;  // as a policy names it, for messages: "s3:PutObject"
  std::string method = "GET";
  std::string key;  // "" = the bucket itself
  net::Query query;
  net::Headers headers;
  std::string_view body;
  // Would a second sending do something else than the first, once that was received? Then a lost answer is not tried again, but is
  // the error "outcome-unknown".
  bool once = false;
};

class S3Client {
 public:
  struct Parts {
    std::unique_ptr<net::HttpClient> http;
    std::unique_ptr<net::CredentialProvider> credentials;
    Clock* clock = &SystemClock();
    Random* random = &SystemRandom();
    net::RetryPolicy retry;
  };
  S3Client(S3Address address, std::string region, Parts parts);

  // The answer, if its status is 2xx, 404, 412 or 416; every other one is an error. Thread-safe.
  Result<net::HttpResponse> Send(const S3Call& call);

  const S3Address& address() const { return address_; }
  std::string region() const;
  std::string ServiceHost() const;  // without the bucket
  Result<net::Credentials> Identity() { return parts_.credentials->Get(); }
  std::string UriOf(std::string_view key) const;
  // The error of an answer that says the object is not there.
  Error NoSuchObject(const S3Call& call, const net::HttpResponse& response) const;

 private:
  enum class Next { kAnswer, kAgain, kPause, kFail };

  std::string HostOf() const;
  Result<net::HttpResponse> SendOnce(const S3Call& call, const net::Credentials& credentials);
  bool AdoptRegion(const net::HttpResponse& response);
  Error ErrorOf(const S3Call& call, const net::HttpResponse& response, const net::Credentials& credentials) const;

  const S3Address address_;
  Parts parts_;
  mutable std::mutex mutex_;
  std::string region_;  // guarded by mutex_
};

// The code in an error answer of S3 ("SlowDown"), or "".
struct S3Problem {
  std::string code, message;
};
S3Problem ProblemIn(const net::HttpResponse& response);

}  // namespace sluice::store
