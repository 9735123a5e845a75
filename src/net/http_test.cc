#include "net/http.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/time.h"
#include "net/retry.h"
#include "net/test_server.h"
#include "net/xml.h"

namespace sluice::net {
namespace {

ServedAnswer Ok200(const ServedRequest&) { return {200, "fine", {}}; }
std::unique_ptr<HttpClient> Client(HttpOptions options = {}) { return NewHttpClient(std::move(options)); }

TEST(Http, GetsStatusHeadersAndBody) {
  TestServer server([](const ServedRequest&) { return ServedAnswer{203, std::string("a\0b", 3), {{"X-Mine", "yes"}}}; });
  const auto response = Client()->Send({.url = server.url() + "/p/%C3%A9/..%2F?q=1%202"}).value();
  EXPECT_EQ(response.status, 203);
  EXPECT_EQ(*response.Header("x-mine"), "yes");
  EXPECT_EQ(response.Header("absent"), nullptr);
  EXPECT_EQ(response.body, std::string("a\0b", 3));
  EXPECT_EQ(server.requests()[0].target, "/p/%C3%A9/..%2F?q=1%202");
}

TEST(Http, SendsOnlyTheHeadersThatWereGiven) {
  TestServer server(Ok200);
  const std::string body(2'000'000, 'x');
  ASSERT_TRUE(Client()->Send({.method = "PUT", .url = server.url() + "/", .headers = {{"X-Mine", "1"}, {"X-None", ""}}, .body = body}));
  const ServedRequest request = server.requests()[0];
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.body, body);
  std::vector<std::string> names;
  for (const auto& [name, value] : request.headers) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"accept", "content-length", "host", "user-agent", "x-mine", "x-none"}));
}

TEST(Http, AnEmptyBodyIsSentAsSuch) {
  TestServer server(Ok200);
  ASSERT_TRUE(Client()->Send({.method = "PUT", .url = server.url() + "/"}));
  ASSERT_TRUE(Client()->Send({.method = "POST", .url = server.url() + "/"}));
  ASSERT_TRUE(Client()->Send({.method = "DELETE", .url = server.url() + "/"}));
  EXPECT_EQ(server.requests()[0].headers.at("content-length"), "0");
  EXPECT_EQ(server.requests()[1].headers.at("content-length"), "0");
  EXPECT_EQ(server.requests()[2].method, "DELETE");
}

TEST(Http, UsesAConnectionAgain) {
  TestServer server(Ok200);
  const auto client = Client();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client->Send({.url = server.url() + "/"}));
  EXPECT_EQ(server.connection_count(), 1);
}

TEST(Http, HeadHasHeadersAndNoBody) {
  TestServer server([](const ServedRequest&) { return ServedAnswer{200, "body", {}}; });
  const auto response = Client()->Send({.method = "HEAD", .url = server.url() + "/"}).value();
  EXPECT_EQ(*response.Header("content-length"), "4");
  EXPECT_EQ(response.body, "");
}

TEST(Http, StreamsBothWays) {
  TestServer server([](const ServedRequest& request) { return ServedAnswer{200, request.body, {}}; });
  constexpr int64_t kSize = 3'000'000;
  int64_t given = 0, taken = 0;
  size_t largest = 0;
  HttpRequest request{.method = "PUT", .url = server.url() + "/"};
  request.upload = Upload{kSize, [&](char* buffer, size_t capacity) -> Result<size_t> {
                            const auto n = std::min<int64_t>(static_cast<int64_t>(capacity), kSize - given);
                            for (int64_t i = 0; i < n; ++i) buffer[i] = static_cast<char>('a' + (given + i) % 26);
                            given += n;
                            return static_cast<size_t>(n);
                          }};
  request.sink = [&](std::string_view piece) -> Status {
    for (const char c : piece) EXPECT_EQ(c, static_cast<char>('a' + taken++ % 26));
    largest = std::max(largest, piece.size());
    return Ok();
  };
  const auto response = Client()->Send(request).value();
  EXPECT_EQ(taken, kSize);
  EXPECT_EQ(response.body, "");
  EXPECT_LT(largest, 600'000u);
}

TEST(Http, AnErrorsBodyDoesNotGoToTheSink) {
  TestServer server([](const ServedRequest&) { return ServedAnswer{404, "why", {}}; });
  HttpRequest request{.url = server.url() + "/"};
  request.sink = [](std::string_view) -> Status { return Fail(BugError("not for me")); };
  EXPECT_EQ(Client()->Send(request)->body, "why");
}

TEST(Http, ASinksErrorEndsTheRequestWithIt) {
  TestServer server(Ok200);
  HttpRequest request{.url = server.url() + "/"};
  request.sink = [](std::string_view) -> Status { return Fail(DataError("full", "no more")); };
  EXPECT_EQ(Client()->Send(request).error().code, "full");
}

TEST(Http, SaysThatNothingWasSentWhereNobodyListens) {
  std::string url;
  {
    TestServer gone(Ok200);
    url = gone.url();
  }
  for (const std::string& bad : {url + "/", std::string("http://no-such-host.invalid/")}) {
    const Error error = Client()->Send({.url = bad}).error();
    EXPECT_EQ(error.code, "connect-failed") << error.message;
    EXPECT_EQ(error.kind, ErrorKind::kRetryable);
  }
}

TEST(Http, SaysThatTheAnswerWasLost) {
  TestServer server([](const ServedRequest&) { return ServedAnswer{.drop = true}; });
  const Error error = Client()->Send({.method = "PUT", .url = server.url() + "/secret?token=abc", .body = "x"}).error();
  EXPECT_EQ(error.code, "connection-lost");
  EXPECT_EQ(error.message.find("token"), std::string::npos) << error.message;
}

TEST(Http, ACutOffBodyIsALostConnection) {
  TestServer server(
      [](const ServedRequest&) { return ServedAnswer{.status = 200, .body = std::string(1000, 'x'), .headers = {}, .cut_after = 10}; });
  EXPECT_EQ(Client()->Send({.url = server.url() + "/"}).error().code, "connection-lost");
}

TEST(Http, APeerThatSaysNothingTimesOut) {
  TestServer server([](const ServedRequest&) { return ServedAnswer{.hang = true}; });
  EXPECT_EQ(Client({.stall_millis = 1000})->Send({.url = server.url() + "/"}).error().code, "timed-out");
  EXPECT_EQ(Client()->Send({.url = server.url() + "/", .total_millis = 200}).error().code, "timed-out");
}

TEST(Http, EndsWhenCancelled) {
  TestServer server([](const ServedRequest&) { return ServedAnswer{.hang = true}; });
  std::atomic<bool> cancelled{false};
  const auto client = Client({.cancelled = &cancelled});
  std::thread later([&] {
    while (server.requests().empty()) std::this_thread::yield();
    cancelled = true;
  });
  EXPECT_EQ(client->Send({.url = server.url() + "/"}).error().kind, ErrorKind::kCancelled);
  later.join();
  EXPECT_EQ(client->Send({.url = server.url() + "/"}).error().kind, ErrorKind::kCancelled);
}

// A kept connection that the server has closed: libcurl would send the request again by itself.
TEST(Http, ARequestThatMayNotBeResentIsReceivedOnce) {
  std::atomic<int> puts{0};
  TestServer server([&](const ServedRequest& request) {
    if (request.method != "PUT") return ServedAnswer{200, "", {}};
    ++puts;
    return ServedAnswer{.drop = true};
  });
  const auto client = Client();
  ASSERT_TRUE(client->Send({.url = server.url() + "/"}));
  const auto lost = client->Send({.method = "PUT", .url = server.url() + "/", .body = "x", .resend = false});
  EXPECT_EQ(lost.error().code, "connection-lost");
  EXPECT_EQ(puts, 1);
}

TEST(Http, RefusesOtherSchemes) {
  EXPECT_EQ(Client()->Send({.url = "file:///etc/passwd"}).error().code, "bad-url");
  EXPECT_EQ(Client()->Send({.url = "no url"}).error().kind, ErrorKind::kUser);
}

TEST(Retry, TriesAgainWhatMayPassAndHonoursRetryAfter) {
  std::atomic<int> served{0};
  TestServer server([&](const ServedRequest&) -> ServedAnswer {
    const int n = ++served;
    if (n == 1) return {503, "", {{"Retry-After", "7"}}};
    if (n == 2) return {.drop = true};
    if (n == 3) return {429, "", {}};
    return {200, "at last", {}};
  });
  FixedClock clock({0});
  SeededRandom random(1);
  const RetryPolicy policy{.tries = 5};
  EXPECT_EQ(SendAgain(*Client(), {.url = server.url() + "/"}, policy, clock, random)->body, "at last");
  EXPECT_EQ(served, 4);
  EXPECT_GE(clock.Now().millis(), 7000);
  EXPECT_LE(clock.Now().millis(), 7000 + 200 + 400);
}

TEST(Retry, GivesUpAfterItsTriesWithTheLastAnswer) {
  TestServer server([](const ServedRequest&) { return ServedAnswer{500, "ill", {}}; });
  FixedClock clock({0});
  SeededRandom random(1);
  const RetryPolicy policy{.tries = 4};
  EXPECT_EQ(SendAgain(*Client(), {.url = server.url() + "/"}, policy, clock, random)->body, "ill");
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST(Retry, DoesNotWaitForAPeerThatAsksTooMuchNorAfterACancel) {
  TestServer server([](const ServedRequest&) { return ServedAnswer{503, "", {{"Retry-After", "3600"}}}; });
  FixedClock clock({0});
  SeededRandom random(1);
  std::atomic<bool> cancelled{true};
  EXPECT_EQ(SendAgain(*Client(), {.url = server.url() + "/"}, {}, clock, random)->status, 503);
  EXPECT_EQ(server.requests().size(), 1u);
  const RetryPolicy policy{.cancelled = &cancelled};
  Backoff backoff(policy, clock, random);
  EXPECT_FALSE(backoff.Pause());
}

TEST(Retry, PausesAreDrawnBelowADoublingBound) {
  SeededRandom random(7);
  for (int round = 0; round < 50; ++round) {
    FixedClock clock({0});
    const RetryPolicy policy{.tries = 8, .first_millis = 100, .longest_millis = 800};
    Backoff backoff(policy, clock, random);
    int64_t bound = 100, before = 0;
    while (backoff.Pause()) {
      EXPECT_LE(clock.Now().millis() - before, bound);
      before = clock.Now().millis();
      bound = std::min<int64_t>(800, bound * 2);
    }
    EXPECT_EQ(backoff.tries(), 8);
  }
}

TEST(Retry, ReadsRetryAfterAsSecondsOrDate) {
  const Instant now = *ParseInstant("1994-11-06T08:49:30Z");
  EXPECT_EQ(RetryAfter({503, {{"retry-after", "3"}}, ""}, now), 3000);
  EXPECT_EQ(RetryAfter({503, {{"Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"}}, ""}, now), 7000);
  EXPECT_EQ(RetryAfter({503, {{"Retry-After", "Sun, 06 Nov 1994 08:00:00 GMT"}}, ""}, now), 0);
  EXPECT_EQ(RetryAfter({503, {{"Retry-After", "soon"}}, ""}, now), std::nullopt);
  EXPECT_EQ(RetryAfter({503, {}, ""}, now), std::nullopt);
}

TEST(Xml, ReadsATree) {
  const auto root = ParseXml("<?xml version=\"1.0\"?>\n<a xmlns=\"urn:x\"><b>one &amp; two</b><c><d/></c><b>three</b></a>").value();
  EXPECT_EQ(root.name, "a");
  EXPECT_EQ(root.TextOf("b"), "one & two");
  EXPECT_EQ(root.children.size(), 3u);
  EXPECT_NE(root.Find("c")->Find("d"), nullptr);
  EXPECT_EQ(root.Find("x"), nullptr);
}

TEST(Xml, RefusesWhatIsNoneOrCutOff) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  for (const std::string& text : {std::string(), std::string("<a><b></a>"), std::string("<a>"), std::string("{}"), deep}) {
    const auto parsed = ParseXml(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, "bad-answer");
  }
}

}  // namespace
}  // namespace sluice::net
