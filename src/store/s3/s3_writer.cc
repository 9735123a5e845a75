#include "store/s3/s3_writer.h"

#include <fmt/format.h>

#include <deque>
#include <future>
#include <optional>
#include <vector>

#include "net/xml.h"

namespace sluice::store {
namespace {

constexpr size_t kPartBytes = 8 << 20;  // S3 takes no part but the last under 5 MiB
constexpr size_t kPartsOfASize = 1000;  // and no more than 10,000: then they double
constexpr size_t kMostUnderWay = 2;

// The bytes of an answer, checked for being none but an error: S3 may begin an answer with 200 and end it so.
Result<net::XmlElement> GoodAnswer(const net::HttpResponse& response, std::string_view root) {
  SLUICE_TRY(net::XmlElement answer, net::ParseXml(response.body));
  if (answer.name == root) return answer;
  return Fail(RetryableError("store-failed", fmt::format("{}: {}", answer.TextOf("Code"), answer.TextOf("Message"))));
}

class S3Writer : public ObjectWriter {
 public:
  S3Writer(std::shared_ptr<S3Client> client, std::string key, net::Headers headers)
      : client_(std::move(client)), key_(std::move(key)), headers_(std::move(headers)) {}
  ~S3Writer() override {
    while (!under_way_.empty()) (void)Await();
    if (!upload_id_.empty() && !completed_)
      (void)client_->Send({.action = "s3:AbortMultipartUpload", .method = "DELETE", .key = key_, .query = {{"uploadId", upload_id_}}});
  }

  Status Write(std::string_view bytes) override {
    if (failed_) return Fail(*failed_);
    if (closed_) return Fail(BugError("write to a closed object " + key_));
    return Remember(Take(bytes));
  }

  Status Close() override {
    if (failed_) return Fail(*failed_);
    if (std::exchange(closed_, true)) return Fail(BugError("object closed twice: " + key_));
    return Remember(upload_id_.empty() ? PutWhole() : Complete());
  }

 private:
  Status Take(std::string_view bytes) {
    size_ += static_cast<int64_t>(bytes.size());
    while (!bytes.empty()) {
      const size_t part = kPartBytes << std::min<size_t>(etags_.size() / kPartsOfASize, 6);
      const size_t n = std::min(bytes.size(), part - buffer_.size());
      buffer_.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      if (buffer_.size() == part) SLUICE_CHECK(SendPart());
    }
    return Ok();
  }

  Status PutWhole() {
    S3Call call{.action = "s3:PutObject", .method = "PUT", .key = key_, .headers = headers_, .body = buffer_};
    SLUICE_TRY(const net::HttpResponse response, client_->Send(call));
    return response.ok() ? Ok() : Fail(client_->NoSuchObject(call, response));
  }

  Status Begin() {
    S3Call call{.action = "s3:PutObject", .method = "POST", .key = key_, .query = {{"uploads", ""}}, .headers = headers_};
    SLUICE_TRY(const net::HttpResponse response, client_->Send(call));
    if (!response.ok()) return Fail(client_->NoSuchObject(call, response));
    SLUICE_TRY(const net::XmlElement answer, GoodAnswer(response, "InitiateMultipartUploadResult"));
    upload_id_ = answer.TextOf("UploadId");
    if (upload_id_.empty()) return Fail(RetryableError("bad-answer", "the store began an upload without a name"));
    return Ok();
  }

  Status SendPart() {
    if (upload_id_.empty()) SLUICE_CHECK(Begin());
    if (under_way_.size() >= kMostUnderWay) SLUICE_CHECK(Await());
    etags_.emplace_back();
    under_way_.push_back(std::async(
        std::launch::async,
        [client = client_, key = key_, id = upload_id_, number = etags_.size(), bytes = std::move(buffer_)]() -> Result<std::string> {
          S3Call call{.action = "s3:PutObject", .method = "PUT", .key = key, .body = bytes};
          call.query = {{"partNumber", std::to_string(number)}, {"uploadId", id}};
          SLUICE_TRY(const net::HttpResponse response, client->Send(call));
          const std::string* etag = response.Header("ETag");
          if (response.ok() && etag != nullptr) return *etag;
          return Fail(RetryableError("store-failed", fmt::format("part {} of {} was not taken", number, client->UriOf(key))));
        }));
    buffer_ = {};
    return Ok();
  }

  // The oldest part that is under way.
  Status Await() {
    Result<std::string> etag = under_way_.front().get();
    under_way_.pop_front();
    if (!etag) return Fail(std::move(etag).error());
    etags_[arrived_++] = *std::move(etag);
    return Ok();
  }

  Status Complete() {
    if (!buffer_.empty()) SLUICE_CHECK(SendPart());
    while (!under_way_.empty()) SLUICE_CHECK(Await());
    std::string body = "<CompleteMultipartUpload>";
    for (size_t i = 0; i < etags_.size(); ++i)
      body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags_[i]);
    body += "</CompleteMultipartUpload>";
    const S3Call call{
        .action = "s3:PutObject", .method = "POST", .key = key_, .query = {{"uploadId", upload_id_}}, .headers = {}, .body = body};
    SLUICE_TRY(const net::HttpResponse response, client_->Send(call));
    if (response.ok()) {
      SLUICE_CHECK(GoodAnswer(response, "CompleteMultipartUploadResult"));
    } else {
      SLUICE_CHECK(WasCompleted());
    }
    completed_ = true;
    return Ok();
  }

  // The upload is not there any more: an earlier try whose answer was lost has completed it, if the object is what we wrote.
  Status WasCompleted() {
    const S3Call call{.action = "s3:GetObject", .method = "HEAD", .key = key_};
    SLUICE_TRY(const net::HttpResponse response, client_->Send(call));
    const std::string* size = response.Header("Content-Length");
    const std::string* etag = response.Header("ETag");
    if (response.ok() && size != nullptr && *size == std::to_string(size_) && etag != nullptr &&
        etag->find(fmt::format("-{}", etags_.size())) != std::string::npos)
      return Ok();
    return Fail(RetryableError("store-failed", fmt::format("the upload of {} is gone", client_->UriOf(key_))));
  }

  // After one failure there may be a gap in the bytes: the object can never be published.
  Status Remember(Status status) {
    if (!status) failed_ = status.error();
    return status;
  }

  const std::shared_ptr<S3Client> client_;
  const std::string key_;
  const net::Headers headers_;
  std::string buffer_, upload_id_;
  int64_t size_ = 0;
  std::vector<std::string> etags_;  // of the parts sent; "" while under way
  size_t arrived_ = 0;
  std::deque<std::future<Result<std::string>>> under_way_;
  std::optional<Error> failed_;
  bool closed_ = false, completed_ = false;
};

}  // namespace

std::unique_ptr<ObjectWriter> NewS3Writer(std::shared_ptr<S3Client> client, std::string key, net::Headers headers) {
  return std::make_unique<S3Writer>(std::move(client), std::move(key), std::move(headers));
}

}  // namespace sluice::store
