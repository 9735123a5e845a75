#pragma once
// A zip archive in an object store, through minizip.
#include <minizip/unzip.h>

#include <memory>
#include <optional>
#include <string>

#include "core/result.h"
#include "formats/reader.h"
#include "store/object_store.h"

namespace sluice::formats {

// An object read at any place through a window of it, and what went wrong with that.
class ObjectWindow {
 public:
  ObjectWindow(store::ObjectStore& store, store::ObjectMeta meta) : store_(store), meta_(std::move(meta)) {}

  // Bytes put into `out`: fewer at the end of the object, 0 also after an error.
  size_t Read(char* out, size_t size);
  bool Seek(int64_t to);
  int64_t at() const { return at_; }
  int64_t size() const { return meta_.size; }
  const std::optional<Error>& error() const { return error_; }
  // Error "file-changed-while-read" where the object is another one by now.
  Status CheckUnchanged() const { return formats::CheckUnchanged(store_, meta_); }

 private:
  bool Load(int64_t offset);

  store::ObjectStore& store_;
  store::ObjectMeta meta_;
  std::string tail_, range_;  // the directory is at the end; anything else is read forwards
  int64_t tail_at_ = 0, range_at_ = 0, at_ = 0, next_size_ = 0;
  bool has_tail_ = false;
  std::optional<Error> error_;
};

// An open archive. Not thread-safe; neither copied nor moved.
class ZipFile {
 public:
  static Result<std::unique_ptr<ZipFile>> Open(store::ObjectStore& store, const store::ObjectMeta& object);
  ~ZipFile();
  ZipFile(const ZipFile&) = delete;
  ZipFile& operator=(const ZipFile&) = delete;

  unzFile raw() const { return file_; }
  ObjectWindow& window() { return window_; }
  const std::string& uri() const { return uri_; }
  bool empty() const { return empty_; }  // then there is no raw()
  // Bytes in front of the archive, as those that unpack themselves have: its places do not count them. 0 where its end does not say it.
  uint64_t prefix() const { return prefix_; }
  // What a failed call of minizip means: the store's error, else that the archive is corrupt in this way.
  Error ErrorOf(const std::string& why) const;

 private:
  ZipFile(store::ObjectStore& store, store::ObjectMeta meta, std::string uri) : window_(store, std::move(meta)), uri_(std::move(uri)) {}

  Status FindEnd();

  ObjectWindow window_;
  std::string uri_;
  unzFile file_ = nullptr;
  bool empty_ = false;
  uint64_t prefix_ = 0;
};

}  // namespace sluice::formats
