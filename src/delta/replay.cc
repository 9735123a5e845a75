#include "delta/replay.h"

#include <algorithm>

#include "delta/path.h"
#include "delta/sort_files.h"

namespace sluice::delta {
namespace {

bool SameFile(const std::string& path_a, const Boxed<DeletionVector>& dv_a, const std::string& path_b, const Boxed<DeletionVector>& dv_b) {
  if (!dv_a != !dv_b) return false;
  if (dv_a && UniqueId(*dv_a) != UniqueId(*dv_b)) return false;
  return path_a == path_b || ((!IsPlainPath(path_a) || !IsPlainPath(path_b)) && PathKey(path_a) == PathKey(path_b));
}

uint32_t HashOf(const std::string& path, const Boxed<DeletionVector>& dv) {
  const std::hash<std::string_view> hash;
  uint64_t value = IsPlainPath(path) ? hash(path) : hash(PathKey(path));
  if (dv) value = value * 31 + hash(UniqueId(*dv));
  return static_cast<uint32_t>(value ^ value >> 32);
}

constexpr size_t kFirstSlots = 1024;
constexpr size_t kMostExpected = 1 << 24;  // what a broken checkpoint says of itself is not believed beyond that

template <typename File>
void AddEdits(std::vector<File>* files, std::vector<typename FileList<File>::Edit>* edits) {
  for (File& file : *files) {
    std::string key = LogicalKey(file.path, file.deletion_vector);
    edits->push_back({std::move(key), std::move(file)});
  }
}

template <typename Gone, typename Other>
void AddGone(const std::vector<Other>& others, std::vector<typename FileList<Gone>::Edit>* edits) {
  for (const Other& other : others) edits->push_back({LogicalKey(other.path, other.deletion_vector), std::nullopt});
}

}  // namespace

void Replay::Expect(size_t actions) { files_.reserve(files_.size() + std::min(actions, kMostExpected)); }

bool Replay::Holds(const Slot& slot, const std::string& path, const Boxed<DeletionVector>& dv) const {
  const uint32_t place = slot.place - 1;
  if ((place & 1U) == 0) return SameFile(files_[place / 2].path, files_[place / 2].deletion_vector, path, dv);
  return SameFile(tombstones_[place / 2].path, tombstones_[place / 2].deletion_vector, path, dv);
}

void Replay::Grow() {
  const std::vector<Slot> before = std::move(seen_);
  seen_.assign(std::max(kFirstSlots, before.size() * 2), Slot{});
  for (const Slot& slot : before) {
    if (slot.place == 0) continue;
    size_t at = slot.hash & (seen_.size() - 1);
    while (seen_[at].place != 0) at = (at + 1) & (seen_.size() - 1);
    seen_[at] = slot;
  }
}

template <typename File>
void Replay::TakeFile(File&& file, std::vector<File>* files, uint32_t odd, bool remember) {
  if (!remember && seen_count_ == 0) {
    files->push_back(std::move(file));
    return;
  }
  if (remember && 2 * (seen_count_ + 1) > seen_.size()) Grow();
  const uint32_t hash = HashOf(file.path, file.deletion_vector);
  size_t at = hash & (seen_.size() - 1);
  for (; seen_[at].place != 0; at = (at + 1) & (seen_.size() - 1))
    if (seen_[at].hash == hash && Holds(seen_[at], file.path, file.deletion_vector)) return;
  if (remember) {
    seen_[at] = {hash, static_cast<uint32_t>(files->size()) * 2 + odd + 1};
    ++seen_count_;
  }
  files->push_back(std::move(file));
}

void Replay::Take(Action&& action, bool remember) {
  if (auto* add = std::get_if<Add>(&action)) return TakeFile(std::move(*add), &files_, 0, remember);
  if (auto* remove = std::get_if<Remove>(&action)) return TakeFile(std::move(*remove), &tombstones_, 1, remember);
  if (auto* metadata = std::get_if<Metadata>(&action); metadata && !metadata_) metadata_ = std::move(*metadata);
  if (auto* protocol = std::get_if<Protocol>(&action); protocol && !protocol_) protocol_ = std::move(*protocol);
  if (auto* txn = std::get_if<Txn>(&action)) txns_.try_emplace(txn->app_id, std::move(*txn));
  if (auto* domain = std::get_if<DomainMetadata>(&action)) domains_.try_emplace(domain->domain, std::move(*domain));
}

void Replay::TakeNewest(Action&& action) { Take(std::move(action), /*remember=*/true); }
void Replay::TakeCheckpoint(Action&& action) { Take(std::move(action), /*remember=*/false); }

Result<Snapshot> Replay::Finish() && {
  if (!protocol_) return Fail(BadLog("the log has no protocol action"));
  if (!metadata_) return Fail(BadLog("the log has no metaData action"));
  Snapshot state;
  state.protocol = std::move(*protocol_);
  state.metadata = std::move(*metadata_);
  state.txns = std::move(txns_);
  state.domains = std::move(domains_);
  std::erase_if(state.domains, [](const auto& entry) { return entry.second.removed; });
  SortByLogicalKey(&files_);
  SortByLogicalKey(&tombstones_);
  state.files = std::move(files_);
  state.tombstones = std::move(tombstones_);
  return state;
}

Snapshot Replay::FinishOnto(const Snapshot& base) && {
  Snapshot state = base;
  if (protocol_) state.protocol = std::move(*protocol_);
  if (metadata_) state.metadata = std::move(*metadata_);
  for (auto& [id, txn] : txns_) state.txns[id] = std::move(txn);
  for (auto& [name, domain] : domains_) {
    if (domain.removed)
      state.domains.erase(name);
    else
      state.domains[name] = std::move(domain);
  }
  std::vector<FileList<Add>::Edit> files;
  std::vector<FileList<Remove>::Edit> tombstones;
  AddGone<Add>(tombstones_, &files);
  AddGone<Remove>(files_, &tombstones);
  AddEdits(&files_, &files);
  AddEdits(&tombstones_, &tombstones);
  state.files.Apply(std::move(files));
  state.tombstones.Apply(std::move(tombstones));
  return state;
}

}  // namespace sluice::delta
