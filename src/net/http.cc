#include "net/http.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <mutex>

#include "core/text.h"
#include "net/shared_library.h"

#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
// Plain names again: every function of libcurl is called through the table below.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace sluice::net {
namespace {

constexpr size_t kMostIdle = 32;                // handles kept, each with its connections
constexpr size_t kMostErrorBody = 256UL << 10;  // of an answer that is an error, where a sink takes the others
constexpr long kSendBuffer = 512L << 10;

// ---- The library

struct Curl {
  decltype(::curl_global_init)* global_init = nullptr;
  decltype(::curl_easy_init)* easy_init = nullptr;
  decltype(::curl_easy_setopt)* setopt = nullptr;
  decltype(::curl_easy_perform)* perform = nullptr;
  decltype(::curl_easy_getinfo)* getinfo = nullptr;
  decltype(::curl_easy_reset)* reset = nullptr;
  decltype(::curl_easy_cleanup)* cleanup = nullptr;
  decltype(::curl_easy_strerror)* strerror = nullptr;
  decltype(::curl_slist_append)* slist_append = nullptr;
  decltype(::curl_slist_free_all)* slist_free_all = nullptr;
};

template <typename Function>
bool Take(const SharedLibrary& library, const char* name, Function*& function) {
  function = library.Find<Function>(name);
  return function != nullptr;
}

Result<Curl> LoadCurl() {
  SLUICE_TRY(const SharedLibrary library, SharedLibrary::Open("libcurl.so.4"));
  Curl curl;
  const bool whole = Take(library, "curl_global_init", curl.global_init) && Take(library, "curl_easy_init", curl.easy_init) &&
                     Take(library, "curl_easy_setopt", curl.setopt) && Take(library, "curl_easy_perform", curl.perform) &&
                     Take(library, "curl_easy_getinfo", curl.getinfo) && Take(library, "curl_easy_reset", curl.reset) &&
                     Take(library, "curl_easy_cleanup", curl.cleanup) && Take(library, "curl_easy_strerror", curl.strerror) &&
                     Take(library, "curl_slist_append", curl.slist_append) && Take(library, "curl_slist_free_all", curl.slist_free_all);
  if (!whole || curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return Fail(NotFoundError("missing-library", "libcurl.so.4 cannot be used").Hint("install libcurl 7.85 or later"));
  return curl;
}

const Result<Curl>& LoadedCurl() {
  static const Result<Curl> curl = LoadCurl();
  return curl;
}

// Where systems keep the certificates that they trust; "" leaves it to libcurl.
std::string SystemCaFile() {
  for (const char* path : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"})
    if (::access(path, R_OK) == 0) return path;
  return "";
}

// ---- One request under way

struct Transfer {
  const HttpRequest& request;
  const std::atomic<bool>* cancelled = nullptr;
  HttpResponse response;
  size_t sent = 0;                 // of request.body
  bool body_began = false;         // is any of the body on its way?
  std::optional<Error> own_error;  // of the sink or the upload
  std::array<char, CURL_ERROR_SIZE> message{};
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line = Trim(std::string_view(data, size * count));
  if (line.starts_with("HTTP/")) {  // of the final answer, after any 100 Continue
    transfer.response.headers.clear();
    const size_t space = line.find(' ');
    transfer.response.status = space == std::string_view::npos ? 0 : std::atoi(line.data() + space + 1);
  } else if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
    transfer.response.headers.emplace_back(line.substr(0, colon), Trim(line.substr(colon + 1)));
  }
  return size * count;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view piece(data, size * count);
  if (!transfer.request.sink || !transfer.response.ok()) {
    if (!transfer.request.sink || transfer.response.body.size() < kMostErrorBody) transfer.response.body.append(piece);
    return piece.size();
  }
  if (Status taken = transfer.request.sink(piece); !taken) {
    transfer.own_error = std::move(taken).error();
    return CURL_WRITEFUNC_ERROR;
  }
  return piece.size();
}

size_t OnUpload(char* buffer, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.body_began = true;
  if (transfer.request.upload) {
    auto n = transfer.request.upload->read(buffer, size * count);
    if (n) return *n;
    transfer.own_error = std::move(n).error();
    return CURL_READFUNC_ABORT;
  }
  const std::string_view rest = transfer.request.body.substr(transfer.sent);
  const size_t n = rest.copy(buffer, size * count);
  transfer.sent += n;
  return n;
}

// libcurl wants to send the body again, because a connection that it had kept was dead.
int OnSeek(void* user, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.request.upload || !transfer.request.resend || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  transfer.sent = static_cast<size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* cancelled = static_cast<Transfer*>(user)->cancelled;
  return cancelled != nullptr && cancelled->load(std::memory_order_relaxed) ? 1 : 0;
}

// Is it certain that the peer saw nothing of the request?
bool NothingSent(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT ||
         code == CURLE_SSL_CONNECT_ERROR || code == CURLE_INTERFACE_FAILED;
}

bool IsVerification(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR ||
         code == CURLE_SSL_INVALIDCERTSTATUS || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH;
}

// The URL without what may be secret in it.
std::string WithoutQuery(const std::string& url) { return url.substr(0, url.find('?')); }

// ---- The client

class CurlClient : public HttpClient {
 public:
  explicit CurlClient(HttpOptions options) : options_(std::move(options)) {
    if (options_.ca_file.empty()) options_.ca_file = SystemCaFile();
  }
  ~CurlClient() override {
    for (CURL* handle : idle_) LoadedCurl()->cleanup(handle);
  }

  Result<HttpResponse> Send(const HttpRequest& request) override {
    SLUICE_TRY(const Curl curl, LoadedCurl());
    if (options_.cancelled != nullptr && options_.cancelled->load(std::memory_order_relaxed)) return Fail(CancelledError());
    CURL* handle = TakeHandle(curl);
    if (handle == nullptr) return Fail(RetryableError("connect-failed", "out of memory"));
    Transfer transfer{request, options_.cancelled};
    curl_slist* headers = HeadersOf(curl, request);
    Prepare(curl, handle, headers, &transfer);
    const CURLcode code = curl.perform(handle);
    long sent_bytes = 0, connect_ended = 0;
    curl_off_t connected = 0;
    curl.getinfo(handle, CURLINFO_REQUEST_SIZE, &sent_bytes);
    curl.getinfo(handle, CURLINFO_PRETRANSFER_TIME_T, &connected);
    connect_ended = sent_bytes > 0 || transfer.body_began;
    curl.slist_free_all(headers);
    GiveBack(curl, handle);
    if (code == CURLE_OK) return std::move(transfer.response);
    return Fail(ErrorOf(curl, code, connect_ended != 0, transfer));
  }

 private:
  CURL* TakeHandle(const Curl& curl) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        CURL* handle = idle_.back();
        idle_.pop_back();
        return handle;
      }
    }
    return curl.easy_init();
  }

  void GiveBack(const Curl& curl, CURL* handle) {
    curl.reset(handle);  // keeps its connections
    {
      const std::lock_guard lock(mutex_);
      if (idle_.size() < kMostIdle) {
        idle_.push_back(handle);
        return;
      }
    }
    curl.cleanup(handle);
  }

  static curl_slist* HeadersOf(const Curl& curl, const HttpRequest& request) {
    curl_slist* list = nullptr;
    for (const auto& [name, value] : request.headers)
      list = curl.slist_append(list, value.empty() ? (name + ";").c_str() : fmt::format("{}: {}", name, value).c_str());
    // Names without a value take away headers that libcurl would add by itself.
    for (const char* own : {"Expect", "Content-Type", "Transfer-Encoding"})
      if (FindHeader(request.headers, own) == nullptr) list = curl.slist_append(list, fmt::format("{}:", own).c_str());
    return list;
  }

  void Prepare(const Curl& curl, CURL* handle, curl_slist* headers, Transfer* transfer) const {
    const HttpRequest& request = transfer->request;
    const auto set = [&](CURLoption option, auto value) { curl.setopt(handle, option, value); };
    set(CURLOPT_ERRORBUFFER, transfer->message.data());
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_USERAGENT, "sluice");
    set(CURLOPT_HTTPHEADER, headers);
    if (request.compressed) set(CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl knows
    if (!request.proxy) set(CURLOPT_NOPROXY, "*");
    if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_millis > 0 ? request.connect_millis : options_.connect_millis));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(std::max<int64_t>(1, options_.stall_millis / 1000)));
    if (request.total_millis > 0) set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_millis));
    set(CURLOPT_HEADERFUNCTION, OnHeader);
    set(CURLOPT_HEADERDATA, transfer);
    set(CURLOPT_WRITEFUNCTION, OnBody);
    set(CURLOPT_WRITEDATA, transfer);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, OnProgress);
    set(CURLOPT_XFERINFODATA, transfer);
    PrepareBody(curl, handle, transfer);
  }

  static void PrepareBody(const Curl& curl, CURL* handle, Transfer* transfer) {
    const HttpRequest& request = transfer->request;
    const auto set = [&](CURLoption option, auto value) { curl.setopt(handle, option, value); };
    if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.method == "PUT" || request.method == "POST" || !request.body.empty() || request.upload) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
      set(CURLOPT_INFILESIZE_LARGE,
          static_cast<curl_off_t>(request.upload ? request.upload->size : static_cast<int64_t>(request.body.size())));
      set(CURLOPT_UPLOAD_BUFFERSIZE, kSendBuffer);
      set(CURLOPT_READFUNCTION, OnUpload);
      set(CURLOPT_READDATA, transfer);
      set(CURLOPT_SEEKFUNCTION, OnSeek);
      set(CURLOPT_SEEKDATA, transfer);
    } else if (request.method != "GET") {
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }

  static Error ErrorOf(const Curl& curl, CURLcode code, bool sent, Transfer& transfer) {
    if (transfer.own_error) return std::move(*transfer.own_error);
    if (code == CURLE_ABORTED_BY_CALLBACK) return CancelledError();
    const std::string detail = transfer.message[0] != '\0' ? transfer.message.data() : curl.strerror(code);
    const std::string what = fmt::format("{} {}: {}", transfer.request.method, WithoutQuery(transfer.request.url), detail);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) return UserError("bad-url", what);
    if (IsVerification(code))
      return UserError("tls-failed", what).Hint("if its certificate is of an authority of your own, name that by ca_file or AWS_CA_BUNDLE");
    if (NothingSent(code) || (code == CURLE_OPERATION_TIMEDOUT && !sent))
      return RetryableError("connect-failed", what).Hint("is the address right, and does it let this machine in?");
    return RetryableError(code == CURLE_OPERATION_TIMEDOUT ? "timed-out" : "connection-lost", what);
  }

  HttpOptions options_;
  std::mutex mutex_;
  std::vector<CURL*> idle_;  // guarded by mutex_
};

}  // namespace

const std::string* FindHeader(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (EqualsIgnoreCase(key, name)) return &value;
  return nullptr;
}

std::unique_ptr<HttpClient> NewHttpClient(HttpOptions options) { return std::make_unique<CurlClient>(std::move(options)); }

}  // namespace sluice::net
