#include "net/metadata.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/time.h"
#include "net/retry.h"

namespace sluice::net {
namespace {

constexpr int64_t kConnectMillis = 1000, kTotalMillis = 5000;
const RetryPolicy kPolicy{.tries = 3};

HttpRequest Local(std::string method, std::string url) {
  HttpRequest request{.method = std::move(method), .url = std::move(url)};
  request.proxy = false;
  request.connect_millis = kConnectMillis;
  request.total_millis = kTotalMillis;
  return request;
}

std::string HostOf(const std::string& url) {
  const size_t begin = url.find("://") + 3;
  const std::string authority = url.substr(begin, url.find_first_of("/?", begin) - begin);
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

// The token in the request must not go to just any host in the clear.
Status CheckContainerUrl(const std::string& url) {
  if (url.starts_with("https://")) return Ok();
  static const std::vector<std::string> kHosts = {"localhost", "127.0.0.1", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
  if (url.starts_with("http://") && std::find(kHosts.begin(), kHosts.end(), HostOf(url)) != kHosts.end()) return Ok();
  return Fail(UserError(
      "bad-url", fmt::format("AWS_CONTAINER_CREDENTIALS_FULL_URI names {}, which is neither https nor of this machine", HostOf(url))));
}

Result<std::string> AuthorizationToken(const ChainWorld& world) {
  if (const auto file = world.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file && !file->empty()) {
    SLUICE_TRY(const std::string token, world.read_file(*file));  // renewed there from time to time
    return std::string(Trim(token));
  }
  return world.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or("");
}

}  // namespace

Result<Credentials> CredentialsFromJson(const std::string& text, std::string source) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto field = [&](const char* name) {
    const auto at = json.is_object() ? json.find(name) : json.end();
    return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  Credentials credentials;
  credentials.access_key_id = field("AccessKeyId");
  credentials.secret_access_key = Secret(field("SecretAccessKey"));
  credentials.session_token = Secret(field("Token").empty() ? field("SessionToken") : field("Token"));
  credentials.expires = ParseInstant(field("Expiration"));
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty())
    return Fail(RetryableError("bad-answer", source + " gave no credentials"));
  credentials.source = std::move(source);
  return credentials;
}

Result<std::optional<Credentials>> ContainerCredentials(const ChainWorld& world) {
  const auto relative = world.environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const auto full = world.environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.value_or("").empty() && full.value_or("").empty()) return std::nullopt;
  const std::string url = relative.value_or("").empty() ? *full : "http://169.254.170.2" + *relative;
  SLUICE_CHECK(CheckContainerUrl(url));
  SLUICE_TRY(const std::string token, AuthorizationToken(world));
  HttpRequest request = Local("GET", url);
  if (!token.empty()) request.headers.emplace_back("Authorization", token);
  SLUICE_TRY(const HttpResponse response, SendAgain(*world.http, request, kPolicy, *world.clock, *world.random));
  if (!response.ok())
    return Fail(RetryableError("no-container-credentials", fmt::format("the container's credentials at {} are not given: HTTP status {}",
                                                                       url.substr(0, url.find('?')), response.status)));
  SLUICE_TRY(Credentials credentials, CredentialsFromJson(response.body, "the container's role"));
  return credentials;
}

Result<std::optional<Credentials>> InstanceCredentials(const ChainWorld& world) {
  if (ToLower(world.environment("AWS_EC2_METADATA_DISABLED").value_or("")) == "true") return std::nullopt;
  std::string base = world.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("");
  if (base.empty()) base = "http://169.254.169.254";
  while (base.ends_with('/')) base.pop_back();
  HttpRequest ask = Local("PUT", base + "/latest/api/token");
  ask.headers.emplace_back("X-aws-ec2-metadata-token-ttl-seconds", "21600");
  const RetryPolicy once{.tries = 1};  // on other machines nobody answers: do not wait long to find out
  const auto token = SendAgain(*world.http, ask, once, *world.clock, *world.random);
  if (!token || !token->ok()) return std::nullopt;
  const auto get = [&](const std::string& path) {
    HttpRequest request = Local("GET", base + "/latest/meta-data/iam/security-credentials/" + path);
    request.headers.emplace_back("X-aws-ec2-metadata-token", token->body);
    return SendAgain(*world.http, request, kPolicy, *world.clock, *world.random);
  };
  SLUICE_TRY(const HttpResponse roles, get(""));
  const std::string role(Trim(roles.body.substr(0, roles.body.find('\n'))));
  if (!roles.ok() || role.empty()) return std::nullopt;
  SLUICE_TRY(const HttpResponse answer, get(PercentEncode(role, false)));
  if (!answer.ok())
    return Fail(RetryableError("no-instance-credentials",
                               fmt::format("the instance's role {} gives no credentials: HTTP status {}", role, answer.status)));
  SLUICE_TRY(Credentials credentials, CredentialsFromJson(answer.body, "the instance's role " + role));
  return credentials;
}

}  // namespace sluice::net
