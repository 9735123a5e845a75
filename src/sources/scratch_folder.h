#pragma once
#include <string>

#include "core/result.h"

namespace sluice::sources {

// A folder on this machine that goes when it is let go of. What processes that were killed have left behind goes with the next one.
class ScratchFolder {
 public:
  // Below `scratch`, which is made; `kind` begins its name. Error kRetryable "scratch-failed".
  static Result<ScratchFolder> Make(const std::string& scratch, const std::string& kind);
  ScratchFolder() = default;
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&& other) noexcept;
  ~ScratchFolder();
  const std::string& path() const { return path_; }  // "": none was made

 private:
  ScratchFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_ = -1;
};

}  // namespace sluice::sources
