#pragma once
// Action reconciliation (PROTOCOL.md, "Action Reconciliation"), newest first: the first reference to a logical file decides, all
// older ones are dropped unread. Pure.
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "delta/snapshot.h"

namespace sluice::delta {

class Replay {
 public:
  // The actions of one commit, in the order of its lines. Commits come newest first.
  void TakeCommit(std::vector<Action> actions);
  // Then the actions of the checkpoint, in any order: they are reconciled among themselves already.
  void TakeCheckpoint(Action action);
  // Moves the state out: files and tombstones sorted by path, then deletion vector. version, timestamp, schema and head_etag stay
  // to be set. Errors: "bad-delta-log" without protocol or metadata.
  Result<Snapshot> Finish() &&;

 private:
  template <typename File>
  bool IsNew(const File& file, bool remember);
  void Take(Add&& add, bool remember);
  void Take(Remove&& remove, bool remember);
  void Take(Metadata&& metadata, bool);
  void Take(Protocol&& protocol, bool);
  void Take(Txn&& txn, bool);
  void Take(DomainMetadata&& domain, bool);
  void Take(CdcFile&&, bool) {}
  void Take(CommitInfo&&, bool) {}

  Snapshot state_;
  bool has_metadata_ = false, has_protocol_ = false;
  // Logical files decided by a newer commit. Keys and table lie in one arena: a log may name millions, and none is ever taken out.
  std::pmr::monotonic_buffer_resource arena_;
  std::pmr::unordered_set<std::string_view> seen_{&arena_};
  std::string key_;  // scratch
};

}  // namespace sluice::delta
