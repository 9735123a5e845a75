#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "store/keys.h"
#include "store/object_store.h"

namespace sluice::store {
namespace {

class MemoryStore : public ObjectStore {
 public:
  explicit MemoryStore(Clock& clock) : clock_(clock) {}

  Result<std::vector<ObjectMeta>> List(std::string_view prefix, std::string_view start_after) override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectMeta> found;
    for (auto at = objects_.lower_bound(prefix); at != objects_.end() && at->first.starts_with(prefix); ++at) {
      if (at->first > start_after) found.push_back(MetaOf(at->first, at->second));
    }
    return found;
  }

  Result<ObjectMeta> Head(std::string_view key) override {
    const std::lock_guard lock(mutex_);
    SLUICE_TRY(const Object* object, Find(key));
    return MetaOf(key, *object);
  }

  Result<std::string> Get(std::string_view key) override {
    const std::lock_guard lock(mutex_);
    SLUICE_TRY(const Object* object, Find(key));
    return object->bytes;
  }

  Result<std::string> GetRange(std::string_view key, int64_t offset, int64_t length) override {
    const std::lock_guard lock(mutex_);
    SLUICE_TRY(const Object* object, Find(key));
    const auto size = static_cast<int64_t>(object->bytes.size());
    const int64_t start = offset < 0 ? std::max<int64_t>(0, size + offset) : std::min(offset, size);
    return object->bytes.substr(static_cast<size_t>(start), static_cast<size_t>(std::max<int64_t>(0, length)));
  }

  Status Put(std::string_view key, std::string_view bytes) override {
    SLUICE_CHECK(CheckKey(key));
    const std::lock_guard lock(mutex_);
    Write(key, bytes);
    return Ok();
  }

  Result<PutOutcome> PutIfAbsent(std::string_view key, std::string_view bytes) override {
    SLUICE_CHECK(CheckKey(key));
    const std::lock_guard lock(mutex_);
    if (objects_.contains(key)) return PutOutcome::kExists;
    Write(key, bytes);
    return PutOutcome::kWritten;
  }

  Result<PutOutcome> PutIfMatch(std::string_view key, std::string_view bytes, std::string_view etag) override {
    SLUICE_CHECK(CheckKey(key));
    const std::lock_guard lock(mutex_);
    const auto at = objects_.find(key);
    if (at == objects_.end() || MetaOf(key, at->second).etag != etag) return PutOutcome::kExists;
    Write(key, bytes);
    return PutOutcome::kWritten;
  }

  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key) override;

  Status Delete(std::string_view key) override {
    SLUICE_CHECK(CheckKey(key));
    const std::lock_guard lock(mutex_);
    if (const auto at = objects_.find(key); at != objects_.end()) objects_.erase(at);
    return Ok();
  }

  std::string Uri(std::string_view key) const override { return "memory:///" + std::string(key); }

 private:
  struct Object {
    std::string bytes;
    uint64_t generation = 0;
    Instant modified;
  };

  static ObjectMeta MetaOf(std::string_view key, const Object& object) {
    return {std::string(key), static_cast<int64_t>(object.bytes.size()), fmt::format("g{}", object.generation), object.modified};
  }

  Result<const Object*> Find(std::string_view key) const {
    SLUICE_CHECK(CheckKey(key));
    const auto at = objects_.find(key);
    if (at == objects_.end()) return Fail(NotFoundError("no-such-object", fmt::format("{} does not exist", Uri(key))));
    return &at->second;
  }

  void Write(std::string_view key, std::string_view bytes) {
    objects_.insert_or_assign(std::string(key), Object{std::string(bytes), ++generations_, clock_.Now()});
  }

  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Object, std::less<>> objects_;
  uint64_t generations_ = 0;
};

class MemoryWriter : public ObjectWriter {
 public:
  MemoryWriter(MemoryStore& store, std::string_view key) : store_(store), key_(key) {}

  Status Write(std::string_view bytes) override {
    if (closed_) return Fail(BugError("write to a closed object " + key_));
    bytes_.append(bytes);
    return Ok();
  }
  Status Close() override {
    if (std::exchange(closed_, true)) return Fail(BugError("object closed twice: " + key_));
    return store_.Put(key_, bytes_);
  }

 private:
  MemoryStore& store_;
  std::string key_, bytes_;
  bool closed_ = false;
};

Result<std::unique_ptr<ObjectWriter>> MemoryStore::OpenWriter(std::string_view key) {
  SLUICE_CHECK(CheckKey(key));
  return std::make_unique<MemoryWriter>(*this, key);
}

}  // namespace

std::unique_ptr<ObjectStore> NewMemoryStore(Clock& clock) { return std::make_unique<MemoryStore>(clock); }

}  // namespace sluice::store
