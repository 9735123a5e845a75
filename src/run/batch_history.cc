#include "run/batch_history.h"

#include <algorithm>

namespace sluice::run {

std::optional<int64_t> PastBatch::VersionOf(const std::string& table) const {
  for (const state::TableVersion& one : done.tables)
    if (one.table == table) return one.version;
  return std::nullopt;
}

int64_t PastBatch::LastChangeOf(const std::string& table) const {
  for (const state::TableVersion& one : done.tables)
    if (one.table == table) return one.batch;
  return 0;
}

Result<int64_t> BatchHistory::LastDone() {
  if (!last_done_) {
    state::BatchLog log(session_.lake(), session_.clock(), session_.random(), {session_.project().name, owner_, "", ""});
    SLUICE_TRY(const state::NodeState state, log.Load());
    last_done_ = state.last_done;
  }
  return *last_done_;
}

Result<const PastBatch*> BatchHistory::At(int64_t n) {
  SLUICE_TRY(const int64_t last, LastDone());
  if (n < 1 || n > last) return nullptr;
  auto at = read_.find(n);
  if (at == read_.end()) {
    SLUICE_TRY(auto batch, state::ReadBatch(session_.lake(), owner_, n));
    at = read_.emplace(n, PastBatch{n, std::move(batch.first), std::move(batch.second)}).first;
  }
  return &at->second;
}

Result<std::vector<BatchHistory::Turn>> BatchHistory::TurnsAfter(const std::string& table, int64_t version) {
  std::vector<Turn> turns;
  SLUICE_TRY(const int64_t last, LastDone());
  for (int64_t n = last; n >= 1; --n) {
    SLUICE_TRY(const PastBatch* batch, At(n));
    const auto left_at = batch->VersionOf(table);
    if (!left_at || *left_at < version) break;
    const auto target = state::RestoreTargetOf(batch->ready);
    if (!target) continue;
    const auto change = std::find_if(batch->ready.changes.begin(), batch->ready.changes.end(),
                                     [&](const state::TableChange& one) { return one.table == table; });
    if (change == batch->ready.changes.end()) continue;
    for (const auto& one : target->tables)
      if (one.table == table) turns.push_back({change->commit.read_version + 1, one.version});
  }
  return turns;  // newest first
}

Result<std::optional<int64_t>> BatchHistory::OnTheWayTo(const std::string& table, int64_t top, int64_t version) {
  SLUICE_TRY(auto turns, TurnsAfter(table, version));
  const auto made_it = [&](const Turn& turn) { return turn.at == version; };
  for (auto turn = std::find_if(turns.begin(), turns.end(), made_it); turn != turns.end();
       turn = std::find_if(turns.begin(), turns.end(), made_it)) {
    version = turn->to;  // the same contents, the version that had them first
    SLUICE_TRY(turns, TurnsAfter(table, version));
  }
  for (const Turn& turn : turns) {
    if (turn.at > top) continue;
    if (version >= turn.at) break;  // since that restore
    top = turn.to;
  }
  return version <= top ? std::optional(version) : std::nullopt;
}

}  // namespace sluice::run
