#include "net/credentials.h"

#include <gtest/gtest.h>

#include <map>

#include "core/time.h"
#include "net/profile_file.h"
#include "net/test_server.h"

namespace sluice::net {
namespace {

using Map = std::map<std::string, std::string>;

// Surroundings made of values, and a real HTTP server for STS, the container's endpoint and the instance's.
class ChainTest : public testing::Test {
 protected:
  ChainWorld World() {
    ChainWorld world;
    world.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto at = environment.find(name);
      return at == environment.end() ? std::nullopt : std::optional(at->second);
    };
    world.read_file = [this](const std::string& path) -> Result<std::string> {
      const auto at = files.find(path);
      return at == files.end() ? Fail(NotFoundError("no-such-file", path)) : Result<std::string>(at->second);
    };
    world.run = [this](const std::string& command) -> Result<std::string> {
      const auto at = commands.find(command);
      return at == commands.end() ? Fail(UserError("x", "it ended with exit code 127")) : Result<std::string>(at->second);
    };
    world.http = http.get();
    world.clock = &clock;
    world.random = &random;
    return world;
  }
  Result<Credentials> Get(IdentityOptions options = {}) { return NewCredentialChain(std::move(options), World())->Get(); }
  void ExpectKeys(const Result<Credentials>& got, const std::string& id, const std::string& secret, const std::string& token = "") {
    ASSERT_TRUE(got) << got.error().ToString();
    EXPECT_EQ(got->access_key_id, id);
    EXPECT_EQ(got->secret_access_key.Reveal(), secret);
    EXPECT_EQ(got->session_token.Reveal(), token);
  }

  // STS as it answers, for any caller; `refuse` makes it say no.
  ServedAnswer Sts(const ServedRequest& request) {
    if (refuse) return {403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>", {}};
    const std::string action = request.body.find("WithWebIdentity") != std::string::npos ? "AssumeRoleWithWebIdentity" : "AssumeRole";
    ++given;
    return {200,
            "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
                "Result><Credentials><AccessKeyId>ASIAROLE" + std::to_string(given) +
                "</AccessKeyId><SecretAccessKey>role/secret</SecretAccessKey><SessionToken>role-token</SessionToken><Expiration>" +
                FormatInstant({clock.Now().micros + 3600LL * 1'000'000}) + "</Expiration></Credentials></" + action + "Result></" + action +
                "Response>",
            {}};
  }

  Map environment = {{"HOME", "/home/u"}, {"AWS_EC2_METADATA_DISABLED", "true"}};
  Map files, commands;
  FixedClock clock{*ParseInstant("2026-01-01T00:00:00Z")};
  SeededRandom random{3};
  std::unique_ptr<HttpClient> http = NewHttpClient({});
  std::atomic<bool> refuse{false};
  std::atomic<int> given{0};
};

TEST_F(ChainTest, TheProjectsKeysComeFirst) {
  environment.insert({{"AWS_ACCESS_KEY_ID", "AKIAENV"}, {"AWS_SECRET_ACCESS_KEY", "env"}});
  IdentityOptions options;
  options.access_key_id = "AKIAPROJECT";
  options.secret_access_key = Secret("project");
  ExpectKeys(Get(options), "AKIAPROJECT", "project");
}

TEST_F(ChainTest, TheEnvironmentComesBeforeProfiles) {
  files["/home/u/.aws/credentials"] = "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = file\n";
  environment.insert({{"AWS_ACCESS_KEY_ID", "AKIAENV"}, {"AWS_SECRET_ACCESS_KEY", "env"}, {"AWS_SESSION_TOKEN", "token"}});
  ExpectKeys(Get(), "AKIAENV", "env", "token");
  environment.erase("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(Get().error().code, "no-credentials");
  environment.erase("AWS_ACCESS_KEY_ID");
  ExpectKeys(Get(), "AKIAFILE", "file");
}

TEST_F(ChainTest, ANamedProfileIsTakenOrNothing) {
  environment.insert({{"AWS_ACCESS_KEY_ID", "AKIAENV"}, {"AWS_SECRET_ACCESS_KEY", "env"}});
  files["/home/u/.aws/config"] = "[profile etl]\nregion = eu-west-1\naws_access_key_id = AKIACONFIG\naws_secret_access_key = config\n";
  files["/home/u/.aws/credentials"] = "[etl]\naws_access_key_id = AKIAETL\naws_secret_access_key = etl\n";
  ExpectKeys(Get({.profile = "etl"}), "AKIAETL", "etl");
  EXPECT_EQ(RegionOf({.profile = "etl"}, World()).value(), "eu-west-1");
  EXPECT_EQ(Get({.profile = "none"}).error().code, "bad-profile");
  environment["AWS_REGION"] = "us-west-2";
  EXPECT_EQ(RegionOf({.profile = "etl"}, World()).value(), "us-west-2");
  EXPECT_EQ(RegionOf({.profile = "etl", .region = "sa-east-1"}, World()).value(), "sa-east-1");
}

TEST_F(ChainTest, AProfileMayLieElsewhereAndHaveAProcess) {
  environment.insert({{"AWS_CONFIG_FILE", "/etc/aws"}, {"AWS_PROFILE", "p"}});
  files["/etc/aws"] = "[profile p]\ncredential_process = /bin/give it\n";
  commands["/bin/give it"] = R"({"Version": 1, "AccessKeyId": "AKIAPROC", "SecretAccessKey": "proc", "SessionToken": "t"})";
  ExpectKeys(Get(), "AKIAPROC", "proc", "t");
  commands["/bin/give it"] = R"({"AccessKeyId": "AKIAPROC", "SecretAccessKey": )";
  EXPECT_EQ(Get().error().code, "credential-process-failed");
  commands.clear();
  EXPECT_NE(Get().error().message.find("127"), std::string::npos);
}

TEST_F(ChainTest, ARoleIsTakenOnWithItsSourceProfile) {
  TestServer sts([this](const ServedRequest& request) { return Sts(request); });
  environment["AWS_ENDPOINT_URL_STS"] = sts.url();
  files["/home/u/.aws/config"] =
      "[default]\nrole_arn = arn:aws:iam::1:role/etl  # ours\nsource_profile = base\nexternal_id = x y\nduration_seconds = 900\n"
      "[profile base]\nrole_arn = arn:aws:iam::1:role/base\nsource_profile = base\naws_access_key_id = AKIABASE\naws_secret_access_key = "
      "base\n";
  ExpectKeys(Get(), "ASIAROLE2", "role/secret", "role-token");
  const auto requests = sts.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_NE(requests[0].body.find("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fbase"), std::string::npos) << requests[0].body;
  EXPECT_NE(requests[0].headers.at("authorization").find("Credential=AKIABASE/20260101/us-east-1/sts/"), std::string::npos);
  EXPECT_NE(requests[1].body.find("ExternalId=x%20y"), std::string::npos) << requests[1].body;
  EXPECT_NE(requests[1].body.find("DurationSeconds=900"), std::string::npos);
  EXPECT_NE(requests[1].headers.at("authorization").find("Credential=ASIAROLE1/"), std::string::npos);
  EXPECT_EQ(requests[1].headers.at("x-amz-security-token"), "role-token");
}

TEST_F(ChainTest, ProfilesThatLeadInACircleOrNowhereAreRefused) {
  files["/home/u/.aws/config"] =
      "[profile a]\nrole_arn = arn:r\nsource_profile = b\n[profile b]\nrole_arn = arn:s\nsource_profile = a\n"
      "[profile c]\nrole_arn = arn:r\nsource_profile = gone\n[profile d]\nrole_arn = arn:r\n"
      "[profile mfa]\nrole_arn = arn:r\nmfa_serial = x\nsource_profile = d\n[profile sso]\nsso_session = s\n[profile empty]\nregion = x\n";
  for (const char* name : {"a", "c", "d", "empty"}) EXPECT_EQ(Get({.profile = name}).error().code, "bad-profile") << name;
  for (const char* name : {"mfa", "sso"}) EXPECT_EQ(Get({.profile = name}).error().code, "unsupported-profile") << name;
}

TEST_F(ChainTest, TheProjectsRoleIsTakenOnWithWhatTheChainGives) {
  TestServer sts([this](const ServedRequest& request) { return Sts(request); });
  environment.insert({{"AWS_ENDPOINT_URL_STS", sts.url()}, {"AWS_ACCESS_KEY_ID", "AKIAENV"}, {"AWS_SECRET_ACCESS_KEY", "env-secret"}});
  const auto got = Get({.role_arn = "arn:aws:iam::1:role/lake", .external_id = "id"});
  ExpectKeys(got, "ASIAROLE1", "role/secret", "role-token");
  EXPECT_EQ(got->ToString(), "key ASIA…OLE1 of role arn:aws:iam::1:role/lake");
  EXPECT_NE(sts.requests()[0].headers.at("authorization").find("Credential=AKIAENV/"), std::string::npos);
  EXPECT_EQ(sts.requests()[0].body.find("env-secret"), std::string::npos);
  refuse = true;
  const Error error = Get({.role_arn = "arn:aws:iam::1:role/lake"}).error();
  EXPECT_EQ(error.code, "role-refused");
  EXPECT_NE(error.message.find("not you"), std::string::npos);
  EXPECT_EQ(error.ToString().find("env-secret"), std::string::npos);
}

TEST_F(ChainTest, AWebIdentityTokenIsExchangedUnsigned) {
  TestServer sts([this](const ServedRequest& request) { return Sts(request); });
  environment.insert({{"AWS_ENDPOINT_URL_STS", sts.url()}, {"AWS_WEB_IDENTITY_TOKEN_FILE", "/var/token"}, {"AWS_ROLE_ARN", "arn:pod"}});
  files["/var/token"] = "jwt.part.two\n";
  ExpectKeys(Get(), "ASIAROLE1", "role/secret", "role-token");
  EXPECT_NE(sts.requests()[0].body.find("WebIdentityToken=jwt.part.two"), std::string::npos) << sts.requests()[0].body;
  EXPECT_FALSE(sts.requests()[0].headers.contains("authorization"));
}

TEST_F(ChainTest, CredentialsAreKeptUntilShortlyBeforeTheyExpire) {
  TestServer sts([this](const ServedRequest& request) { return Sts(request); });
  environment.insert({{"AWS_ENDPOINT_URL_STS", sts.url()}, {"AWS_ACCESS_KEY_ID", "AKIAENV"}, {"AWS_SECRET_ACCESS_KEY", "env"}});
  const auto chain = NewCredentialChain({.role_arn = "arn:r"}, World());
  EXPECT_EQ(chain->Get()->access_key_id, "ASIAROLE1");
  clock.SleepMillis(54 * 60 * 1000);
  EXPECT_EQ(chain->Get()->access_key_id, "ASIAROLE1");
  clock.SleepMillis(2 * 60 * 1000);
  EXPECT_EQ(chain->Get()->access_key_id, "ASIAROLE2");
  chain->Refuse(chain->Get().value());
  EXPECT_EQ(chain->Get()->access_key_id, "ASIAROLE3");
}

TEST_F(ChainTest, WhatStillHoldsIsUsedWhileStsIsAway) {
  auto sts = std::make_unique<TestServer>([this](const ServedRequest& request) { return Sts(request); });
  environment.insert({{"AWS_ENDPOINT_URL_STS", sts->url()}, {"AWS_ACCESS_KEY_ID", "AKIAENV"}, {"AWS_SECRET_ACCESS_KEY", "env"}});
  const auto chain = NewCredentialChain({.role_arn = "arn:r"}, World());
  ASSERT_TRUE(chain->Get());
  sts.reset();
  clock.SleepMillis(58 * 60 * 1000);
  EXPECT_EQ(chain->Get()->access_key_id, "ASIAROLE1");
  clock.SleepMillis(3 * 60 * 1000);
  EXPECT_EQ(chain->Get().error().code, "connect-failed");
}

TEST_F(ChainTest, AContainerGivesItsRole) {
  TestServer container([](const ServedRequest& request) -> ServedAnswer {
    if (request.headers.contains("authorization") && request.headers.at("authorization") == "pod-token")
      return {200, R"({"AccessKeyId": "ASIAPOD", "SecretAccessKey": "pod", "Token": "t", "Expiration": "2026-01-01T06:00:00Z"})", {}};
    return {401, "", {}};
  });
  environment.insert({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", container.url() + "/v1/credentials"},
                      {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/var/pod"}});
  files["/var/pod"] = "pod-token\n";
  ExpectKeys(Get(), "ASIAPOD", "pod", "t");
  EXPECT_EQ(Get()->expires, ParseInstant("2026-01-01T06:00:00Z"));
  files["/var/pod"] = "another";
  EXPECT_EQ(Get().error().code, "no-container-credentials");
  environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://169.254.170.2.evil.example.com/";
  EXPECT_EQ(Get().error().code, "bad-url");
}

TEST_F(ChainTest, AnInstanceGivesItsRoleForAToken) {
  TestServer instance([](const ServedRequest& request) -> ServedAnswer {
    if (request.method == "PUT" && request.target == "/latest/api/token" &&
        request.headers.contains("x-aws-ec2-metadata-token-ttl-seconds"))
      return {200, "imds-token", {}};
    if (!request.headers.contains("x-aws-ec2-metadata-token")) return {401, "", {}};
    if (request.target == "/latest/meta-data/iam/security-credentials/") return {200, "node-role", {}};
    if (request.target == "/latest/meta-data/iam/security-credentials/node-role")
      return {
          200,
          R"({"Code": "Success", "AccessKeyId": "ASIANODE", "SecretAccessKey": "node", "Token": "t", "Expiration": "2026-01-01T06:00:00Z"})",
          {}};
    return {404, "", {}};
  });
  environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = instance.url() + "/";
  EXPECT_EQ(Get().error().code, "no-credentials");  // still switched off
  environment.erase("AWS_EC2_METADATA_DISABLED");
  ExpectKeys(Get(), "ASIANODE", "node", "t");
  EXPECT_EQ(Get()->source, "the instance's role node-role");
}

TEST_F(ChainTest, WhereNobodySaysWhoWeAreItNamesThePlaces) {
  TestServer nobody([](const ServedRequest&) { return ServedAnswer{404, "", {}}; });
  environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = nobody.url();
  environment.erase("AWS_EC2_METADATA_DISABLED");
  const Error error = Get().error();
  EXPECT_EQ(error.code, "no-credentials");
  for (const char* place : {"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile default", "container", "instance"})
    EXPECT_NE(error.hint.find(place), std::string::npos) << place;
}

TEST(Profiles, ReadsBothFilesAsAwsDoes) {
  const Profiles config = ParseProfiles(
      "; comment\n[default]\nregion=eu-central-1\n[profile  etl ]\nRegion = us-east-2 ; here\ns3 =\n  addressing_style = path\n  x = 1\n"
      "output = json\n[sso-session s]\nregion = nowhere\n[other]\nregion = ignored\n",
      ProfileFile::kConfig);
  EXPECT_EQ(config.size(), 2u);
  EXPECT_EQ(config.at("default").at("region"), "eu-central-1");
  EXPECT_EQ(config.at("etl").at("region"), "us-east-2");
  EXPECT_EQ(config.at("etl").at("s3.addressing_style"), "path");
  EXPECT_EQ(config.at("etl").at("output"), "json");
  const Profiles credentials = ParseProfiles("[etl]\naws_secret_access_key = a#b;c\n", ProfileFile::kCredentials);
  EXPECT_EQ(credentials.at("etl").at("aws_secret_access_key"), "a#b;c");
  EXPECT_EQ(MergeProfiles(config, credentials).at("etl").size(), 6u);
}

}  // namespace
}  // namespace sluice::net
