#include "delta/replay.h"

#include <algorithm>
#include <numeric>

#include "delta/path.h"

namespace sluice::delta {
namespace {

// Files are large values: the order is found on indices, then each is moved once.
template <typename File>
void SortFiles(std::vector<File>* files) {
  const auto before = [](const File& a, const File& b) {
    if (const int order = a.path.compare(b.path); order != 0) return order < 0;
    return (a.deletion_vector ? UniqueId(*a.deletion_vector) : "") < (b.deletion_vector ? UniqueId(*b.deletion_vector) : "");
  };
  if (std::is_sorted(files->begin(), files->end(), before)) return;
  std::vector<uint32_t> order(files->size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return before((*files)[a], (*files)[b]); });
  std::vector<File> sorted;
  sorted.reserve(files->size());
  for (const uint32_t i : order) sorted.push_back(std::move((*files)[i]));
  *files = std::move(sorted);
}

}  // namespace

template <typename File>
bool Replay::IsNew(const File& file, bool remember) {
  if (seen_.empty() && !remember) return true;
  key_ = PathKey(file.path);
  if (file.deletion_vector) {
    key_ += '\0';  // in no path
    key_ += UniqueId(*file.deletion_vector);
  }
  if (seen_.contains(key_)) return false;
  if (!remember) return true;
  auto* copy = static_cast<char*>(arena_.allocate(key_.size(), 1));
  key_.copy(copy, key_.size());
  seen_.emplace(copy, key_.size());
  return true;
}

void Replay::Take(Add&& add, bool remember) {
  if (IsNew(add, remember)) state_.files.push_back(std::move(add));
}

void Replay::Take(Remove&& remove, bool remember) {
  if (IsNew(remove, remember)) state_.tombstones.push_back(std::move(remove));
}

void Replay::Take(Metadata&& metadata, bool) {
  if (!std::exchange(has_metadata_, true)) state_.metadata = std::move(metadata);
}

void Replay::Take(Protocol&& protocol, bool) {
  if (!std::exchange(has_protocol_, true)) state_.protocol = std::move(protocol);
}

void Replay::Take(Txn&& txn, bool) { state_.txns.try_emplace(txn.app_id, std::move(txn)); }

// A removed domain stays until Finish, to hide older ones.
void Replay::Take(DomainMetadata&& domain, bool) { state_.domains.try_emplace(domain.domain, std::move(domain)); }

void Replay::TakeCommit(std::vector<Action> actions) {
  const size_t most = state_.files.size() + actions.size();
  if (most > state_.files.capacity()) state_.files.reserve(std::max(most, 2 * state_.files.capacity()));
  for (auto action = actions.rbegin(); action != actions.rend(); ++action)
    std::visit([this](auto& body) { Take(std::move(body), /*remember=*/true); }, *action);
}

void Replay::TakeCheckpoint(Action action) {
  std::visit([this](auto& body) { Take(std::move(body), /*remember=*/false); }, action);
}

Result<Snapshot> Replay::Finish() && {
  if (!has_protocol_) return Fail(BadLog("the log has no protocol action"));
  if (!has_metadata_) return Fail(BadLog("the log has no metaData action"));
  std::erase_if(state_.domains, [](const auto& entry) { return entry.second.removed; });
  SortFiles(&state_.files);
  SortFiles(&state_.tombstones);
  return std::move(state_);
}

}  // namespace sluice::delta
