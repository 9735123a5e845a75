#include "store/mounted_store.h"

#include <fmt/format.h>

#include <mutex>
#include <optional>

#include "store/place.h"
#include "store/remote.h"

namespace sluice::store {
namespace {

// One place, opened when it is first needed.
class Opened {
 public:
  explicit Opened(Mount mount) : mount_(std::move(mount)) {}
  const Mount& mount() const { return mount_; }

  // Null: there is no such folder.
  Result<const Place*> place() {
    const std::lock_guard lock(mutex_);
    if (place_) return &*place_;
    auto place = OpenPlace(mount_.location);
    if (!place && place.error().code == "no-such-place") return nullptr;
    if (!place) return Fail(std::move(place).error());
    place_ = std::move(*place);
    return &*place_;
  }

 private:
  const Mount mount_;
  std::mutex mutex_;
  std::optional<Place> place_;
};

class MountedStore : public ObjectStore, public Networked {
 public:
  MountedStore(std::unique_ptr<ObjectStore> base, std::vector<Mount> mounts) : base_(std::move(base)) {
    for (Mount& mount : mounts) mounts_.push_back(std::make_unique<Opened>(std::move(mount)));
  }

  Result<std::vector<ObjectMeta>> List(std::string_view prefix, std::string_view start_after) override {
    SLUICE_TRY(const Target target, Resolve(prefix));
    if (target.store == nullptr) return std::vector<ObjectMeta>();
    if (!start_after.empty() && !start_after.starts_with(target.shown)) {
      if (start_after > target.shown) return std::vector<ObjectMeta>();  // behind all of it
      start_after = "";
    }
    const std::string after = start_after.empty() ? "" : target.real + std::string(start_after.substr(target.shown.size()));
    SLUICE_TRY(auto listed, target.store->List(target.key, after));
    for (ObjectMeta& object : listed) object.key = target.shown + object.key.substr(target.real.size());
    return listed;
  }

  Result<ObjectMeta> Head(std::string_view key) override {
    SLUICE_TRY(const Target target, Resolve(key));
    if (target.store == nullptr) return Fail(Absent(key));
    SLUICE_TRY(ObjectMeta object, target.store->Head(target.key));
    object.key = std::string(key);
    return object;
  }
  Result<std::string> Get(std::string_view key) override {
    SLUICE_TRY(const Target target, Resolve(key));
    return target.store == nullptr ? Result<std::string>(Fail(Absent(key))) : target.store->Get(target.key);
  }
  Result<std::string> GetRange(std::string_view key, int64_t offset, int64_t length) override {
    SLUICE_TRY(const Target target, Resolve(key));
    return target.store == nullptr ? Result<std::string>(Fail(Absent(key))) : target.store->GetRange(target.key, offset, length);
  }

  Status Put(std::string_view key, std::string_view bytes) override {
    SLUICE_TRY(const std::string at, Writable(key));
    return base_->Put(at, bytes);
  }
  Result<PutOutcome> PutIfAbsent(std::string_view key, std::string_view bytes) override {
    SLUICE_TRY(const std::string at, Writable(key));
    return base_->PutIfAbsent(at, bytes);
  }
  Result<PutOutcome> PutIfMatch(std::string_view key, std::string_view bytes, std::string_view etag) override {
    SLUICE_TRY(const std::string at, Writable(key));
    return base_->PutIfMatch(at, bytes, etag);
  }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key) override {
    SLUICE_TRY(const std::string at, Writable(key));
    return base_->OpenWriter(at);
  }
  Status Delete(std::string_view key) override {
    SLUICE_TRY(const std::string at, Writable(key));
    return base_->Delete(at);
  }

  std::string Uri(std::string_view key) const override {
    Opened* at = At(std::string(key) + "/");  // the place itself too
    if (at == nullptr) return base_->Uri(key);
    const Mount& mount = at->mount();
    const std::string_view below = key.size() < mount.prefix.size() ? "" : key.substr(mount.prefix.size());
    if (IsKept(mount, below)) return base_->Uri(mount.kept_at + std::string(below));
    const auto place = at->place();
    if (place && *place != nullptr) return (*place)->store->Uri(below.empty() ? (*place)->key : In(**place, below));
    return mount.location + (below.empty() ? "" : "/" + std::string(below));
  }

  // Of the lake where that is a remote one, else of the first place that is: one identity reads all of them.
  Result<std::unique_ptr<RemoteAccess>> Access() override {
    SLUICE_TRY(auto access, AccessOf(*base_));
    for (const auto& mounted : mounts_) {
      if (access) break;
      if (!IsRemote(mounted->mount().location)) continue;
      SLUICE_TRY(const Place* place, mounted->place());
      SLUICE_TRY(access, AccessOf(*place->store));
    }
    return access;
  }

  Status DeleteAll(const std::vector<std::string>& keys) override {
    std::vector<std::string> at;
    for (const std::string& key : keys) {
      SLUICE_TRY(at.emplace_back(), Writable(key));
    }
    return store::DeleteAll(*base_, at);
  }

 private:
  // Where a key, or the prefix of a listing, really is. Null store: nowhere.
  struct Target {
    ObjectStore* store = nullptr;
    std::string key;          // there
    std::string shown, real;  // what keys begin with here, and there
  };

  Opened* At(std::string_view key) const {
    for (const auto& mounted : mounts_)
      if (key.starts_with(mounted->mount().prefix)) return mounted.get();
    return nullptr;
  }
  static bool IsKept(const Mount& mount, std::string_view below) { return !mount.kept.empty() && below.starts_with(mount.kept); }

  Result<Target> Resolve(std::string_view key) {
    Opened* at = At(key);
    if (at == nullptr) return Target{base_.get(), std::string(key), "", ""};
    const Mount& mount = at->mount();
    const std::string below(key.substr(mount.prefix.size()));
    if (IsKept(mount, below)) return Target{base_.get(), mount.kept_at + below, mount.prefix, mount.kept_at};
    SLUICE_TRY(const Place* place, at->place());
    if (place == nullptr) return Target{};
    return Target{place->store.get(), In(*place, below), mount.prefix, In(*place, "")};
  }

  static std::string In(const Place& place, std::string_view below) {
    return place.key.empty() ? std::string(below) : fmt::format("{}/{}", place.key, below);
  }

  // The key in the base store.
  Result<std::string> Writable(std::string_view key) const {
    Opened* at = At(key);
    if (at == nullptr) return std::string(key);
    const Mount& mount = at->mount();
    const std::string below(key.substr(mount.prefix.size()));
    if (IsKept(mount, below)) return mount.kept_at + below;
    return Fail(UnsupportedError("read-only-place", fmt::format("{} is of another owner: Sluice reads it and never writes it", Uri(key))));
  }

  static Error Absent(std::string_view key) { return NotFoundError("no-such-object", fmt::format("there is no object {}", key)); }

  std::unique_ptr<ObjectStore> base_;
  std::vector<std::unique_ptr<Opened>> mounts_;
};

}  // namespace

std::unique_ptr<ObjectStore> NewMountedStore(std::unique_ptr<ObjectStore> base, std::vector<Mount> mounts) {
  return std::make_unique<MountedStore>(std::move(base), std::move(mounts));
}

}  // namespace sluice::store
