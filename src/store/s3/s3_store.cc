#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "core/text.h"
#include "core/time.h"
#include "net/digest.h"
#include "net/xml.h"
#include "store/keys.h"
#include "store/remote.h"
#include "store/s3/s3_client.h"
#include "store/s3/s3_open.h"
#include "store/s3/s3_writer.h"

namespace sluice::store {
namespace {

constexpr size_t kMostDeleted = 1000;  // in one request

// A key in a listing that says its keys are encoded: percent-encoded, a space as '+'. Not every server does as it was asked.
std::string DecodeListed(std::string text, bool encoded) {
  if (!encoded) return text;
  std::replace(text.begin(), text.end(), '+', ' ');
  return PercentDecode(text);
}

// Whole seconds: a HEAD gives no more, and both must say the same.
Instant Seconds(Instant instant) { return {instant.micros - instant.micros % 1'000'000}; }

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&' || c == '<' || c == '>' || static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("&#{};", static_cast<int>(c));
    else
      out += c;
  }
  return out;
}

class S3Store : public ObjectStore, public Networked {
 public:
  S3Store(std::shared_ptr<S3Client> client, std::string prefix, S3ObjectOptions options)
      : client_(std::move(client)), prefix_(std::move(prefix)), options_(std::move(options)) {}

  Result<std::vector<ObjectMeta>> List(std::string_view prefix, std::string_view start_after) override {
    std::vector<ObjectMeta> found;
    std::string token;
    do {
      S3Call call{.action = "s3:ListBucket"};
      call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix_ + std::string(prefix)}};
      if (!token.empty())
        call.query.emplace_back("continuation-token", token);
      else if (!start_after.empty())
        call.query.emplace_back("start-after", prefix_ + std::string(start_after));
      SLUICE_TRY(const net::HttpResponse response, client_->Send(call));
      if (!response.ok()) return Fail(client_->NoSuchObject(call, response));
      SLUICE_TRY(const net::XmlElement page, net::ParseXml(response.body));
      const bool encoded = page.TextOf("EncodingType") == "url";
      for (const net::XmlElement& element : page.children)
        if (element.name == "Contents") Note(element, encoded, start_after, &found);
      token = page.TextOf("IsTruncated") == "true" ? page.TextOf("NextContinuationToken") : "";
    } while (!token.empty());
    std::sort(found.begin(), found.end(), [](const ObjectMeta& a, const ObjectMeta& b) { return a.key < b.key; });
    return found;
  }

  Result<ObjectMeta> Head(std::string_view key) override {
    SLUICE_TRY(const S3Call call, CallFor(key, "s3:GetObject", "HEAD"));
    SLUICE_TRY(const net::HttpResponse response, Found(call));
    ObjectMeta meta{.key = std::string(key)};
    if (const auto* size = response.Header("Content-Length")) meta.size = std::strtoll(size->c_str(), nullptr, 10);
    if (const auto* etag = response.Header("ETag")) meta.etag = *etag;
    if (const auto* modified = response.Header("Last-Modified")) meta.modified = net::ParseHttpDate(*modified).value_or(Instant{});
    return meta;
  }

  Result<std::string> Get(std::string_view key) override {
    SLUICE_TRY(const S3Call call, CallFor(key, "s3:GetObject", "GET"));
    SLUICE_TRY(net::HttpResponse response, Found(call));
    return std::move(response.body);
  }

  Result<std::string> GetRange(std::string_view key, int64_t offset, int64_t length) override {
    SLUICE_TRY(S3Call call, CallFor(key, "s3:GetObject", "GET"));
    if (length <= 0) {
      SLUICE_CHECK(Head(key));
      return std::string();
    }
    call.headers.emplace_back("Range",
                              offset < 0 ? fmt::format("bytes={}", offset) : fmt::format("bytes={}-{}", offset, offset + length - 1));
    SLUICE_TRY(net::HttpResponse response, client_->Send(call));
    if (response.status == 416) return std::string();  // behind the end
    if (!response.ok()) return Fail(client_->NoSuchObject(call, response));
    if (response.status != 206 && offset > 0) response.body.erase(0, static_cast<size_t>(std::min<int64_t>(offset, Size(response))));
    if (Size(response) > length) response.body.resize(static_cast<size_t>(length));
    return std::move(response.body);
  }

  Status Put(std::string_view key, std::string_view bytes) override {
    SLUICE_TRY(S3Call call, CallFor(key, "s3:PutObject", "PUT"));
    call.headers = options_.headers;
    call.body = bytes;
    SLUICE_TRY(const net::HttpResponse response, client_->Send(call));
    return response.ok() ? Ok() : Fail(client_->NoSuchObject(call, response));
  }

  Result<PutOutcome> PutIfAbsent(std::string_view key, std::string_view bytes) override { return PutIf(key, bytes, "If-None-Match", "*"); }
  Result<PutOutcome> PutIfMatch(std::string_view key, std::string_view bytes, std::string_view etag) override {
    return PutIf(key, bytes, "If-Match", std::string(etag));
  }

  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key) override {
    SLUICE_CHECK(CheckKey(key));
    return NewS3Writer(client_, prefix_ + std::string(key), options_.headers);
  }

  Status Delete(std::string_view key) override {
    SLUICE_TRY(const S3Call call, CallFor(key, "s3:DeleteObject", "DELETE"));
    SLUICE_CHECK(client_->Send(call));
    return Ok();
  }

  Status DeleteAll(const std::vector<std::string>& keys) override {
    for (size_t i = 0; i < keys.size(); i += kMostDeleted)
      SLUICE_CHECK(DeleteSome(std::span(keys).subspan(i, std::min(kMostDeleted, keys.size() - i))));
    return Ok();
  }

  std::string Uri(std::string_view key) const override { return client_->UriOf(prefix_ + std::string(key)); }

  Result<std::unique_ptr<RemoteAccess>> Access() override {
    SLUICE_TRY(net::Credentials credentials, client_->Identity());
    const S3Address& address = client_->address();
    auto access = std::make_unique<RemoteAccess>();
    access->host = client_->ServiceHost() + address.base_path;
    access->tls = address.scheme == "https";
    access->path_style = address.path_style;
    access->region = client_->region();
    access->ca_file = options_.ca_file;
    access->credentials = std::move(credentials);
    return access;
  }

 private:
  static int64_t Size(const net::HttpResponse& response) { return static_cast<int64_t>(response.body.size()); }

  Result<S3Call> CallFor(std::string_view key, std::string action, std::string method) const {
    SLUICE_CHECK(CheckKey(key));
    return S3Call{.action = std::move(action), .method = std::move(method), .key = prefix_ + std::string(key)};
  }

  Result<net::HttpResponse> Found(const S3Call& call) {
    SLUICE_TRY(net::HttpResponse response, client_->Send(call));
    if (!response.ok()) return Fail(client_->NoSuchObject(call, response));
    return response;
  }

  Result<PutOutcome> PutIf(std::string_view key, std::string_view bytes, const char* condition, std::string value) {
    SLUICE_TRY(S3Call call, CallFor(key, "s3:PutObject", "PUT"));
    call.headers = options_.headers;
    call.headers.emplace_back(condition, std::move(value));
    call.body = bytes;
    call.once = true;
    auto response = client_->Send(call);
    if (!response && response.error().code == "outcome-unknown") return PutOutcome::kUnknown;
    if (!response) return Fail(std::move(response).error());
    if (response->ok()) return PutOutcome::kWritten;
    return PutOutcome::kExists;  // 412; 404 where If-Match names an object that is gone
  }

  Status DeleteSome(std::span<const std::string> keys) {
    std::string body = "<Delete>";
    for (const std::string& key : keys) {
      SLUICE_CHECK(CheckKey(key));
      body += "<Object><Key>" + EscapeXml(prefix_ + key) + "</Key></Object>";
    }
    body += "<Quiet>true</Quiet></Delete>";
    SLUICE_TRY(const std::string digest, net::Sha256(body));
    S3Call call{.action = "s3:DeleteObject", .method = "POST", .query = {{"delete", ""}}, .body = body};
    call.headers = {
        {"Content-Type", "application/xml"}, {"x-amz-sdk-checksum-algorithm", "SHA256"}, {"x-amz-checksum-sha256", net::Base64Of(digest)}};
    SLUICE_TRY(const net::HttpResponse response, client_->Send(call));
    if (!response.ok()) return Fail(client_->NoSuchObject(call, response));
    SLUICE_TRY(const net::XmlElement answer, net::ParseXml(response.body));
    const net::XmlElement* error = answer.Find("Error");
    if (error == nullptr) return Ok();
    const std::string what =
        fmt::format("s3:DeleteObject on {}: {}: {}", client_->UriOf(error->TextOf("Key")), error->TextOf("Code"), error->TextOf("Message"));
    return Fail(error->TextOf("Code") == "AccessDenied" ? UserError("access-denied", what) : RetryableError("store-failed", what));
  }

  // What cannot be named by a key of ours (the markers of folders that some tools leave) is left out.
  void Note(const net::XmlElement& contents, bool encoded, std::string_view start_after, std::vector<ObjectMeta>* found) const {
    const std::string key = DecodeListed(contents.TextOf("Key"), encoded);
    if (!key.starts_with(prefix_) || !CheckKey(std::string_view(key).substr(prefix_.size()))) return;
    ObjectMeta meta{.key = key.substr(prefix_.size())};
    if (meta.key <= start_after) return;
    meta.size = std::strtoll(contents.TextOf("Size").c_str(), nullptr, 10);
    meta.etag = contents.TextOf("ETag");
    meta.modified = Seconds(ParseInstant(contents.TextOf("LastModified")).value_or(Instant{}));
    found->push_back(std::move(meta));
  }

  const std::shared_ptr<S3Client> client_;  // shared with writers, which may outlive the store
  const std::string prefix_;                // "" or ends with '/'
  const S3ObjectOptions options_;
};

}  // namespace

std::unique_ptr<ObjectStore> NewS3Store(std::shared_ptr<S3Client> client, std::string prefix, S3ObjectOptions options) {
  return std::make_unique<S3Store>(std::move(client), std::move(prefix), std::move(options));
}

}  // namespace sluice::store
