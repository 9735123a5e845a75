// What only S3 has: addresses, errors, tries, and outcomes that are not known. Against a server that says what the test wants; the
// contract of stores is tested on a real one in object_store_test.cc.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>

#include "core/time.h"
#include "net/test_server.h"
#include "store/s3/s3_open.h"

namespace sluice::store {
namespace {

using net::ServedAnswer;
using net::ServedRequest;

std::string Problem(const std::string& code) {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>the server's words</Message></Error>";
}

class Fixed : public net::CredentialProvider {
 public:
  Result<net::Credentials> Get() override {
    return net::Credentials{"AKIAEXAMPLE" + std::to_string(refused), Secret("very/secret"), Secret("a-token"), {}, "a test"};
  }
  void Refuse(const net::Credentials&) override { ++refused; }
  int refused = 0;
};

// A store whose server answers as `answer` says; waits take no time.
struct Served {
  explicit Served(net::TestServer::Answer answer, const StoreOptions& options = {}) : server(std::move(answer)) {
    auto provider = std::make_unique<Fixed>();
    identity = provider.get();
    S3Client::Parts parts;
    parts.http = net::NewHttpClient({.stall_millis = 1000});
    parts.credentials = std::move(provider);
    parts.clock = &clock;
    parts.random = &random;
    parts.retry.tries = 4;
    auto client = std::make_shared<S3Client>(AddressOf("b", server.url(), std::nullopt).value(), "eu-west-1", std::move(parts));
    store = NewS3Store(std::move(client), "p/", {EncryptionHeaders(options).value(), ""});
  }
  net::TestServer server;
  Fixed* identity = nullptr;
  FixedClock clock{*ParseInstant("2026-01-01T00:00:00Z")};
  SeededRandom random{5};
  std::unique_ptr<ObjectStore> store;
};

TEST(S3Store, AConditionalPutWhoseAnswerIsLostIsUnknownAndSentOnce) {
  for (const bool hang : {false, true}) {
    Served served([&](const ServedRequest&) { return ServedAnswer{.drop = !hang, .hang = hang}; });
    EXPECT_EQ(served.store->PutIfAbsent("k", "v").value(), PutOutcome::kUnknown);
    EXPECT_EQ(served.store->PutIfMatch("k", "v", "\"e\"").value(), PutOutcome::kUnknown);
    const auto requests = served.server.requests();
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_EQ(requests[0].headers.at("if-none-match"), "*");
    EXPECT_EQ(requests[1].headers.at("if-match"), "\"e\"");
    EXPECT_EQ(requests[0].target, "/b/p/k");
  }
}

TEST(S3Store, AConditionalPutThatFailedInsideTheServerIsUnknown) {
  for (const int status : {500, 502, 503, 504}) {
    Served served([&](const ServedRequest&) { return ServedAnswer{status, status == 500 ? Problem("InternalError") : "", {}}; });
    EXPECT_EQ(served.store->PutIfAbsent("k", "v").value(), PutOutcome::kUnknown) << status;
    EXPECT_EQ(served.server.requests().size(), 1u);
  }
}

TEST(S3Store, AConditionalPutThatTheServerDeclinedIsSentAgain) {
  struct {
    int status;
    const char* code;
  } declined[] = {{503, "SlowDown"}, {429, ""}, {409, "ConditionalRequestConflict"}, {400, "RequestTimeout"}};
  for (const auto& [status, code] : declined) {
    std::atomic<int> served_count{0};
    Served served([&, status = status, code = code](const ServedRequest&) {
      return ++served_count == 1 ? ServedAnswer{status, Problem(code), {}} : ServedAnswer{200, "", {}};
    });
    EXPECT_EQ(served.store->PutIfAbsent("k", "v").value(), PutOutcome::kWritten) << code;
    EXPECT_EQ(served_count, 2);
  }
}

TEST(S3Store, APreconditionThatFailedIsNoError) {
  Served served([](const ServedRequest& request) {
    return request.headers.contains("if-match") ? ServedAnswer{404, Problem("NoSuchKey"), {}}
                                                : ServedAnswer{412, Problem("PreconditionFailed"), {}};
  });
  EXPECT_EQ(served.store->PutIfAbsent("k", "v").value(), PutOutcome::kExists);
  EXPECT_EQ(served.store->PutIfMatch("k", "v", "e").value(), PutOutcome::kExists);
}

TEST(S3Store, ReadsAndPlainPutsAreTriedAgain) {
  std::atomic<int> count{0};
  Served served([&](const ServedRequest&) -> ServedAnswer {
    switch (++count) {
      case 1:
        return {.drop = true};
      case 2:
        return {500, Problem("InternalError"), {}};
      case 3:
        return {200, "whole body", {}, false, false, 4};  // cut off
      default:
        return {200, "whole body", {}};
    }
  });
  EXPECT_EQ(served.store->Get("k").value(), "whole body");
  count = 0;
  EXPECT_TRUE(served.store->Put("k", "v"));
  count = -10;
}

TEST(S3Store, AfterTheTriesItSaysWhatItWas) {
  Served busy([](const ServedRequest&) { return ServedAnswer{503, Problem("SlowDown"), {{"Retry-After", "1"}}}; });
  EXPECT_EQ(busy.store->Get("k").error().code, "throttled");
  EXPECT_EQ(busy.store->Get("k").error().kind, ErrorKind::kRetryable);
  EXPECT_EQ(busy.server.requests().size(), 8u);
  EXPECT_EQ(busy.store->PutIfAbsent("k", "v").error().code, "throttled");
  Served ill([](const ServedRequest&) { return ServedAnswer{500, "", {}}; });
  EXPECT_EQ(ill.store->Put("k", "v").error().code, "store-failed");
}

TEST(S3Store, ErrorsSayWhoMayNotDoWhatAndKeepSecrets) {
  Served served([](const ServedRequest&) { return ServedAnswer{403, Problem("AccessDenied"), {}}; });
  for (const Error& error : {served.store->Get("k/x").error(), served.store->Put("k/x", "v").error(), served.store->Delete("k/x").error(),
                             served.store->PutIfAbsent("k/x", "v").error(), served.store->List("k/").error()}) {
    EXPECT_EQ(error.code, "access-denied");
    EXPECT_EQ(error.kind, ErrorKind::kUser);
    EXPECT_NE(error.message.find("key AKIA…PLE0 of a test"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("s3://b"), std::string::npos);
    EXPECT_EQ(error.ToString().find("very/secret"), std::string::npos);
    EXPECT_EQ(error.ToString().find("a-token"), std::string::npos);
  }
  EXPECT_NE(served.store->Put("k", "v").error().message.find("s3:PutObject on s3://b/p/k"), std::string::npos);
  EXPECT_EQ(served.server.requests().size(), 6u);
}

TEST(S3Store, NamesOtherRefusals) {
  struct {
    int status;
    const char *problem, *code;
  } cases[] = {{404, "NoSuchBucket", "no-such-bucket"},
               {403, "SignatureDoesNotMatch", "bad-credentials"},
               {403, "InvalidAccessKeyId", "bad-credentials"},
               {403, "RequestTimeTooSkewed", "clock-skew"},
               {501, "NotImplemented", "unsupported-store"},
               {400, "EntityTooLarge", "store-refused"},
               {404, "NoSuchKey", "no-such-object"}};
  for (const auto& one : cases) {
    Served served([&](const ServedRequest&) { return ServedAnswer{one.status, Problem(one.problem), {}}; });
    EXPECT_EQ(served.store->Get("k").error().code, one.code) << one.problem;
    EXPECT_EQ(served.server.requests().size(), 1u);
  }
}

TEST(S3Store, ExpiredCredentialsAreRenewedOnce) {
  Served served([](const ServedRequest& request) {
    const bool old = request.headers.at("authorization").find("AKIAEXAMPLE0/") != std::string::npos;
    return old ? ServedAnswer{400, Problem("ExpiredToken"), {}} : ServedAnswer{200, "in", {}};
  });
  EXPECT_EQ(served.store->Get("k").value(), "in");
  EXPECT_EQ(served.identity->refused, 1);
  Served always([](const ServedRequest&) { return ServedAnswer{400, Problem("ExpiredToken"), {}}; });
  EXPECT_EQ(always.store->Get("k").error().code, "bad-credentials");
  EXPECT_EQ(always.server.requests().size(), 2u);
}

TEST(S3Store, FollowsTheBucketToItsRegion) {
  Served served([](const ServedRequest& request) {
    const bool right = request.headers.at("authorization").find("/ap-south-1/s3/") != std::string::npos;
    return right ? ServedAnswer{200, "here", {}} : ServedAnswer{301, Problem("PermanentRedirect"), {{"x-amz-bucket-region", "ap-south-1"}}};
  });
  EXPECT_EQ(served.store->Get("k").value(), "here");
  EXPECT_EQ(served.store->Get("k").value(), "here");
  EXPECT_EQ(served.server.requests().size(), 3u);
}

TEST(S3Store, ListsPagesAndDecodesKeys) {
  Served served([](const ServedRequest& request) -> ServedAnswer {
    const bool second = request.target.find("continuation-token=t%2B1") != std::string::npos;
    const std::string head = "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType>";
    const auto object = [](const std::string& key) {
      return "<Contents><Key>" + key +
             "</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>";
    };
    if (second) return {200, head + object("p/z%26+%2B") + "<IsTruncated>false</IsTruncated></ListBucketResult>", {}};
    return {200,
            head + object("p/a%2Fb%3D1") + object("p/folder/") + object("other") +
                "<IsTruncated>true</IsTruncated><NextContinuationToken>t+1</NextContinuationToken></ListBucketResult>",
            {}};
  });
  const auto found = served.store->List("", "A b").value();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0], (ObjectMeta{"a/b=1", 7, "\"e\"", *ParseInstant("2026-01-02T03:04:05Z")}));
  EXPECT_EQ(found[1].key, "z& +");
  EXPECT_EQ(served.server.requests()[0].target, "/b?encoding-type=url&list-type=2&prefix=p%2F&start-after=p%2FA%20b");
}

TEST(S3Store, AListThatIsCutOffIsNoShortList) {
  Served served([](const ServedRequest&) { return ServedAnswer{200, "<ListBucketResult><Contents><Key>p/a</Key>", {}}; });
  EXPECT_EQ(served.store->List("").error().code, "bad-answer");
}

TEST(S3Store, EncryptsWhatItWrites) {
  Served served(
      [](const ServedRequest& request) -> ServedAnswer {
        if (request.target.ends_with("?uploads="))
          return {200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>", {}};
        if (request.target.ends_with("?uploadId=u")) return {200, "<CompleteMultipartUploadResult/>", {}};
        return {200, "", {{"ETag", "\"e\""}}};
      },
      {.sse = "aws:kms", .kms_key_id = "alias/lake"});
  ASSERT_TRUE(served.store->Put("k", "v"));
  ASSERT_EQ(served.store->PutIfAbsent("k", "v").value(), PutOutcome::kWritten);
  auto writer = served.store->OpenWriter("big").value();
  ASSERT_TRUE(writer->Write(std::string(9 << 20, 'x')));
  ASSERT_TRUE(writer->Close());
  const auto requests = served.server.requests();
  for (const size_t i : {0, 1, 2}) {
    EXPECT_EQ(requests[i].headers.at("x-amz-server-side-encryption"), "aws:kms") << requests[i].target;
    EXPECT_EQ(requests[i].headers.at("x-amz-server-side-encryption-aws-kms-key-id"), "alias/lake");
  }
  EXPECT_FALSE(requests[3].headers.contains("x-amz-server-side-encryption"));
  EXPECT_EQ(EncryptionHeaders({.sse = "AES"}).error().code, "bad-sse");
  EXPECT_EQ(EncryptionHeaders({.sse = "AES256", .kms_key_id = "k"}).error().code, "bad-sse");
}

TEST(S3Store, EncryptsAsTheEnvironmentSays) {
  net::TestServer server([](const ServedRequest&) -> ServedAnswer { return {200, "", {{"ETag", "\"e\""}}}; });
  const std::map<std::string, std::string> environment = {{"AWS_ENDPOINT_URL_S3", server.url()},
                                                          {"AWS_ACCESS_KEY_ID", "k"},
                                                          {"AWS_SECRET_ACCESS_KEY", "s"},
                                                          {"AWS_REGION", "eu-west-1"},
                                                          {"AWS_SERVER_SIDE_ENCRYPTION", "aws:kms"},
                                                          {"AWS_SSE_KMS_KEY_ID", "alias/lake"}};
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  const auto store = OpenStore("s3://b/p");
  ASSERT_TRUE(store);
  EXPECT_TRUE((*store)->Put("k", "v"));
  setenv("AWS_SERVER_SIDE_ENCRYPTION", "rot13", 1);
  const auto refused = OpenStore("s3://b/p");
  for (const auto& [name, value] : environment) unsetenv(name.c_str());
  const auto headers = server.requests().at(0).headers;
  EXPECT_EQ(headers.at("x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(headers.at("x-amz-server-side-encryption-aws-kms-key-id"), "alias/lake");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "bad-sse");
}

// An upload whose parts fail is taken back; a completion that ends in an error is none.
TEST(S3Store, AnUploadThatFailsIsTakenBack) {
  for (const bool at_completion : {false, true}) {
    std::atomic<int> aborted{0};
    Served served([&](const ServedRequest& request) -> ServedAnswer {
      if (request.method == "DELETE") return ++aborted, ServedAnswer{204, "", {}};
      if (request.target.ends_with("?uploads="))
        return {200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>", {}};
      if (request.target.ends_with("?uploadId=u")) return {200, Problem("InternalError"), {}};
      if (!at_completion) return {403, Problem("AccessDenied"), {}};
      return {200, "", {{"ETag", "\"e\""}}};
    });
    {
      auto writer = served.store->OpenWriter("big").value();
      Status status = writer->Write(std::string(9 << 20, 'x'));
      if (status) status = writer->Close();
      EXPECT_FALSE(status);
      EXPECT_FALSE(writer->Close());
    }
    EXPECT_EQ(aborted, 1);
  }
}

TEST(S3Store, ACompletionWhoseAnswerWasLostIsFound) {
  std::atomic<int> completions{0};
  Served served([&](const ServedRequest& request) -> ServedAnswer {
    if (request.target.ends_with("?uploads="))
      return {200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>", {}};
    if (request.target.ends_with("?uploadId=u") && request.method == "POST")
      return ++completions == 1 ? ServedAnswer{.drop = true} : ServedAnswer{404, Problem("NoSuchUpload"), {}};
    if (request.method == "HEAD") return {200, "", {{"Content-Length", std::to_string(9 << 20)}, {"ETag", "\"abc-2\""}}};
    return {200, "", {{"ETag", "\"e\""}}};
  });
  auto writer = served.store->OpenWriter("big").value();
  ASSERT_TRUE(writer->Write(std::string(9 << 20, 'x')));
  EXPECT_TRUE(writer->Close());
  EXPECT_EQ(completions, 2);
}

TEST(S3Location, TakesBucketAndPrefixApart) {
  EXPECT_EQ(ParseS3Location("s3://acme-lake/retail/x/")->bucket, "acme-lake");
  EXPECT_EQ(ParseS3Location("s3://acme-lake/retail/x/")->prefix, "retail/x/");
  EXPECT_EQ(ParseS3Location("s3a://b")->prefix, "");
  EXPECT_EQ(ParseS3Location("s3://b/")->prefix, "");
  for (const char* bad : {"s3://", "s3:///k", "s3://b//k", "s3://b/../c", "s3://b?x/k", "s3://key:secret@b/k"})
    EXPECT_EQ(ParseS3Location(bad).error().code, "bad-location") << bad;
}

TEST(S3Location, AddressesTheBucketInTheHostOrThePath) {
  EXPECT_FALSE(AddressOf("b", "", std::nullopt)->path_style);
  EXPECT_TRUE(AddressOf("b.with.dots", "", std::nullopt)->path_style);
  EXPECT_TRUE(AddressOf("b", "http://minio:9000", std::nullopt)->path_style);
  EXPECT_FALSE(AddressOf("b", "https://oss.example.com", false)->path_style);
  const S3Address address = AddressOf("b", "HTTPS://host:443/storage/v1/s3/", true).value();
  EXPECT_EQ(address.scheme, "https");
  EXPECT_EQ(address.host, "host");
  EXPECT_EQ(address.base_path, "/storage/v1/s3");
  for (const char* bad : {"minio:9000", "ftp://x", "https://", "https://user@host"})
    EXPECT_EQ(AddressOf("b", bad, std::nullopt).error().code, "bad-endpoint") << bad;
}

}  // namespace
}  // namespace sluice::store
