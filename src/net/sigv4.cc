#include "net/sigv4.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "core/time.h"
#include "net/digest.h"

namespace sluice::net {
namespace {

// 20150830T123600Z
std::string AmzDate(Instant now) {
  std::string digits;
  for (const char c : FormatInstant({now.micros - now.micros % 1'000'000}))
    if (c != '-' && c != ':') digits += c;
  return digits;
}

// A header's value with runs of spaces made one.
std::string Folded(std::string_view value) {
  std::string out;
  for (const char c : Trim(value))
    if (c != ' ' || out.empty() || out.back() != ' ') out += c;
  return out;
}

// Lower-case names in order: "host:example.com\nx-amz-date:…\n", and "host;x-amz-date".
struct CanonicalHeaders {
  std::string lines, names;
};
CanonicalHeaders CanonicalHeadersOf(Headers headers) {
  for (auto& [name, value] : headers) name = ToLower(name);
  std::stable_sort(headers.begin(), headers.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  CanonicalHeaders out;
  for (const auto& [name, value] : headers) {
    out.lines += name + ":" + Folded(value) + "\n";
    out.names += (out.names.empty() ? "" : ";") + name;
  }
  return out;
}

Result<std::string> SigningKey(const std::string& secret, std::string_view day, std::string_view region, std::string_view service) {
  SLUICE_TRY(std::string key, HmacSha256("AWS4" + secret, day));
  for (const std::string_view part : {region, service, std::string_view("aws4_request")}) {
    SLUICE_TRY(key, HmacSha256(key, part));
  }
  return key;
}

}  // namespace

std::string CanonicalQuery(const Query& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(PercentEncode(name, false), PercentEncode(value, false));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) out += (out.empty() ? "" : "&") + name + "=" + value;
  return out;
}

Result<Headers> SignV4(const SigningRequest& request, const Credentials& credentials, std::string_view region, std::string_view service,
                       Instant now) {
  const std::string date = AmzDate(now);
  const std::string day = date.substr(0, 8);
  Headers headers = request.headers;
  headers.emplace_back("x-amz-date", date);
  if (service == "s3") headers.emplace_back("x-amz-content-sha256", request.payload_hash);
  if (!credentials.session_token.empty()) headers.emplace_back("x-amz-security-token", credentials.session_token.Reveal());
  Headers with_host = headers;
  with_host.emplace_back("host", request.host);
  const CanonicalHeaders canonical = CanonicalHeadersOf(std::move(with_host));

  const std::string whole = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.encoded_path, CanonicalQuery(request.query),
                                        canonical.lines, canonical.names, request.payload_hash);
  SLUICE_TRY(const std::string digest, Sha256(whole));
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, region, service);
  SLUICE_TRY(const std::string key, SigningKey(credentials.secret_access_key.Reveal(), day, region, service));
  SLUICE_TRY(const std::string signature, HmacSha256(key, fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, HexOf(digest))));
  headers.emplace_back("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                                                    credentials.access_key_id, scope, canonical.names, HexOf(signature)));
  return headers;
}

}  // namespace sluice::net
