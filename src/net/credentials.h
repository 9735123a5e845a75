#pragma once
// Who are we to AWS and to what speaks its protocol? The standard chain, as its own tools have it.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/secret.h"
#include "net/http.h"

namespace sluice::net {

struct Credentials {
  std::string access_key_id;
  Secret secret_access_key, session_token;
  std::optional<Instant> expires;
  std::string source;  // for people: "the environment", "profile etl", "role arn:…"
  // "key AKIA…MPLE of profile etl"
  std::string ToString() const;
};

// What a project says about who it is; everything may be empty.
struct IdentityOptions {
  std::string access_key_id;
  Secret secret_access_key, session_token;
  std::string profile;
  std::string role_arn, external_id;  // taken on with what the chain gives
  std::string region;                 // of STS
};

// The process's surroundings; tests give others.
struct ChainWorld {
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::function<Result<std::string>(const std::string& path)> read_file;
  // Standard output of a command line (credential_process). An error says what it wrote to standard error.
  std::function<Result<std::string>(const std::string& command)> run;
  HttpClient* http = nullptr;
  Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
};
ChainWorld ProcessWorld(HttpClient& http);

// Thread-safe. Credentials are kept until shortly before they expire.
class CredentialProvider {
 public:
  virtual ~CredentialProvider() = default;
  // Errors: kUser "no-credentials" (naming every place that was looked at), "bad-profile", "unsupported-profile",
  // "role-refused", "credential-process-failed"; retryable ones of STS and the metadata services.
  virtual Result<Credentials> Get() = 0;
  // These were refused as expired: the next Get() asks again.
  virtual void Refuse(const Credentials& credentials) = 0;
};

// The order: keys in the options; the profile that the options name; the environment; a web identity token (Kubernetes); the
// profile of AWS_PROFILE or "default"; the container's endpoint (ECS, EKS pod identity); the instance's (metadata service, version
// 2). The first place that has anything is taken: if it is broken, that is an error. role_arn is taken on after it.
std::unique_ptr<CredentialProvider> NewCredentialChain(IdentityOptions options, ChainWorld world);

// AWS_REGION, AWS_DEFAULT_REGION, the profile's; "" if none says.
Result<std::string> RegionOf(const IdentityOptions& options, const ChainWorld& world);
// A setting of the profile in use ("endpoint_url", "ca_bundle"); "" if it is not there.
Result<std::string> ProfileSetting(const IdentityOptions& options, const ChainWorld& world, const std::string& name);

}  // namespace sluice::net
