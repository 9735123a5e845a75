#include "sources/http/caller.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_text.h"
#include "core/one_line.h"
#include "core/text.h"
#include "net/digest.h"
#include "sources/http/pager.h"

namespace sluice::sources::http {
namespace {

constexpr int kMostRedirects = 5;
constexpr size_t kShownOfBody = 300;
constexpr size_t kMostOfToken = 1UL << 20;
constexpr size_t kLeastSecret = 4;            // a shorter one would take letters out of words
constexpr int64_t kTokenMargin = 30'000'000;  // a token is renewed so long before its end

// Unless it stands there: the address of a next page has what its request had.
void AddParameter(const std::string& name, const std::string& value, std::string* url) {
  const std::string key = PercentEncode(name, false) + "=";
  if (url->find("?" + key) != std::string::npos || url->find("&" + key) != std::string::npos) return;
  *url += url->find('?') == std::string::npos ? '?' : '&';
  *url += key + PercentEncode(value, false);
}

std::string Place(const std::string& url) { return url.substr(0, url.find('?')); }

// The beginning of what a peer said, on one line, as UTF-8.
std::string Shown(std::string_view text) {
  std::string shown(Trim(text.substr(0, kShownOfBody)));
  for (int cut = 0; cut < 4 && !IsValidUtf8(shown); ++cut) shown.pop_back();
  return IsValidUtf8(shown) ? OnOneLine(std::move(shown)) : "";
}

std::string Form(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string form;
  for (const auto& [name, value] : fields)
    if (!value.empty()) form += (form.empty() ? "" : "&") + PercentEncode(name, false) + "=" + PercentEncode(value, false);
  return form;
}

// Each try begins with an empty body.
class Fresh : public net::HttpClient {
 public:
  Fresh(net::HttpClient& client, std::string& body) : client_(client), body_(body) {}
  Result<net::HttpResponse> Send(const net::HttpRequest& request) override {
    body_.clear();
    return client_.Send(request);
  }

 private:
  net::HttpClient& client_;
  std::string& body_;
};

}  // namespace

// A client that waits until the rate allows the next request: a bucket that holds one second's tokens, or one of a slower rate.
class Caller::Paced : public net::HttpClient {
 public:
  Paced(net::HttpClient& client, const Settings& settings, Clock& clock, const std::atomic<bool>* cancel)
      : client_(client),
        clock_(clock),
        cancel_(cancel),
        gap_(settings.rate > 0 ? settings.rate_micros / settings.rate : 0),
        most_ahead_(std::max<int64_t>(0, 1'000'000 - gap_)) {}

  Result<net::HttpResponse> Send(const net::HttpRequest& request) override {
    int64_t until = Reserve();
    while (true) {
      if (cancel_ != nullptr && *cancel_) return Fail(CancelledError());
      const int64_t left = until - clock_.Now().micros;
      if (left <= 0) return client_.Send(request);
      clock_.SleepMillis(std::min<int64_t>(50, left / 1000 + 1));
    }
  }

 private:
  int64_t Reserve() {
    const std::lock_guard lock(mutex_);
    const int64_t now = clock_.Now().micros;
    next_ = std::max(next_, now - most_ahead_) + gap_;
    return next_ - gap_;
  }

  net::HttpClient& client_;
  Clock& clock_;
  const std::atomic<bool>* cancel_;
  const int64_t gap_, most_ahead_;
  std::mutex mutex_;
  int64_t next_ = 0;  // when the next request may go; guarded by mutex_
};

Caller::Caller(const Settings& settings, const std::atomic<bool>* cancel, Clock& clock, Random& random)
    : settings_(settings),
      clock_(clock),
      random_(random),
      policy_{.tries = settings.tries, .longest_asked_millis = 300'000, .cancelled = cancel} {
  net::HttpOptions options;
  options.ca_file = settings.tls_ca;
  options.stall_millis = std::max<int64_t>(1000, settings.timeout_micros / 1000);
  options.cancelled = cancel;
  client_ = net::NewHttpClient(std::move(options));
  paced_ = std::make_unique<Paced>(*client_, settings_, clock_, cancel);
}

Caller::~Caller() = default;

Result<net::HttpResponse> Caller::Send(const Call& call) {
  Call at = call;
  for (int redirects = 0;; ++redirects) {
    const bool by_token = settings_.auth.kind == AuthKind::kOAuth2;
    std::string token;
    if (by_token) {
      SLUICE_TRY(token, Token(""));
    }
    SLUICE_TRY(net::HttpResponse response, SendOnce(at, token));
    if (response.status == 401 && by_token) {  // it may have been withdrawn before its time
      SLUICE_TRY(token, Token(token));
      SLUICE_TRY(response, SendOnce(at, token));
    }
    if (response.ok() || response.status == 404 || response.status == 410) return response;
    const std::string* location = response.Header("Location");
    const bool moved = response.status >= 300 && response.status < 400 && location != nullptr && redirects < kMostRedirects;
    if (!moved || (at.method != "GET" && response.status != 307 && response.status != 308)) return Fail(ErrorOf(at, response));
    at.url = ResolveReference(at.url, *location);
  }
}

Result<net::HttpResponse> Caller::SendOnce(const Call& call, const std::string& token) {
  if (OriginOf(call.url) != OriginOf(settings_.url))
    return Fail(UserError("http-other-host", fmt::format("{} sends us on to {}, and what {} is given is not for other hosts",
                                                         settings_.name, OriginOf(call.url), OriginOf(settings_.url)))
                    .At(settings_.where)
                    .Hint("write that address as the connection's url, or page by a cursor instead of an address"));
  SLUICE_TRY(net::HttpRequest request, Dress(call, token));
  std::string body;
  request.sink = [&](std::string_view piece) -> Status {
    if (body.size() + piece.size() > static_cast<size_t>(settings_.max_body_bytes))
      return Fail(DataError("http-too-large", Masked(fmt::format("the answer of {} is larger than {}", Place(call.url),
                                                                 FormatBytes(settings_.max_body_bytes))))
                      .At(settings_.where)
                      .Hint("ask for smaller pages, or raise the connection's max_body"));
    body.append(piece);
    return Ok();
  };
  Fresh fresh(*paced_, body);
  auto sent = net::SendAgain(fresh, request, policy_, clock_, random_);
  if (!sent) {
    Error error = std::move(sent).error();
    error.message = Masked(error.message);
    if (error.code == "tls-failed") error.hint = "if its certificate is of an authority of your own, name that by the connection's tls_ca";
    return Fail(std::move(error));
  }
  net::HttpResponse response = *std::move(sent);
  if (response.ok()) response.body = std::move(body);
  return response;
}

Result<net::HttpRequest> Caller::Dress(const Call& call, const std::string& token) const {
  net::HttpRequest request;
  request.method = call.method;
  request.url = call.url.substr(0, call.url.find('#'));
  request.headers = call.headers;
  request.body = call.body;
  request.compressed = true;
  request.total_millis = settings_.timeout_micros / 1000;
  for (const auto& [name, value] : settings_.parameters) AddParameter(name, value.Reveal(), &request.url);
  const auto add = [&](const std::string& name, std::string value) {
    if (net::FindHeader(request.headers, name) == nullptr) request.headers.emplace_back(name, std::move(value));
  };
  for (const auto& [name, value] : settings_.headers) add(name, value.Reveal());
  add("Accept", "application/json");
  if (!call.body.empty()) add("Content-Type", "application/json");
  const Auth& auth = settings_.auth;
  switch (auth.kind) {
    case AuthKind::kNone:
      break;
    case AuthKind::kBasic:
      add("Authorization", "Basic " + net::Base64Of(auth.name + ":" + auth.secret.Reveal()));
      break;
    case AuthKind::kBearer:
      add("Authorization", "Bearer " + auth.secret.Reveal());
      break;
    case AuthKind::kHeader:
      add(auth.name, auth.secret.Reveal());
      break;
    case AuthKind::kParameter:
      AddParameter(auth.name, auth.secret.Reveal(), &request.url);
      break;
    case AuthKind::kOAuth2:
      add("Authorization", "Bearer " + token);
  }
  return request;
}

Result<std::string> Caller::Token(const std::string& refused) {
  const std::lock_guard lock(mutex_);
  if (!token_.empty() && token_ != refused && clock_.Now() < token_ends_) return token_;
  SLUICE_TRY(token_, FetchToken());
  return token_;
}

// RFC 6749 sections 4.4.2 and 6; the client says who it is by 2.3.1's header.
Result<std::string> Caller::FetchToken() {
  const Auth& auth = settings_.auth;
  const bool refresh = !auth.refresh_token.empty();
  net::HttpRequest request;
  request.method = "POST";
  request.url = auth.token_url;
  request.total_millis = settings_.timeout_micros / 1000;
  request.headers = {
      {"Content-Type", "application/x-www-form-urlencoded"},
      {"Accept", "application/json"},
      {"Authorization", "Basic " + net::Base64Of(PercentEncode(auth.client_id, false) + ":" + PercentEncode(auth.secret.Reveal(), false))}};
  const std::string form = Form({{"grant_type", refresh ? "refresh_token" : "client_credentials"},
                                 {"refresh_token", auth.refresh_token.Reveal()},
                                 {"scope", auth.scope},
                                 {"audience", auth.audience}});
  request.body = form;
  std::string body;
  request.sink = [&](std::string_view piece) -> Status {
    if (body.size() + piece.size() > kMostOfToken)
      return Fail(DataError("http-too-large", "the answer with the token is larger than 1 MiB"));
    body.append(piece);
    return Ok();
  };
  Fresh fresh(*client_, body);
  SLUICE_TRY(const net::HttpResponse response, net::SendAgain(fresh, request, policy_, clock_, random_));
  const auto answer = nlohmann::json::parse(response.ok() ? body : response.body, nullptr, false);
  const auto text = [&](const char* key) {
    return answer.is_object() && answer.contains(key) && answer[key].is_string() ? answer[key].get<std::string>() : std::string();
  };
  if (!response.ok() || text("access_token").empty()) {
    const std::string why = text("error").empty()
                                ? fmt::format("status {}", response.status)
                                : OnOneLine(text("error") + (text("error_description").empty() ? "" : ": " + text("error_description")));
    const std::string message =
        fmt::format("{} gives {} no token: {}", Place(auth.token_url), settings_.name, Shown(Masked(why, Secrets())));
    if (net::MayPassStatus(response.status)) return Fail(RetryableError("http-failed", message));
    return Fail(UserError("http-unauthorized", message)
                    .At(settings_.where)
                    .Hint(refresh ? "is the refresh token still the one that counts, and client_id and client_secret with it?"
                                  : "look at client_id, client_secret and scope of its auth"));
  }
  const bool lasts = answer.contains("expires_in") && answer["expires_in"].is_number();
  const double seconds = lasts ? std::clamp(answer["expires_in"].get<double>(), 10.0, 86'400.0) : 3600;
  const auto micros = static_cast<int64_t>(seconds * 1e6);
  token_ends_ = {clock_.Now().micros + std::max<int64_t>(micros - kTokenMargin, micros / 2)};
  std::string token = text("access_token");
  if (std::any_of(token.begin(), token.end(), [](unsigned char c) { return c <= 0x20 || c >= 0x7f; }))
    return Fail(DataError("http-answer", Place(auth.token_url) + " gives a token that no header can have").At(settings_.where));
  return token;
}

Error Caller::ErrorOf(const Call& call, const net::HttpResponse& response) const {
  // Masked before it is cut: a part of a secret is one, too.
  std::string said = Masked(response.body);
  said = Shown(said);
  const std::string message =
      fmt::format("{} {} answers with status {}{}", call.method, Masked(Place(call.url)), response.status, said.empty() ? "" : ": " + said);
  if (net::MayPassStatus(response.status)) return RetryableError("http-failed", message);
  if (response.status == 401 || response.status == 403)
    return UserError("http-unauthorized", message)
        .At(settings_.where)
        .Hint(settings_.auth.kind == AuthKind::kNone ? "give the connection an auth"
                                                     : "is what its auth names still right, and allowed to read this?");
  return UserError("http-refused", message).At(settings_.where).Hint("look at the request's path, parameters and body");
}

std::string Caller::Masked(std::string text) const {
  std::vector<std::string> secrets = Secrets();
  {
    const std::lock_guard lock(mutex_);
    secrets.push_back(token_);
  }
  return Masked(std::move(text), secrets);
}

std::vector<std::string> Caller::Secrets() const {
  const Auth& auth = settings_.auth;
  std::vector<std::string> secrets = {settings_.url, auth.secret.Reveal(), auth.refresh_token.Reveal()};
  if (settings_.url == settings_.shown) secrets.erase(secrets.begin());
  if (auth.kind == AuthKind::kBasic) secrets.push_back(net::Base64Of(auth.name + ":" + auth.secret.Reveal()));
  for (const auto* named : {&settings_.headers, &settings_.parameters})
    for (const auto& [name, value] : *named) secrets.push_back(value.Reveal());
  return secrets;
}

Error Caller::About(Error error, const Call& call) const {
  error.message = fmt::format("{} {}: {}", call.method, Masked(Place(call.url)), error.message);
  return error;
}

std::string Caller::Masked(std::string text, std::vector<std::string> secrets) {
  // One that holds another goes first.
  std::sort(secrets.begin(), secrets.end(), [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  const auto mask = [&](const std::string& secret) {
    if (secret.size() < kLeastSecret) return;
    for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos;) text.replace(at, secret.size(), "***");
  };
  for (const std::string& secret : secrets) {
    std::string json;
    if (IsValidUtf8(secret)) AppendJsonString(secret, &json);
    for (const std::string& form : {secret, PercentEncode(secret, false), json.size() > 2 ? json.substr(1, json.size() - 2) : json})
      mask(form);
  }
  return text;
}

}  // namespace sluice::sources::http
