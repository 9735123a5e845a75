#include "net/sigv4.h"

#include <gtest/gtest.h>

#include "core/time.h"
#include "net/digest.h"

namespace sluice::net {
namespace {

// The examples that AWS publishes: "Signature Version 4 test suite", and "Examples: Signature Calculations" of the S3 API reference.
const Credentials kSuite{"AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), {}, {}, "test"};
const Credentials kS3{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}, {}, "test"};
const std::string kNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string AuthorizationOf(const SigningRequest& request, const Credentials& credentials, std::string_view service, const char* now) {
  const Headers headers = SignV4(request, credentials, "us-east-1", service, *ParseInstant(now)).value();
  return *FindHeader(headers, "authorization");
}

void ExpectSuite(const SigningRequest& request, const std::string& signature) {
  const std::string authorization = AuthorizationOf(request, kSuite, "service", "2015-08-30T12:36:00Z");
  EXPECT_TRUE(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="));
  EXPECT_TRUE(authorization.ends_with("Signature=" + signature)) << authorization;
}

void ExpectS3(const SigningRequest& request, const std::string& signed_headers, const std::string& signature) {
  const std::string authorization = AuthorizationOf(request, kS3, "s3", "2013-05-24T00:00:00Z");
  EXPECT_NE(authorization.find("SignedHeaders=" + signed_headers + ", "), std::string::npos) << authorization;
  EXPECT_TRUE(authorization.ends_with("Signature=" + signature)) << authorization;
}

TEST(SigV4, SignsTheSuitesPlainRequest) {
  ExpectSuite({"GET", "example.amazonaws.com", "/", {}, {}, kNothing}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(SigV4, SortsTheQueryByNameAndValue) {
  ExpectSuite({"GET", "example.amazonaws.com", "/", {{"Param2", "value2"}, {"Param1", "value1"}}, {}, kNothing},
              "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  EXPECT_EQ(CanonicalQuery({{"b", "1"}, {"a", "2"}, {"a", "1"}, {"c", ""}}), "a=1&a=2&b=1&c=");
  EXPECT_EQ(CanonicalQuery({{"prefix", "a b/\xC3\xA9+&="}}), "prefix=a%20b%2F%C3%A9%2B%26%3D");
}

TEST(SigV4, SignsAnObjectsRange) {
  ExpectS3({"GET", "examplebucket.s3.amazonaws.com", "/test.txt", {}, {{"Range", "bytes=0-9"}}, kNothing},
           "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, SignsAPutWhoseKeyIsEncoded) {
  ExpectS3({"PUT",
            "examplebucket.s3.amazonaws.com",
            "/test%24file.text",
            {},
            {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
            HexOf(Sha256("Welcome to Amazon S3.").value())},
           "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
           "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, SignsAQueryWithoutValue) {
  ExpectS3({"GET", "examplebucket.s3.amazonaws.com", "/", {{"lifecycle", ""}}, {}, kNothing}, "host;x-amz-content-sha256;x-amz-date",
           "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4, SignsAList) {
  ExpectS3({"GET", "examplebucket.s3.amazonaws.com", "/", {{"max-keys", "2"}, {"prefix", "J"}}, {}, kNothing},
           "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, ASessionTokenIsSentAndSigned) {
  Credentials credentials = kS3;
  credentials.session_token = Secret("tok/en==");
  const SigningRequest request{"GET", "b.s3.amazonaws.com", "/k", {}, {}, std::string(kUnsignedPayload)};
  const Headers headers = SignV4(request, credentials, "us-east-1", "s3", *ParseInstant("2013-05-24T00:00:00Z")).value();
  EXPECT_EQ(*FindHeader(headers, "x-amz-security-token"), "tok/en==");
  EXPECT_EQ(*FindHeader(headers, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
  EXPECT_NE(FindHeader(headers, "authorization")->find("host;x-amz-content-sha256;x-amz-date;x-amz-security-token"), std::string::npos);
}

TEST(Digest, KnowsTheStandardsVectors) {
  EXPECT_EQ(HexOf(Sha256("abc").value()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexOf(HmacSha256("Jefe", "what do ya want for nothing?").value()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(Base64Of(""), "");
  EXPECT_EQ(Base64Of("f"), "Zg==");
  EXPECT_EQ(Base64Of("fo"), "Zm8=");
  EXPECT_EQ(Base64Of("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace sluice::net
