#pragma once
// Action reconciliation (PROTOCOL.md, "Action Reconciliation"), newest first: the first reference to a logical file decides, all
// older ones are dropped unread. Pure.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "delta/snapshot.h"

namespace sluice::delta {

class Replay {
 public:
  // About so many actions are still to come, no promise: room is made at once and not by doubling.
  void Expect(size_t actions);
  // The actions of the commits: the newest commit first, and within a commit the last line first.
  void TakeNewest(Action&& action);
  // Then the actions of the checkpoint, in any order: they are reconciled among themselves already.
  void TakeCheckpoint(Action&& action);
  // Moves the state out: files and tombstones sorted by LogicalKey. version, timestamp, schema and head_etag stay to be set.
  // Errors: "bad-delta-log" without protocol or metadata.
  Result<Snapshot> Finish() &&;
  // The same for commits alone that follow `base`. What they leave as it was is shared with it.
  Snapshot FinishOnto(const Snapshot& base) &&;

 private:
  // Logical files that a newer action decided, by place in files_ (even) or tombstones_ (odd). Open addressing: a log may name
  // millions, none is ever taken out, and nearly every look-up finds nothing.
  struct Slot {
    uint32_t hash = 0, place = 0;  // place + 1; 0: free
  };

  template <typename File>
  void TakeFile(File&& file, std::vector<File>* files, uint32_t odd, bool remember);
  bool Holds(const Slot& slot, const std::string& path, const Boxed<DeletionVector>& dv) const;
  void Grow();
  void Take(Action&& action, bool remember);

  std::vector<Add> files_;
  std::vector<Remove> tombstones_;
  std::vector<Slot> seen_;  // its size is a power of two
  size_t seen_count_ = 0;
  std::optional<Metadata> metadata_;
  std::optional<Protocol> protocol_;
  std::map<std::string, Txn> txns_;
  std::map<std::string, DomainMetadata> domains_;  // removed ones too: they hide older ones
};

}  // namespace sluice::delta
