#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "store/keys.h"
#include "store/object_store.h"
#include "store/posix_file.h"

namespace sluice::store {
namespace {

constexpr size_t kWriteBuffer = 1 << 20;

Error NoSuchObject(const std::string& path) { return NotFoundError("no-such-object", fmt::format("{} does not exist", path)); }

// An object's key may run through what is a plain file, or name a folder: in both cases there is no such object.
Error ReadError(int error_number, const std::string& path) {
  if (error_number == ENOENT || error_number == ENOTDIR || error_number == EISDIR) return NoSuchObject(path);
  return FileError(error_number, "read", path);
}

ObjectMeta MetaOf(std::string key, const struct stat& info) {
  const int64_t nanos = info.st_mtim.tv_nsec, seconds = info.st_mtim.tv_sec;
  return {.key = std::move(key),
          .size = info.st_size,
          .etag = fmt::format("{:x}.{:x}-{:x}-{:x}", seconds, nanos, static_cast<uint64_t>(info.st_size), info.st_ino),
          .modified = Instant{seconds * 1'000'000 + nanos / 1000}};
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Streamed objects that are not known to be on the disk yet. They get there together, before the next put returns: a record or
// commit never names bytes that a power cut can take.
class Unsynced {
 public:
  void Add(std::string path) {
    std::lock_guard lock(mutex_);
    paths_.push_back(std::move(path));
  }

  // Holds the lock until all are down: who comes meanwhile may name files of this very sync.
  Status Sync(const std::string& root) {
    std::lock_guard lock(mutex_);
    if (paths_.empty()) return Ok();
    if (paths_.size() > kOneByOne) {
      FileDescriptor folder(::open(root.empty() ? "/" : root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!folder.open() || ::syncfs(folder.get()) != 0) return Fail(FileError(errno, "sync", root));
    } else {
      for (const std::string& path : paths_)
        for (const std::string& part : {path, FolderOf(path)}) SLUICE_CHECK(SyncOne(part));
    }
    paths_.clear();
    return Ok();
  }

 private:
  static constexpr size_t kOneByOne = 8;  // beyond, one sync of the file system costs less

  static Status SyncOne(const std::string& path) {
    FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.open()) return errno == ENOENT ? Ok() : Fail(FileError(errno, "sync", path));  // deleted since
    return ::fsync(fd.get()) == 0 ? Ok() : Fail(FileError(errno, "sync", path));
  }

  std::mutex mutex_;
  std::vector<std::string> paths_;
};

class LocalWriter : public ObjectWriter {
 public:
  // `unsynced`: null where nothing needs to be durable. Shared: a writer may outlive its store.
  LocalWriter(TemporaryFile file, std::string path, std::shared_ptr<Unsynced> unsynced)
      : file_(std::move(file)), path_(std::move(path)), unsynced_(std::move(unsynced)) {}

  Status Write(std::string_view bytes) override {
    if (failed_) return Fail(*failed_);
    if (closed_) return Fail(BugError("write to a closed object " + path_));
    if (buffer_.size() + bytes.size() < kWriteBuffer) {
      buffer_.append(bytes);
      return Ok();
    }
    return Remember(Flush(bytes));
  }

  Status Close() override {
    if (failed_) return Fail(*failed_);
    if (std::exchange(closed_, true)) return Fail(BugError("object closed twice: " + path_));
    return Remember(Publish());
  }

 private:
  Status Flush(std::string_view then) {
    SLUICE_CHECK(file_.Write(buffer_));
    buffer_.clear();
    return file_.Write(then);
  }
  Status Publish() {
    SLUICE_CHECK(Flush(""));
    SLUICE_CHECK(file_.Finish());
    SLUICE_CHECK(file_.Rename(path_));
    if (unsynced_) unsynced_->Add(path_);
    return Ok();
  }
  // After one failure there may be a gap in the bytes: the object can never be published.
  Status Remember(Status status) {
    if (!status) failed_ = status.error();
    return status;
  }

  TemporaryFile file_;
  std::string path_, buffer_;
  std::shared_ptr<Unsynced> unsynced_;
  std::optional<Error> failed_;
  bool closed_ = false;
};

// Walks a folder tree and collects the objects that start with a prefix and come after a key.
class Lister {
 public:
  Lister(std::string root, std::string_view prefix, std::string_view start_after)
      : root_(std::move(root)), prefix_(prefix), start_after_(start_after) {}

  Result<std::vector<ObjectMeta>> Run() && {
    const size_t slash = prefix_.rfind('/');
    SLUICE_CHECK(Walk(slash == std::string::npos ? "" : prefix_.substr(0, slash + 1)));
    std::sort(found_.begin(), found_.end(), [](const ObjectMeta& a, const ObjectMeta& b) { return a.key < b.key; });
    return std::move(found_);
  }

 private:
  // `folder` is "" or ends with '/'.
  Status Walk(const std::string& folder) {
    const std::string path = root_ + "/" + folder;
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) {
      // Gone meanwhile, or never there, or an object of that name: no objects below it.
      if (errno == ENOENT || errno == ENOTDIR) return Ok();
      return Fail(FileError(errno, "list", path));
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> closer(dir, ::closedir);
    struct stat self{};
    if (::fstat(::dirfd(dir), &self) != 0) return Fail(FileError(errno, "list", path));
    ancestors_.emplace_back(self.st_dev, self.st_ino);
    std::vector<std::string> folders;
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      SLUICE_CHECK(Take(::dirfd(dir), folder, *entry, folders));
      errno = 0;
    }
    if (errno != 0) return Fail(FileError(errno, "list", path));
    for (const std::string& below : folders) SLUICE_CHECK(Walk(below));
    ancestors_.pop_back();
    return Ok();
  }

  Status Take(int dir, const std::string& folder, const dirent& entry, std::vector<std::string>& folders) {
    const std::string_view name = entry.d_name;
    if (name == "." || name == ".." || IsTemporaryName(name)) return Ok();
    std::string key = folder + std::string(name);
    if (entry.d_type == DT_DIR) {
      if (MayHold(key + "/")) folders.push_back(key + "/");
      return Ok();
    }
    const bool wanted = key.starts_with(prefix_) && key > start_after_;
    if (entry.d_type == DT_REG && !wanted) return Ok();
    struct stat info{};
    if (::fstatat(dir, entry.d_name, &info, 0) != 0) {
      if (errno == ENOENT || errno == ELOOP) return Ok();  // deleted since the listing, or a link to nowhere
      return Fail(FileError(errno, "list", root_ + "/" + key));
    }
    if (S_ISDIR(info.st_mode)) {
      if (MayHold(key + "/") && !IsOwnAncestor(info)) folders.push_back(key + "/");
    } else if (S_ISREG(info.st_mode) && wanted) {
      found_.push_back(MetaOf(std::move(key), info));
    }
    return Ok();
  }

  // May a key that starts with `folder` be wanted?
  bool MayHold(std::string_view folder) const {
    const size_t common = std::min(folder.size(), prefix_.size());
    if (folder.substr(0, common) != std::string_view(prefix_).substr(0, common)) return false;
    return folder > start_after_ || std::string_view(start_after_).starts_with(folder);
  }

  // Does a linked folder lead back to one that we are in?
  bool IsOwnAncestor(const struct stat& folder) const {
    return std::find(ancestors_.begin(), ancestors_.end(), std::pair(folder.st_dev, folder.st_ino)) != ancestors_.end();
  }

  std::string root_, prefix_, start_after_;
  std::vector<ObjectMeta> found_;
  std::vector<std::pair<dev_t, ino_t>> ancestors_;  // the folders that the walk is in
};

class LocalStore : public ObjectStore {
 public:
  LocalStore(std::string root, bool durable) : root_(std::move(root)), durable_(durable) {}

  Result<std::vector<ObjectMeta>> List(std::string_view prefix, std::string_view start_after) override {
    return Lister(root_, prefix, start_after).Run();
  }

  Result<ObjectMeta> Head(std::string_view key) override {
    SLUICE_TRY(const std::string path, PathOf(key));
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return Fail(ReadError(errno, path));
    if (!S_ISREG(info.st_mode)) return Fail(NoSuchObject(path));
    return MetaOf(std::string(key), info);
  }

  Result<std::string> Get(std::string_view key) override {
    SLUICE_TRY(const std::string path, PathOf(key));
    auto bytes = ReadFile(path);
    if (!bytes && bytes.error().code == "bad-path") return Fail(NoSuchObject(path));
    return bytes;
  }

  Result<std::string> GetRange(std::string_view key, int64_t offset, int64_t length) override {
    SLUICE_TRY(const std::string path, PathOf(key));
    SLUICE_TRY(const OpenedFile file, Open(path));
    const int64_t start = offset < 0 ? std::max<int64_t>(0, file.size + offset) : offset;
    const int64_t wanted = std::clamp<int64_t>(file.size - start, 0, std::max<int64_t>(0, length));
    std::string bytes(static_cast<size_t>(wanted), '\0');
    SLUICE_TRY(const size_t filled, Fill(file, path, start, bytes));
    bytes.resize(filled);
    return bytes;
  }

  Result<size_t> ReadRange(std::string_view key, int64_t offset, std::span<char> out) override {
    SLUICE_TRY(const std::string path, PathOf(key));
    SLUICE_TRY(const OpenedFile file, Open(path));
    return Fill(file, path, offset, out);
  }
  int64_t range_bytes() const override { return 64 << 10; }

  Status Put(std::string_view key, std::string_view bytes) override {
    SLUICE_TRY(const std::string path, PathOf(key));
    SLUICE_TRY(TemporaryFile file, Stage(path, bytes));
    return file.Rename(path);
  }

  Result<PutOutcome> PutIfAbsent(std::string_view key, std::string_view bytes) override {
    SLUICE_TRY(const std::string path, PathOf(key));
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0) return PutOutcome::kExists;
    SLUICE_TRY(TemporaryFile file, Stage(path, bytes));
    SLUICE_TRY(const bool named, file.Link(path));
    return named ? PutOutcome::kWritten : PutOutcome::kExists;
  }

  // Writers of one key take turns on a lock of the object itself; who waited sees by its etag that it was replaced.
  Result<PutOutcome> PutIfMatch(std::string_view key, std::string_view bytes, std::string_view etag) override {
    SLUICE_TRY(const std::string path, PathOf(key));
    FileDescriptor lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!lock.open()) return errno == ENOENT || errno == ENOTDIR ? Result<PutOutcome>(PutOutcome::kExists) : Fail(ReadError(errno, path));
    while (::flock(lock.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return Fail(FileError(errno, "lock", path));
    }
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0 || MetaOf(std::string(key), info).etag != etag) return PutOutcome::kExists;
    SLUICE_TRY(TemporaryFile file, Stage(path, bytes));
    SLUICE_CHECK(file.Rename(path));
    return PutOutcome::kWritten;
  }

  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key) override {
    SLUICE_TRY(std::string path, PathOf(key));
    SLUICE_TRY(TemporaryFile file, TemporaryFile::Create(FolderOf(path), false));
    return std::make_unique<LocalWriter>(std::move(file), std::move(path), durable_ ? unsynced_ : nullptr);
  }

  Status Delete(std::string_view key) override {
    SLUICE_TRY(const std::string path, PathOf(key));
    if (::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return Ok();
    return Fail(FileError(errno, "delete", path));
  }

  std::string Uri(std::string_view key) const override { return root_ + "/" + std::string(key); }

 private:
  struct OpenedFile {
    FileDescriptor fd;
    int64_t size;
  };
  static Result<OpenedFile> Open(const std::string& path) {
    OpenedFile file{FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), 0};
    struct stat info{};
    if (!file.fd.open() || ::fstat(file.fd.get(), &info) != 0) return Fail(ReadError(errno, path));
    if (S_ISDIR(info.st_mode)) return Fail(NoSuchObject(path));
    file.size = info.st_size;
    return file;
  }
  // Returns how many bytes there were.
  static Result<size_t> Fill(const OpenedFile& file, const std::string& path, int64_t start, std::span<char> out) {
    size_t filled = 0;
    while (filled < out.size()) {
      const ssize_t n = ::pread(file.fd.get(), out.data() + filled, out.size() - filled, start + static_cast<int64_t>(filled));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Fail(FileError(errno, "read", path));
      if (n == 0) break;
      filled += static_cast<size_t>(n);
    }
    return filled;
  }

  Result<std::string> PathOf(std::string_view key) const {
    SLUICE_CHECK(CheckKey(key));
    return Uri(key);
  }

  Result<TemporaryFile> Stage(const std::string& path, std::string_view bytes) const {
    SLUICE_CHECK(unsynced_->Sync(root_));
    SLUICE_TRY(TemporaryFile file, TemporaryFile::Create(FolderOf(path), durable_));
    SLUICE_CHECK(file.Write(bytes));
    SLUICE_CHECK(file.Finish());
    return file;
  }

  std::string root_;
  bool durable_;
  std::shared_ptr<Unsynced> unsynced_ = std::make_shared<Unsynced>();
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> OpenLocalStore(const std::string& root, bool durable) {
  if (root.empty()) return Fail(UserError("bad-path", "a store needs a folder, the path is empty"));
  std::error_code error;
  std::string path = std::filesystem::absolute(root, error).lexically_normal().string();
  if (error) return Fail(FileError(error.value(), "resolve", root));
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  SLUICE_CHECK(MakeFolders(path, durable));
  return std::make_unique<LocalStore>(path == "/" ? "" : path, durable);
}

}  // namespace sluice::store
