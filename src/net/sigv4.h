#pragma once
// AWS Signature Version 4 ("Create a signed AWS API request", IAM User Guide). Pure but for the digests.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "net/credentials.h"
#include "net/http.h"

namespace sluice::net {

using Query = std::vector<std::pair<std::string, std::string>>;  // names and values as they are meant, not encoded

// "a=1&b=x%20y": sorted by name and value, as signatures want it; also what goes into the URL.
std::string CanonicalQuery(const Query& query);

struct SigningRequest {
  std::string method;
  std::string host;          // as it goes into the Host header, with a port that is not the scheme's own
  std::string encoded_path;  // "/" and what follows, percent-encoded once; S3 takes it as it is, other services have "/"
  Query query;
  Headers headers;           // further ones that are signed
  std::string payload_hash;  // of the body, hex; or kUnsignedPayload
};
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// The headers to send: those of the request, x-amz-date, x-amz-security-token where there is a token, for S3
// x-amz-content-sha256, and Authorization.
Result<Headers> SignV4(const SigningRequest& request, const Credentials& credentials, std::string_view region, std::string_view service,
                       Instant now);

}  // namespace sluice::net
