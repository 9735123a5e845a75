#include "run/held_versions.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/counted.h"
#include "delta/duration.h"
#include "delta/log_files.h"
#include "run/consumers.h"
#include "run/model_records.h"
#include "state/batch.h"
#include "state/restore.h"

namespace sluice::run {
namespace {

class Reading {
 public:
  Reading(Session& session, const std::string& table, int64_t max_hold_millis)
      : session_(session), table_(table), root_(Session::RootOf(table)), max_hold_millis_(max_hold_millis) {}

  Result<HeldVersions> Read() {
    SLUICE_TRY(const auto owners, Owners());
    std::map<std::string, state::NodeState> states;
    for (const std::string& owner : owners) {
      SLUICE_TRY(state::NodeState state, LogOf(owner).Load());
      held_.batches[owner] = state.last_done;
      states.emplace(owner, std::move(state));
    }
    SLUICE_TRY(const auto consumers, ConsumersOf(session_, table_));
    SLUICE_TRY(const auto newest, delta::LoadSnapshotIfExists(session_.lake(), root_));
    if (!newest) return std::move(held_);
    held_.newest = newest->version;
    for (const auto& [owner, state] : states) SLUICE_CHECK(HoldForOwner(owner, state, newest->metadata.id));
    for (const Consumer& consumer : consumers) SLUICE_CHECK(HoldForConsumer(consumer, *newest));
    return std::move(held_);
  }

 private:
  state::BatchLog LogOf(const std::string& owner) {
    return {session_.lake(), session_.clock(), session_.random(), {session_.project().name, owner, "", ""}};
  }

  // Those of the project, and whoever else has records in the lake.
  Result<std::vector<std::string>> Owners() {
    SLUICE_TRY(std::vector<std::string> owners, state::NodesWithRecords(session_.lake()));
    SLUICE_TRY(const plan::Graph* graph, session_.graph());
    for (const plan::Node& node : graph->nodes) owners.push_back(BatchOwner(node));
    std::sort(owners.begin(), owners.end());
    owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
    return owners;
  }

  Status HoldForOwner(const std::string& owner, const state::NodeState& state, const std::string& id) {
    if (state.pending) {
      for (const state::TableChange& change : state.pending->changes)
        if (change.root == root_ && change.commit.table_id == id && change.commit.read_version >= 0)
          Hold(change.commit.read_version, fmt::format("batch {} of {} was prepared on it", state.pending->n, owner));
      if (const auto target = state::RestoreTargetOf(*state.pending))
        for (const auto& one : target->tables)
          if (one.root == root_ && one.version >= 0) Hold(one.version, fmt::format("batch {} of {} restores it", state.pending->n, owner));
    }
    // Only of a publish group are readers shown an older version than the newest.
    if (!owner.starts_with(kGroupOwnerPrefix)) return Ok();
    SLUICE_TRY(const auto shown, LogOf(owner).NewestComplete());
    for (const state::TableVersion& one : shown)
      if (one.root == root_ && one.id == id) Hold(one.version, fmt::format("{} shows it until its next batch is done", owner));
    return Ok();
  }

  Status HoldForConsumer(const Consumer& consumer, const delta::Snapshot& newest) {
    if (consumer.version < 0 || consumer.table_id != newest.metadata.id || consumer.version > newest.version) return Ok();
    if (consumer.decided) {
      Hold(consumer.version, fmt::format("a decided batch of {} reads it", consumer.node));
      return Ok();
    }
    if (!consumer.by_change || consumer.version == newest.version) return Ok();
    const std::string unread = delta::LogKey(root_, delta::CommitFileName(consumer.version + 1));
    const auto commit = session_.lake().Head(unread);
    if (!commit && commit.error().kind != ErrorKind::kNotFound) return Fail(commit.error());
    if (!commit) return Ok();  // gone by another's clean-up: it will read the whole table
    if (session_.clock().Now().millis() - commit->modified.millis() > max_hold_millis_) {
      held_.let_go.push_back(fmt::format("{} has not read past version {} for longer than {}: nothing is kept for it", consumer.node,
                                         consumer.version, Counted(max_hold_millis_ / delta::kDayMillis, "day")));
      return Ok();
    }
    Hold(consumer.version, fmt::format("{0} has not read past it (sluice run -s {0}, or a shorter --max-hold)", consumer.node), true);
    return Ok();
  }

  void Hold(int64_t version, std::string who, bool by_consumer = false) { held_.holders.push_back({std::move(who), version, by_consumer}); }

  Session& session_;
  const std::string& table_;
  const std::string root_;
  const int64_t max_hold_millis_;
  HeldVersions held_;
};

}  // namespace

std::optional<int64_t> HeldVersions::floor() const {
  if (holders.empty()) return std::nullopt;
  return std::min_element(holders.begin(), holders.end(), [](const Holder& a, const Holder& b) { return a.version < b.version; })->version;
}

state::LogFloor LogFloorOf(Session& session) {
  return [&session](const std::string& root) -> Result<int64_t> {
    std::string table = root;
    if (const size_t slash = table.find('/'); slash != std::string::npos) table[slash] = '.';
    SLUICE_TRY(const HeldVersions held, HeldVersionsOf(session, table));
    return held.floor().value_or(std::numeric_limits<int64_t>::max());
  };
}

Result<HeldVersions> HeldVersionsOf(Session& session, const std::string& table, int64_t max_hold_millis) {
  return Reading(session, table, max_hold_millis).Read();
}

}  // namespace sluice::run
