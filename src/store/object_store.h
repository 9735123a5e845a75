#pragma once
// Where bytes live. One small interface, so that a faulty fake proves crash safety. Keys are '/'-separated, relative to the
// store's root, never start with '/' and never contain "." or ".." parts. All methods are thread-safe.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace sluice::store {

struct ObjectMeta {
  std::string key;
  int64_t size = 0;
  std::string etag;  // changes whenever the contents change
  Instant modified;
  bool operator==(const ObjectMeta&) const = default;
};

enum class PutOutcome {
  kWritten,
  kExists,   // the precondition failed: nothing was written
  kUnknown,  // the answer was lost: it was written, or was not, or will be yet
};

// An object being written. Nothing is visible under its key before Close() returned ok; destroying it without Close discards it.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  virtual Status Write(std::string_view bytes) = 0;
  virtual Status Close() = 0;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Objects whose key starts with `prefix` and is > start_after, sorted by key (bytewise), all levels below. A prefix without
  // objects gives an empty list. Half-written objects are never listed.
  virtual Result<std::vector<ObjectMeta>> List(std::string_view prefix, std::string_view start_after = "") = 0;
  // Error kind kNotFound, code "no-such-object", where the key does not exist.
  virtual Result<ObjectMeta> Head(std::string_view key) = 0;
  virtual Result<std::string> Get(std::string_view key) = 0;
  // Bytes [offset, offset+length), shorter at the end of the object. A negative offset counts from the end.
  virtual Result<std::string> GetRange(std::string_view key, int64_t offset, int64_t length) = 0;
  // The same into the caller's memory, from an offset that is not negative. Returns how many bytes there were.
  virtual Result<size_t> ReadRange(std::string_view key, int64_t offset, std::span<char> out);
  // What one request of an object that is read through should ask for: each has its price.
  virtual int64_t range_bytes() const { return 4 << 20; }

  // Atomic: a reader sees the whole object or none.
  virtual Status Put(std::string_view key, std::string_view bytes) = 0;
  virtual Result<PutOutcome> PutIfAbsent(std::string_view key, std::string_view bytes) = 0;
  virtual Result<PutOutcome> PutIfMatch(std::string_view key, std::string_view bytes, std::string_view etag) = 0;
  virtual Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key) = 0;
  virtual Status Delete(std::string_view key) = 0;  // deleting an absent key is ok

  // What DuckDB and people call this object: an absolute path, or s3://bucket/key.
  virtual std::string Uri(std::string_view key) const = 0;
};

// A store rooted at a folder of this machine (made if missing). Puts write a temporary file beside the target, fsync it where
// `durable`, then link(2) it (put-if-absent) or rename(2) it. Streamed objects are on the disk before the next put returns.
Result<std::unique_ptr<ObjectStore>> OpenLocalStore(const std::string& root, bool durable = true);
std::unique_ptr<ObjectStore> NewMemoryStore(Clock& clock);
// Opens what `location` names: a path, or s3://bucket/prefix. Error "unsupported-store" for all else.
Result<std::unique_ptr<ObjectStore>> OpenStore(const std::string& location);

}  // namespace sluice::store
