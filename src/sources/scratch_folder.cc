#include "sources/scratch_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace sluice::sources {
namespace {

namespace fs = std::filesystem;

// Held as long as the process lives; -1: another has it, or there is none.
int Lock(const std::string& path, int flags) {
  const int fd = ::open((path + "/lock").c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  ::close(fd);
  return -1;
}

void Sweep(const std::string& scratch, const std::string& prefix) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(scratch, ignored)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    const int lock = Lock(entry.path().string(), 0);
    if (lock < 0) continue;
    fs::remove_all(entry.path(), ignored);
    ::close(lock);
  }
}

Error Failed(const std::string& path, const std::string& why) { return RetryableError("scratch-failed", path + ": " + why); }

}  // namespace

Result<ScratchFolder> ScratchFolder::Make(const std::string& scratch, const std::string& kind) {
  std::error_code failed;
  fs::create_directories(scratch, failed);
  if (failed) return Fail(Failed(scratch, failed.message()));
  Sweep(scratch, kind + "-");
  std::string path = scratch + "/" + kind + "-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return Fail(Failed(path, std::strerror(errno)));
  ScratchFolder folder(path, Lock(path, O_CREAT));
  if (folder.lock_ < 0) return Fail(Failed(path, std::strerror(errno)));
  return folder;
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")), lock_(std::exchange(other.lock_, -1)) {}

ScratchFolder& ScratchFolder::operator=(ScratchFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace sluice::sources
