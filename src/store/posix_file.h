#pragma once
// The few POSIX calls that a store on a local disk needs, with errors in the user's terms.
#include <string>
#include <string_view>

#include "core/result.h"

namespace sluice::store {

// An errno as an Error: "disk-full", "permission-denied", "no-such-object", "too-many-open-files", "io-error".
Error FileError(int error_number, std::string_view doing, const std::string& path);

// Owns a file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { Reset(); }
  bool open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release();
  void Reset();

 private:
  int fd_;
};

// A file that is being written under a temporary name. Unless published it is removed with the value.
class TemporaryFile {
 public:
  // Made in `folder`, which is made too where it is missing.
  static Result<TemporaryFile> Create(const std::string& folder, bool durable);
  TemporaryFile(TemporaryFile&&) = default;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile();

  Status Write(std::string_view bytes);
  // Ends the writing: contents are on the disk, where durable, and carry a time of change with nanoseconds.
  Status Finish();
  // Gives the finished file its name. Link: false if the name is taken. Rename: replaces what has the name.
  Result<bool> Link(const std::string& path);
  Status Rename(const std::string& path);

 private:
  TemporaryFile(FileDescriptor fd, std::string folder, std::string path, bool durable);
  void Discard();

  FileDescriptor fd_;
  std::string folder_, path_;  // path_ is empty once there is nothing left to remove
  bool durable_;
};

// Names that TemporaryFile uses; never listed.
bool IsTemporaryName(std::string_view file_name);

Status MakeFolders(const std::string& folder, bool durable);
Result<std::string> ReadFile(const std::string& path);

}  // namespace sluice::store
