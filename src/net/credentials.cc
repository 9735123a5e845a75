#include "net/credentials.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>

#include "core/text.h"
#include "net/metadata.h"
#include "net/profile_file.h"
#include "net/sts.h"

namespace sluice::net {
namespace {

constexpr int64_t kRefreshBeforeMicros = 5LL * 60 * 1'000'000;

std::string Env(const ChainWorld& world, const char* name) { return world.environment(name).value_or(""); }

std::string SettingOf(const Profile& profile, const std::string& name) {
  const auto at = profile.find(name);
  return at == profile.end() ? "" : at->second;
}

// ---- The profile files

Result<Profiles> LoadProfiles(const ChainWorld& world) {
  const std::string home = Env(world, "HOME");
  const auto load = [&](const char* variable, const char* name, ProfileFile kind) -> Result<Profiles> {
    const std::string chosen = Env(world, variable);
    if (chosen.empty() && home.empty()) return Profiles{};
    auto text = world.read_file(chosen.empty() ? home + "/.aws/" + name : chosen);
    if (!text && text.error().kind != ErrorKind::kNotFound) return Fail(text.error());
    return text ? ParseProfiles(*text, kind) : Profiles{};
  };
  SLUICE_TRY(Profiles config, load("AWS_CONFIG_FILE", "config", ProfileFile::kConfig));
  SLUICE_TRY(const Profiles credentials, load("AWS_SHARED_CREDENTIALS_FILE", "credentials", ProfileFile::kCredentials));
  return MergeProfiles(std::move(config), credentials);
}

std::string ProfileName(const IdentityOptions& options, const ChainWorld& world) {
  if (!options.profile.empty()) return options.profile;
  const std::string chosen = Env(world, "AWS_PROFILE");
  return chosen.empty() ? "default" : chosen;
}

// What one profile gives, its source profiles followed.
class ProfileReader {
 public:
  ProfileReader(const ChainWorld& world, Profiles profiles, std::string region)
      : world_(world), profiles_(std::move(profiles)), region_(std::move(region)) {}

  // nullopt: there is no such profile, or it says nothing about who it is.
  Result<std::optional<Credentials>> Read(const std::string& name) {
    const auto found = profiles_.find(name);
    if (found == profiles_.end()) return std::nullopt;
    const Profile& profile = found->second;
    if (!SettingOf(profile, "role_arn").empty() && seen_.insert(name).second) return Role(name, profile);
    if (!SettingOf(profile, "aws_access_key_id").empty()) return Keys(name, profile);
    if (!SettingOf(profile, "credential_process").empty()) return Process(name, SettingOf(profile, "credential_process"));
    for (const char* key : {"sso_session", "sso_start_url", "login_session"})
      if (!SettingOf(profile, key).empty()) return Fail(NeedsLogin(name));
    return std::nullopt;
  }

 private:
  static Error Bad(const std::string& name, const std::string& what) {
    return UserError("bad-profile", fmt::format("the profile {}: {}", name, what)).Hint("mend it in ~/.aws/config or ~/.aws/credentials");
  }
  static Error NeedsLogin(const std::string& name) {
    return UserError("unsupported-profile", fmt::format("the profile {} logs in by single sign-on, which Sluice does not do itself", name))
        .Hint(fmt::format(
            "let AWS's own tool do it, in a further profile: credential_process = aws configure export-credentials --profile {} "
            "--format process",
            name));
  }

  static Result<std::optional<Credentials>> Keys(const std::string& name, const Profile& profile) {
    Credentials credentials{SettingOf(profile, "aws_access_key_id"), Secret(SettingOf(profile, "aws_secret_access_key")),
                            Secret(SettingOf(profile, "aws_session_token")), std::nullopt, "profile " + name};
    if (credentials.secret_access_key.empty()) return Fail(Bad(name, "aws_access_key_id stands without aws_secret_access_key"));
    return credentials;
  }

  Result<std::optional<Credentials>> Process(const std::string& name, const std::string& command) {
    auto output = world_.run(command);
    if (!output)
      return Fail(
          UserError("credential-process-failed", fmt::format("the credential_process of profile {}: {}", name, output.error().message)));
    auto credentials = CredentialsFromJson(*output, "the credential_process of profile " + name);
    if (!credentials) return Fail(UserError("credential-process-failed", credentials.error().message));
    return *std::move(credentials);
  }

  Result<std::optional<Credentials>> Role(const std::string& name, const Profile& profile) {
    if (!SettingOf(profile, "mfa_serial").empty())
      return Fail(
          UserError("unsupported-profile", fmt::format("the profile {} asks for a code of mfa_serial, and a run cannot ask anyone", name))
              .Hint("use a role without it, or credential_process"));
    RoleRequest request{SettingOf(profile, "role_arn"), SettingOf(profile, "role_session_name"), SettingOf(profile, "external_id"),
                        SettingOf(profile, "duration_seconds"), region_.empty() ? SettingOf(profile, "region") : region_};
    if (const std::string file = SettingOf(profile, "web_identity_token_file"); !file.empty()) {
      SLUICE_TRY(const std::string token, world_.read_file(file));
      return AssumeRoleWithWebIdentity(world_, request, std::string(Trim(token)));
    }
    SLUICE_TRY(const std::optional<Credentials> caller, CallerOf(name, profile));
    if (!caller) return Fail(Bad(name, "nothing gives the credentials to take on role_arn with"));
    return AssumeRole(world_, request, *caller);
  }

  Result<std::optional<Credentials>> CallerOf(const std::string& name, const Profile& profile) {
    const std::string from = SettingOf(profile, "source_profile"), source = SettingOf(profile, "credential_source");
    if (!from.empty()) {
      if (from != name && seen_.contains(from)) return Fail(Bad(name, fmt::format("source_profile {} leads back here", from)));
      if (!profiles_.contains(from)) return Fail(Bad(name, fmt::format("there is no profile {}, its source_profile", from)));
      return Read(from);
    }
    if (source == "Ec2InstanceMetadata") return InstanceCredentials(world_);
    if (source == "EcsContainer") return ContainerCredentials(world_);
    if (source == "Environment") {
      const Credentials given{Env(world_, "AWS_ACCESS_KEY_ID"), Secret(Env(world_, "AWS_SECRET_ACCESS_KEY")),
                              Secret(Env(world_, "AWS_SESSION_TOKEN")), std::nullopt, "the environment"};
      if (given.access_key_id.empty()) return std::nullopt;
      return given;
    }
    return Fail(Bad(name, "role_arn needs source_profile, credential_source or web_identity_token_file"));
  }

  const ChainWorld& world_;
  const Profiles profiles_;
  const std::string region_;
  std::set<std::string> seen_;  // profiles whose role is being taken on
};

// ---- The chain

class Chain : public CredentialProvider {
 public:
  Chain(IdentityOptions options, ChainWorld world) : options_(std::move(options)), world_(std::move(world)) {}

  Result<Credentials> Get() override {
    const std::lock_guard lock(mutex_);
    const Instant now = world_.clock->Now();
    if (kept_ && (!kept_->expires || now.micros < kept_->expires->micros - kRefreshBeforeMicros)) return *kept_;
    auto fresh = Ask();
    if (fresh) {
      kept_ = *fresh;
      return fresh;
    }
    // What still holds is good enough while the one who gives new ones is away.
    if (kept_ && kept_->expires && now < *kept_->expires && fresh.error().kind == ErrorKind::kRetryable) return *kept_;
    return fresh;
  }

  void Refuse(const Credentials& credentials) override {
    const std::lock_guard lock(mutex_);
    if (kept_ && kept_->access_key_id == credentials.access_key_id && kept_->session_token.Reveal() == credentials.session_token.Reveal())
      kept_.reset();
  }

 private:
  Result<Credentials> Ask() {
    SLUICE_TRY(Credentials own, First());
    if (options_.role_arn.empty()) return own;
    return AssumeRole(world_, {options_.role_arn, Env(world_, "AWS_ROLE_SESSION_NAME"), options_.external_id, "", options_.region}, own);
  }

  Result<Credentials> First() {
    if (!options_.access_key_id.empty())
      return Credentials{options_.access_key_id, options_.secret_access_key, options_.session_token, std::nullopt, "the project"};
    SLUICE_TRY(Profiles profiles, LoadProfiles(world_));
    const std::string name = ProfileName(options_, world_);
    ProfileReader reader(world_, profiles, options_.region);
    if (!options_.profile.empty()) {
      SLUICE_TRY(const auto of_profile, reader.Read(name));
      if (of_profile) return *of_profile;
      return Fail(UserError("bad-profile", fmt::format("the profile {} {}", name,
                                                       profiles.contains(name) ? "says nothing about who it is" : "is in no file")));
    }
    SLUICE_TRY(const auto of_environment, FromEnvironment());
    if (of_environment) return *of_environment;
    SLUICE_TRY(const auto of_token, FromWebIdentity());
    if (of_token) return *of_token;
    SLUICE_TRY(const auto of_profile, reader.Read(name));
    if (of_profile) return *of_profile;
    SLUICE_TRY(const auto of_container, ContainerCredentials(world_));
    if (of_container) return *of_container;
    SLUICE_TRY(const auto of_instance, InstanceCredentials(world_));
    if (of_instance) return *of_instance;
    return Fail(NotFound(name));
  }

  Result<std::optional<Credentials>> FromEnvironment() const {
    Credentials credentials{Env(world_, "AWS_ACCESS_KEY_ID"), Secret(Env(world_, "AWS_SECRET_ACCESS_KEY")),
                            Secret(Env(world_, "AWS_SESSION_TOKEN")), std::nullopt, "the environment"};
    if (credentials.access_key_id.empty()) return std::nullopt;
    if (credentials.secret_access_key.empty())
      return Fail(UserError("no-credentials", "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY").Hint("set both, or neither"));
    return credentials;
  }

  Result<std::optional<Credentials>> FromWebIdentity() const {
    const std::string file = Env(world_, "AWS_WEB_IDENTITY_TOKEN_FILE"), role = Env(world_, "AWS_ROLE_ARN");
    if (file.empty() || role.empty()) return std::nullopt;
    SLUICE_TRY(const std::string token, world_.read_file(file));
    SLUICE_TRY(
        Credentials credentials,
        AssumeRoleWithWebIdentity(world_, {role, Env(world_, "AWS_ROLE_SESSION_NAME"), "", "", options_.region}, std::string(Trim(token))));
    return credentials;
  }

  static Error NotFound(const std::string& profile) {
    return UserError("no-credentials", "nobody says who we are to S3")
        .Hint(fmt::format("looked at: AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, the profile {} in ~/.aws, the "
                          "container's endpoint, the instance's role; docs/s3.md has them all",
                          profile));
  }

  const IdentityOptions options_;
  const ChainWorld world_;
  std::mutex mutex_;
  std::optional<Credentials> kept_;  // guarded by mutex_
};

Result<std::string> ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Fail(NotFoundError("no-such-file", fmt::format("there is no file {}", path)));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Its standard error stays where ours goes; its output may be secret and is in no message.
Result<std::string> RunCommand(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return Fail(RetryableError("credential-process-failed", "it cannot be started"));
  std::string out;
  std::array<char, 4096> buffer{};
  while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return out;
  return Fail(UserError("credential-process-failed",
                        WIFEXITED(status) ? fmt::format("it ended with exit code {}", WEXITSTATUS(status)) : std::string("it was killed")));
}

}  // namespace

std::string Credentials::ToString() const {
  const std::string end = access_key_id.size() > 8 ? access_key_id.substr(access_key_id.size() - 4) : "";
  return fmt::format("key {}…{} of {}", access_key_id.substr(0, std::min<size_t>(4, access_key_id.size() / 2)), end, source);
}

ChainWorld ProcessWorld(HttpClient& http) {
  ChainWorld world;
  world.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  };
  world.read_file = ReadWhole;
  world.run = RunCommand;
  world.http = &http;
  return world;
}

std::unique_ptr<CredentialProvider> NewCredentialChain(IdentityOptions options, ChainWorld world) {
  return std::make_unique<Chain>(std::move(options), std::move(world));
}

Result<std::string> ProfileSetting(const IdentityOptions& options, const ChainWorld& world, const std::string& name) {
  SLUICE_TRY(const Profiles profiles, LoadProfiles(world));
  const auto profile = profiles.find(ProfileName(options, world));
  return profile == profiles.end() ? "" : SettingOf(profile->second, name);
}

Result<std::string> RegionOf(const IdentityOptions& options, const ChainWorld& world) {
  if (!options.region.empty()) return options.region;
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (const std::string region = Env(world, name); !region.empty()) return region;
  return ProfileSetting(options, world, "region");
}

}  // namespace sluice::net
