#include "sources/command/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>

#include "core/one_line.h"
#include "core/text.h"

namespace sluice::sources {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kKeptOfStderr = 2000;
constexpr int kGlanceMillis = 100;
constexpr auto kGrace = std::chrono::seconds(5);  // between the polite signal and the other one
constexpr auto kDrain = std::chrono::seconds(1);  // for what is still in the pipes when it has ended

// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

Error SystemError(const std::string& what) { return RetryableError("command-failed", what + ": " + std::strerror(errno)); }

struct Pipe {
  Descriptor read, write;
};
Result<Pipe> NewPipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Fail(SystemError("no pipe"));
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// Our environment with the program's own variables laid upon it.
std::vector<std::string> EnvironmentOf(const Program& program) {
  std::vector<std::string> all;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view one = *at;
    bool replaced = false;
    for (const auto& [name, value] : program.environment)
      replaced |= one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=';
    if (!replaced) all.emplace_back(one);
  }
  for (const auto& [name, value] : program.environment) {
    all.push_back(name);
    all.back().append("=").append(value);
  }
  return all;
}

// The end of a text, perhaps cut within a character, as UTF-8: what is none becomes '?'.
std::string Readable(std::string_view text) {
  while (!text.empty() && (static_cast<unsigned char>(text[0]) & 0xC0) == 0x80) text.remove_prefix(1);
  std::string out;
  while (!text.empty()) {
    size_t size = 1;
    while (size < 4 && size < text.size() && !IsValidUtf8(text.substr(0, size))) ++size;
    const bool valid = IsValidUtf8(text.substr(0, size));
    out += valid ? text.substr(0, size) : "?";
    text.remove_prefix(valid ? size : 1);
  }
  return out;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class Running {
 public:
  static Result<std::unique_ptr<Running>> Start(const Program& program, const std::string& output) {
    auto running = std::unique_ptr<Running>(new Running(program));
    running->file_ = Descriptor(::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!running->file_.open()) return Fail(SystemError(output));
    SLUICE_TRY(Pipe out, NewPipe());
    SLUICE_TRY(Pipe err, NewPipe());
    SLUICE_CHECK(running->Spawn(out.write.get(), err.write.get()));
    running->out_ = std::move(out.read);
    running->err_ = std::move(err.read);
    return running;
  }

  ~Running() {
    if (pid_ > 0 && !ended_) Kill();
  }
  Running(const Running&) = delete;

  Result<int64_t> Finish() {
    const auto deadline = Clock::now() + std::chrono::microseconds(program_.timeout_micros);
    std::optional<Clock::time_point> ended_at;
    while (out_.open() || err_.open()) {
      if (program_.cancel != nullptr && *program_.cancel) return Fail(CancelledError());
      if (program_.timeout_micros > 0 && Clock::now() > deadline)
        return Fail(
            RetryableError("command-timeout", fmt::format("{} is still at work after {} s", Name(), program_.timeout_micros / 1'000'000))
                .Hint("raise `timeout` of read, or have the program print less at a time"));
      // What it has left behind may hold its pipes open for long; all that it wrote itself is in them by now.
      if (!ended_at && HasEnded()) ended_at = Clock::now();
      std::array<pollfd, 2> waiting{pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0}};
      const int ready = ::poll(waiting.data(), waiting.size(), kGlanceMillis);
      if (ended_at && (ready == 0 || Clock::now() > *ended_at + kDrain)) break;
      if (ready <= 0) continue;
      if (waiting[0].revents != 0) SLUICE_CHECK(TakeOutput());
      if (waiting[1].revents != 0) TakeError();
    }
    SLUICE_CHECK(Await(deadline));
    return bytes_;
  }

 private:
  explicit Running(const Program& program) : program_(program) {}
  std::string Name() const { return program_.command[0]; }

  // It dies with us: however this process ends, no program is left that a next run would start a second time.
  Status Spawn(int out, int err) {
    std::vector<std::string> arguments = program_.command, environment = EnvironmentOf(program_);
    const std::vector<char*> argument_list = Pointers(arguments), variables = Pointers(environment);
    SLUICE_TRY(Pipe failure, NewPipe());
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) return Fail(SystemError("no process for " + Name()));
    if (pid_ == 0) Become(argument_list, variables, out, err, parent, failure.write.get());
    ::setpgid(pid_, pid_);  // a group of its own, to be ended as a whole; whoever comes first
    failure.write.Close();
    int failed = 0;
    ssize_t size = 0;
    while ((size = ::read(failure.read.get(), &failed, sizeof(failed))) < 0 && errno == EINTR) {
    }
    if (size == 0) return Ok();
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    return Fail(UserError("no-such-program", fmt::format("{} cannot be run: {}", Name(), std::strerror(failed)))
                    .Hint("write its path, relative to the project's folder, or have it in PATH and executable"));
  }

  // In the new process, where only what is safe in a signal handler may be called. Tells by `failure` why there is no program.
  [[noreturn]] void Become(const std::vector<char*>& arguments, const std::vector<char*>& variables, int out, int err, pid_t parent,
                           int failure) const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const int in = ::open("/dev/null", O_RDONLY);
    const bool ready = ::dup2(in, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0 && ::dup2(err, STDERR_FILENO) >= 0 &&
                       ::chdir(program_.folder.c_str()) == 0;
    if (ready) ::execvpe(arguments[0], arguments.data(), variables.data());
    const int failed = errno;
    (void)!::write(failure, &failed, sizeof(failed));
    ::_exit(127);
  }

  Status TakeOutput() {
    std::array<char, 65536> buffer;
    const ssize_t size = ::read(out_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) return Ok();
    if (size <= 0) {
      out_.Close();
      return Ok();
    }
    bytes_ += size;
    if (bytes_ > program_.max_output_bytes)
      return Fail(DataError("command-output", fmt::format("{} prints more than {}", Name(), FormatBytes(program_.max_output_bytes)))
                      .Hint("raise `max_output` of read, or have the program print less at a time"));
    for (ssize_t at = 0; at < size;) {
      const ssize_t written = ::write(file_.get(), buffer.data() + at, static_cast<size_t>(size - at));
      if (written < 0 && errno != EINTR) return Fail(SystemError("the output of " + Name()));
      at += std::max<ssize_t>(0, written);
    }
    return Ok();
  }

  void TakeError() {
    std::array<char, 4096> buffer;
    const ssize_t size = ::read(err_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) return err_.Close();
    said_.append(buffer.data(), static_cast<size_t>(size));
    if (said_.size() > kKeptOfStderr) said_.erase(0, said_.size() - kKeptOfStderr);
  }

  // It has closed its output; its code comes with its end.
  bool HasEnded() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  }

  Status Await(Clock::time_point deadline) {
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
      if (program_.cancel != nullptr && *program_.cancel) return Fail(CancelledError());
      if (program_.timeout_micros > 0 && Clock::now() > deadline)
        return Fail(RetryableError("command-timeout", Name() + " has closed its output and does not end"));
      ::usleep(1000);
    }
    ended_ = true;
    ::kill(-pid_, SIGKILL);  // whatever it left behind
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Ok();
    const std::string how =
        WIFEXITED(status) ? fmt::format("with code {}", WEXITSTATUS(status)) : fmt::format("by signal {}", WTERMSIG(status));
    const std::string said = OnOneLine(std::string(Trim(Readable(said_))));
    return Fail(RetryableError("command-failed", fmt::format("{} ended {}{}", Name(), how, said.empty() ? "" : ": " + said))
                    .Hint("nothing of what it printed is taken; run it by hand to see more"));
  }

  void Kill() {
    ::kill(-pid_, SIGTERM);
    const auto deadline = Clock::now() + kGrace;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0 && Clock::now() < deadline) ::usleep(5000);
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  const Program& program_;
  pid_t pid_ = -1;
  Descriptor file_, out_, err_;
  std::string said_;
  int64_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace

Result<int64_t> RunProgram(const Program& program, const std::string& output) {
  SLUICE_TRY(const auto running, Running::Start(program, output));
  return running->Finish();
}

}  // namespace sluice::sources
