#include "net/sts.h"

#include <fmt/format.h>

#include "core/text.h"
#include "core/time.h"
#include "net/digest.h"
#include "net/retry.h"
#include "net/sigv4.h"
#include "net/xml.h"

namespace sluice::net {
namespace {

constexpr int64_t kTotalMillis = 20'000;

std::string EndpointOf(const ChainWorld& world, const std::string& region) {
  for (const char* name : {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"})
    if (const auto url = world.environment(name); url && !url->empty()) return *url;
  if (region.empty()) return "https://sts.amazonaws.com";
  return fmt::format("https://sts.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

Query FormOf(const char* action, const RoleRequest& request) {
  Query form = {{"Action", action}, {"Version", "2011-06-15"}, {"RoleArn", request.role_arn}};
  form.emplace_back("RoleSessionName", request.session_name.empty() ? "sluice" : request.session_name);
  if (!request.external_id.empty()) form.emplace_back("ExternalId", request.external_id);
  if (!request.duration_seconds.empty()) form.emplace_back("DurationSeconds", request.duration_seconds);
  return form;
}

Error Refused(const RoleRequest& request, const HttpResponse& response) {
  const auto answer = ParseXml(response.body);
  const XmlElement* error = answer ? answer->Find("Error") : nullptr;
  const std::string why = error != nullptr ? fmt::format("{}: {}", error->TextOf("Code"), error->TextOf("Message"))
                                           : fmt::format("HTTP status {}", response.status);
  if (MayPassStatus(response.status))
    return RetryableError("throttled", fmt::format("STS does not give {} now: {}", request.role_arn, why));
  return UserError("role-refused", fmt::format("STS does not give the role {}: {}", request.role_arn, why))
      .Hint("the role's trust policy must name who asks, and who asks must be allowed sts:AssumeRole");
}

Result<Credentials> CredentialsIn(const HttpResponse& response, const RoleRequest& request, const char* action) {
  SLUICE_TRY(const XmlElement answer, ParseXml(response.body));
  const XmlElement* result = answer.Find(std::string(action) + "Result");
  const XmlElement* given = result != nullptr ? result->Find("Credentials") : nullptr;
  if (given == nullptr) return Fail(RetryableError("bad-answer", "STS's answer has no credentials in it"));
  Credentials credentials;
  credentials.access_key_id = given->TextOf("AccessKeyId");
  credentials.secret_access_key = Secret(given->TextOf("SecretAccessKey"));
  credentials.session_token = Secret(given->TextOf("SessionToken"));
  credentials.expires = ParseInstant(given->TextOf("Expiration"));
  credentials.source = "role " + request.role_arn;
  return credentials;
}

Result<Credentials> Ask(const ChainWorld& world, const RoleRequest& request, const char* action, const Query& form,
                        const Credentials* caller) {
  std::string url = EndpointOf(world, request.region);
  while (url.ends_with('/')) url.pop_back();
  const std::string body = CanonicalQuery(form);
  const std::string region = request.region.empty() ? "us-east-1" : request.region;
  const RetryPolicy policy{.tries = 4};
  Backoff backoff(policy, *world.clock, *world.random);
  while (true) {
    HttpRequest http{.method = "POST", .url = url + "/"};
    http.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
    http.body = body;
    http.total_millis = kTotalMillis;
    if (caller != nullptr) {
      SLUICE_TRY(const std::string digest, Sha256(body));
      const std::string host = url.substr(url.find("://") + 3);
      SLUICE_TRY(http.headers, SignV4({"POST", host, "/", {}, http.headers, HexOf(digest)}, *caller, region, "sts", world.clock->Now()));
    }
    auto response = world.http->Send(http);
    if (response && response->ok()) return CredentialsIn(*response, request, action);
    const bool may_pass = response ? MayPassStatus(response->status) : response.error().kind == ErrorKind::kRetryable;
    if (may_pass && backoff.Pause(response ? RetryAfter(*response, world.clock->Now()) : std::nullopt)) continue;
    return Fail(response ? Refused(request, *response) : std::move(response).error());
  }
}

}  // namespace

Result<Credentials> AssumeRole(const ChainWorld& world, const RoleRequest& request, const Credentials& caller) {
  return Ask(world, request, "AssumeRole", FormOf("AssumeRole", request), &caller);
}

Result<Credentials> AssumeRoleWithWebIdentity(const ChainWorld& world, const RoleRequest& request, const std::string& token) {
  Query form = FormOf("AssumeRoleWithWebIdentity", request);
  form.emplace_back("WebIdentityToken", token);
  return Ask(world, request, "AssumeRoleWithWebIdentity", form, nullptr);
}

}  // namespace sluice::net
