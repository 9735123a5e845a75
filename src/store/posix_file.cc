#include "store/posix_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/clock.h"
#include "core/text.h"

namespace sluice::store {
namespace {

constexpr std::string_view kTemporaryPrefix = ".sluice-tmp-";
constexpr mode_t kFileMode = 0666, kFolderMode = 0777;  // narrowed by the umask

int OpenRetrying(const char* path, int flags, mode_t mode = 0) {
  int fd;
  do fd = ::open(path, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

Status SyncFolder(const std::string& folder) {
  FileDescriptor fd(OpenRetrying(folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (!fd.open()) return Fail(FileError(errno, "open folder", folder));
  // Some file systems cannot sync a folder and say EINVAL; they keep names in their own journal.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return Fail(FileError(errno, "sync folder", folder));
  return Ok();
}

std::string TemporaryName() {
  static std::atomic<uint64_t> counter{0};
  return fmt::format("{}{}-{}-{:x}", kTemporaryPrefix, ::getpid(), counter.fetch_add(1), SystemRandom().Next());
}

}  // namespace

Error FileError(int error_number, std::string_view doing, const std::string& path) {
  const std::string message = fmt::format("cannot {} {}: {}", doing, path, std::strerror(error_number));
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return RetryableError("disk-full", message).Hint("free some space on this disk, then run again: nothing half-written is visible");
    case EACCES:
    case EPERM:
    case EROFS:
      return UserError("permission-denied", message).Hint("check the owner and the mode of this path for the user that runs sluice");
    case ENOENT:
      return NotFoundError("no-such-object", message);
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ENAMETOOLONG:
    case ELOOP:
      return UserError("bad-path", message);
    case EMFILE:
    case ENFILE:
      return RetryableError("too-many-open-files", message).Hint("raise the limit with ulimit -n");
    default:
      return RetryableError("io-error", message);
  }
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.Release();
  }
  return *this;
}

int FileDescriptor::Release() { return std::exchange(fd_, -1); }

void FileDescriptor::Reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

TemporaryFile::TemporaryFile(FileDescriptor fd, std::string folder, std::string path, bool durable)
    : fd_(std::move(fd)), folder_(std::move(folder)), path_(std::move(path)), durable_(durable) {}

TemporaryFile::~TemporaryFile() { Discard(); }

void TemporaryFile::Discard() {
  if (!path_.empty() && fd_.open()) ::unlink(path_.c_str());
  path_.clear();
}

Result<TemporaryFile> TemporaryFile::Create(const std::string& folder, bool durable) {
  std::string path = folder + "/" + TemporaryName();
  int fd = OpenRetrying(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, kFileMode);
  if (fd < 0 && errno == ENOENT) {
    SLUICE_CHECK(MakeFolders(folder, durable));
    fd = OpenRetrying(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, kFileMode);
  }
  if (fd < 0) return Fail(FileError(errno, "write into", folder));
  return TemporaryFile(FileDescriptor(fd), folder, std::move(path), durable);
}

Status TemporaryFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(FileError(errno, "write into", folder_));
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return Ok();
}

Status TemporaryFile::Finish() {
  // The kernel stamps files with a clock of some milliseconds; an etag needs to tell two writes apart.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const timespec times[2] = {now, now};
  if (::futimens(fd_.get(), times) != 0) return Fail(FileError(errno, "stamp a file in", folder_));
  if (durable_ && ::fsync(fd_.get()) != 0) return Fail(FileError(errno, "sync a file in", folder_));
  return Ok();
}

Result<bool> TemporaryFile::Link(const std::string& path) {
  if (::link(path_.c_str(), path.c_str()) == 0) {
    Discard();
  } else if (errno == EEXIST) {
    return false;
  } else if (errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK) {  // a file system without hard links
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
      if (errno == EEXIST) return false;
      return Fail(FileError(errno, "name", path));
    }
    path_.clear();
  } else {
    return Fail(FileError(errno, "name", path));
  }
  if (durable_) SLUICE_CHECK(SyncFolder(folder_));
  return true;
}

Status TemporaryFile::Rename(const std::string& path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) return Fail(FileError(errno, "name", path));
  path_.clear();
  return durable_ ? SyncFolder(folder_) : Ok();
}

bool IsTemporaryName(std::string_view file_name) { return file_name.starts_with(kTemporaryPrefix); }

Status MakeFolders(const std::string& folder, bool durable) {
  if (::mkdir(folder.c_str(), kFolderMode) == 0) {
    const size_t slash = folder.rfind('/');
    return durable && slash != std::string::npos && slash > 0 ? SyncFolder(folder.substr(0, slash)) : Ok();
  }
  if (errno == EEXIST) {
    struct stat info{};
    if (::stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return Ok();
    return Fail(FileError(ENOTDIR, "make folder", folder));
  }
  const size_t slash = folder.rfind('/');
  if (errno != ENOENT || slash == std::string::npos || slash == 0) return Fail(FileError(errno, "make folder", folder));
  SLUICE_CHECK(MakeFolders(folder.substr(0, slash), durable));
  if (::mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) return Fail(FileError(errno, "make folder", folder));
  return durable ? SyncFolder(folder.substr(0, slash)) : Ok();
}

Result<std::string> ReadFile(const std::string& path) {
  FileDescriptor fd(OpenRetrying(path.c_str(), O_RDONLY));
  if (!fd.open()) return Fail(FileError(errno, "read", path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return Fail(FileError(errno, "read", path));
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t filled = 0;
  while (true) {  // a file may grow while it is read (or say size 0, as in /proc): the end decides
    if (filled == bytes.size()) bytes.resize(filled + 4096);
    const ssize_t n = ::read(fd.get(), bytes.data() + filled, bytes.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(FileError(errno, "read", path));
    if (n == 0) break;
    filled += static_cast<size_t>(n);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace sluice::store
