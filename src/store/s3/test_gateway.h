#pragma once
// A real S3 server for tests: versitygw on a folder of its own (of a file system with user attributes, where it keeps etags), ended
// with the value. scripts/setup test builds it.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "net/http.h"
#include "net/test_server.h"
#include "store/remote.h"

namespace sluice::store {

class TestGateway {
 public:
  static constexpr const char* kKey = "AKIATESTGATEWAY";
  static constexpr const char* kSecret = "test/gateway+secret";

  static bool Installed() { return ::access(SLUICE_VERSITYGW, X_OK) == 0; }

  // Over `folder`, which gets the bucket "lake".
  explicit TestGateway(const std::string& folder) {
    std::filesystem::create_directories(folder + "/data/lake");
    {
      port_ = std::stoi(net::TestServer([](const auto&) { return net::ServedAnswer{}; }).host().substr(10));
    }
    const std::string address = "127.0.0.1:" + std::to_string(port_);
    std::vector<std::string> words = {SLUICE_VERSITYGW, "--access", kKey,        "--secret", kSecret, "--port",
                                      address,          "--region", "us-east-1", "--quiet",  "posix", folder + "/data"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, (folder + "/log").c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (::posix_spawn(&process_, SLUICE_VERSITYGW, &files, nullptr, arguments.data(), environ) != 0) std::abort();
    posix_spawn_file_actions_destroy(&files);
    const auto http = net::NewHttpClient({});
    while (!http->Send({.url = endpoint() + "/"})) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ~TestGateway() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  StoreOptions Options() const {
    StoreOptions options{.endpoint = endpoint()};
    options.identity.access_key_id = kKey;
    options.identity.secret_access_key = Secret(kSecret);
    options.identity.region = "us-east-1";
    return options;
  }

 private:
  int port_ = 0;
  pid_t process_ = -1;
};

}  // namespace sluice::store
