#include "store/s3/s3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "net/digest.h"
#include "net/xml.h"

namespace sluice::store {
namespace {

template <size_t N>
bool IsOneOf(std::string_view code, const std::array<std::string_view, N>& codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// The server says that it did nothing because of the load.
bool IsThrottling(const net::HttpResponse& response, std::string_view code) {
  static constexpr std::array<std::string_view, 6> kCodes = {
      "SlowDown", "ServiceUnavailable", "TooManyRequests", "ThrottlingException", "RequestLimitExceeded", "RequestThrottled"};
  return response.status == 429 || IsOneOf(code, kCodes);
}

bool IsExpired(std::string_view code) {
  static constexpr std::array<std::string_view, 3> kCodes = {"ExpiredToken", "TokenRefreshRequired", "ExpiredTokenException"};
  return IsOneOf(code, kCodes);
}

bool IsAboutIdentity(std::string_view code) {
  static constexpr std::array<std::string_view, 5> kCodes = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken",
                                                             "InvalidSecurity", "AuthorizationHeaderMalformed"};
  return IsOneOf(code, kCodes) || IsExpired(code);
}

// A conditional write met another write of the same object that was under way; nothing was done.
bool IsRaceLost(const net::HttpResponse& response, std::string_view code) {
  return response.status == 409 && (code == "ConditionalRequestConflict" || code == "OperationAborted");
}

// Codes of 400 that are worth another try: the server did not get the whole request.
bool IsHalfReceived(std::string_view code) { return code == "RequestTimeout" || code == "IncompleteBody"; }

Error OutcomeUnknown(const S3Call& call, const std::string& uri, const std::string& why) {
  return RetryableError("outcome-unknown", fmt::format("{} {}: it is not known whether it was done: {}", call.method, uri, why));
}

}  // namespace

S3Problem ProblemIn(const net::HttpResponse& response) {
  if (response.body.empty()) return {};
  const auto answer = net::ParseXml(response.body);
  if (!answer || answer->name != "Error") return {};
  return {answer->TextOf("Code"), answer->TextOf("Message")};
}

S3Client::S3Client(S3Address address, std::string region, Parts parts)
    : address_(std::move(address)), parts_(std::move(parts)), region_(std::move(region)) {}

std::string S3Client::region() const {
  const std::lock_guard lock(mutex_);
  return region_.empty() ? "us-east-1" : region_;
}

std::string S3Client::UriOf(std::string_view key) const { return fmt::format("s3://{}/{}", address_.bucket, key); }

std::string S3Client::ServiceHost() const {
  if (!address_.host.empty()) return address_.host;
  const std::string of = region();
  return fmt::format("s3.{}.amazonaws.com{}", of, of.starts_with("cn-") ? ".cn" : "");
}

std::string S3Client::HostOf() const { return address_.path_style ? ServiceHost() : address_.bucket + "." + ServiceHost(); }

Result<net::HttpResponse> S3Client::SendOnce(const S3Call& call, const net::Credentials& credentials) {
  std::string path = address_.base_path + "/";
  if (address_.path_style) path += address_.bucket + (call.key.empty() ? "" : "/");
  path += PercentEncode(call.key, /*keep_slash=*/true);
  SLUICE_TRY(const std::string digest, net::Sha256(call.body));
  const net::SigningRequest signing{call.method, HostOf(), path, call.query, call.headers, net::HexOf(digest)};
  net::HttpRequest request{.method = call.method};
  SLUICE_TRY(request.headers, net::SignV4(signing, credentials, region(), "s3", parts_.clock->Now()));
  request.url = address_.scheme + "://" + signing.host + path;
  if (!call.query.empty()) request.url += "?" + net::CanonicalQuery(call.query);
  request.body = call.body;
  request.resend = !call.once;
  return parts_.http->Send(request);
}

// The bucket is in another region than we thought: a server says in which.
bool S3Client::AdoptRegion(const net::HttpResponse& response) {
  const std::string* named = response.Header("x-amz-bucket-region");
  const bool misplaced = response.status == 301 || response.status == 307 || response.status == 400 || response.status == 403;
  if (!misplaced || named == nullptr || named->empty() || *named == region()) return false;
  const std::lock_guard lock(mutex_);
  region_ = *named;
  return true;
}

Result<net::HttpResponse> S3Client::Send(const S3Call& call) {
  net::Backoff backoff(parts_.retry, *parts_.clock, *parts_.random);
  bool renewed = false, moved = false;
  while (true) {
    SLUICE_TRY(const net::Credentials credentials, parts_.credentials->Get());
    auto response = SendOnce(call, credentials);
    if (!response) {
      const Error& error = response.error();
      if (error.kind != ErrorKind::kRetryable) return response;
      if (call.once && error.code != "connect-failed") return Fail(OutcomeUnknown(call, UriOf(call.key), error.message));
      if (backoff.Pause()) continue;
      return response;
    }
    const int status = response->status;
    if (response->ok() || status == 412 || status == 416) return response;
    const S3Problem problem = ProblemIn(*response);
    if (status == 404 && problem.code != "NoSuchBucket") return response;
    if (!std::exchange(moved, true) && AdoptRegion(*response)) continue;
    if (IsExpired(problem.code) && !std::exchange(renewed, true)) {
      parts_.credentials->Refuse(credentials);
      continue;
    }
    const bool not_done = IsThrottling(*response, problem.code) || IsRaceLost(*response, problem.code) || IsHalfReceived(problem.code);
    if (call.once && !not_done && net::MayPassStatus(status))
      return Fail(OutcomeUnknown(call, UriOf(call.key), fmt::format("HTTP status {} {}", status, problem.code)));
    if ((not_done || net::MayPassStatus(status)) && backoff.Pause(net::RetryAfter(*response, parts_.clock->Now()))) continue;
    return Fail(ErrorOf(call, *response, credentials));
  }
}

Error S3Client::NoSuchObject(const S3Call& call, const net::HttpResponse& response) const {
  const S3Problem problem = ProblemIn(response);
  if (problem.code == "NoSuchBucket") return UserError("no-such-bucket", fmt::format("there is no bucket {}", address_.bucket));
  return NotFoundError("no-such-object", fmt::format("{} does not exist", UriOf(call.key)));
}

Error S3Client::ErrorOf(const S3Call& call, const net::HttpResponse& response, const net::Credentials& credentials) const {
  const S3Problem problem = ProblemIn(response);
  const std::string on = call.key.empty() ? "s3://" + address_.bucket : UriOf(call.key);
  const std::string why =
      problem.code.empty() ? fmt::format("HTTP status {}", response.status) : fmt::format("{}: {}", problem.code, problem.message);
  const std::string what = fmt::format("{} on {}: {}", call.action, on, why);
  if (problem.code == "NoSuchBucket")
    return UserError("no-such-bucket", fmt::format("there is no bucket {} at {}", address_.bucket, HostOf()))
        .Hint("make it, or mend the location; an endpoint of its own is set by `endpoint`");
  if (problem.code == "RequestTimeTooSkewed")
    return UserError("clock-skew", what).Hint("this machine's clock is more than 15 minutes off: set it");
  if (IsAboutIdentity(problem.code))
    return UserError("bad-credentials", fmt::format("{} ({})", what, credentials.ToString()))
        .Hint("the server does not accept these credentials: look where they come from");
  if (response.status == 401 || response.status == 403)
    return UserError("access-denied", fmt::format("{} on {} is denied to {}: {}", call.action, on, credentials.ToString(), why))
        .Hint("allow it in the policy of that identity, or of the bucket; without s3:ListBucket S3 also answers so for what is not there");
  if (IsThrottling(response, problem.code)) return RetryableError("throttled", what).Hint("the store is busy: run again later");
  if (response.status == 501)
    return UnsupportedError("unsupported-store", what).Hint("the server must know conditional writes: If-None-Match and If-Match of PUT");
  if (response.status >= 500 || net::MayPassStatus(response.status) || IsRaceLost(response, problem.code))
    return RetryableError("store-failed", what);
  return UserError("store-refused", what);
}

}  // namespace sluice::store
