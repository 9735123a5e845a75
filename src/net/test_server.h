#pragma once
// A real HTTP server on loopback, for tests: each request is answered by a function, which may also break the connection.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/text.h"

namespace sluice::net {

struct ServedRequest {
  std::string method, target, body;            // target: path and query, as received
  std::map<std::string, std::string> headers;  // lower-case names
};

struct ServedAnswer {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool drop = false;                     // closes the connection instead of answering
  bool hang = false;                     // keeps it open and says nothing until the server ends
  size_t cut_after = std::string::npos;  // closes it after so many bytes of the body
};

class TestServer {
 public:
  using Answer = std::function<ServedAnswer(const ServedRequest&)>;

  explicit TestServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0) std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Accept(); });
  }
  ~TestServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (auto& connection : connections_) connection.join();
    ::close(listener_);
  }

  std::string url() const { return "http://" + host(); }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<ServedRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  int connection_count() const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(open_.size());
  }

 private:
  void Accept() {
    while (!stopping_) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      connections_.emplace_back([this, fd] { Serve(fd); });
    }
  }

  void Serve(int fd) {
    std::string buffer;
    while (auto request = ReadRequest(fd, &buffer)) {
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(*request);
      }
      const ServedAnswer answer = answer_(*request);
      if (answer.drop) break;
      if (answer.hang) {
        char byte = 0;
        while (!stopping_ && ::recv(fd, &byte, 1, 0) > 0) {
        }
        break;
      }
      Say(fd, *request, answer);
      if (answer.cut_after != std::string::npos) break;
    }
    ::shutdown(fd, SHUT_RDWR);
  }

  static std::optional<ServedRequest> ReadRequest(int fd, std::string* buffer) {
    size_t end = 0;
    while ((end = buffer->find("\r\n\r\n")) == std::string::npos)
      if (!More(fd, buffer)) return std::nullopt;
    ServedRequest request;
    const std::vector<std::string> lines = Split(buffer->substr(0, end), '\n');
    const std::vector<std::string> first = Split(std::string(Trim(lines[0])), ' ');
    if (first.size() != 3) return std::nullopt;
    request.method = first[0];
    request.target = first[1];
    for (size_t i = 1; i < lines.size(); ++i) {
      const size_t colon = lines[i].find(':');
      request.headers[ToLower(lines[i].substr(0, colon))] = std::string(Trim(lines[i].substr(colon + 1)));
    }
    buffer->erase(0, end + 4);
    const size_t length = request.headers.contains("content-length") ? std::stoul(request.headers["content-length"]) : 0;
    while (buffer->size() < length)
      if (!More(fd, buffer)) return std::nullopt;
    request.body = buffer->substr(0, length);
    buffer->erase(0, length);
    return request;
  }

  static bool More(int fd, std::string* buffer) {
    char piece[65536];
    const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
    if (n > 0) buffer->append(piece, static_cast<size_t>(n));
    return n > 0;
  }

  static void Say(int fd, const ServedRequest& request, const ServedAnswer& answer) {
    std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " Said\r\n";
    for (const auto& [name, value] : answer.headers) text += name + ": " + value + "\r\n";
    const bool sized = std::any_of(answer.headers.begin(), answer.headers.end(),
                                   [](const auto& header) { return ToLower(header.first) == "content-length"; });
    if (!sized) text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    text += "\r\n";
    if (request.method != "HEAD") text += answer.body.substr(0, answer.cut_after);
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }

  Answer answer_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  mutable std::mutex mutex_;
  std::vector<int> open_;  // guarded by mutex_, as both below; a connection's number stays until the server ends
  std::vector<std::thread> connections_;
  std::vector<ServedRequest> requests_;
};

}  // namespace sluice::net
