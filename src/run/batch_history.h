#pragma once
// The done batches of a node or publish group, read from the newest back as far as somebody asks.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "run/relations.h"
#include "run/session.h"
#include "state/batch.h"
#include "state/restore.h"

namespace sluice::run {

struct PastBatch {
  int64_t n = 0;
  state::DoneRecord done;
  state::ReadyRecord ready;
  std::optional<int64_t> VersionOf(const std::string& table) const;  // as the batch left it; nullopt: it was not there
  int64_t LastChangeOf(const std::string& table) const;              // the batch, this one or one before, that changed it last; 0: none yet
};

class BatchHistory {
 public:
  BatchHistory(Session& session, std::string owner) : session_(session), owner_(std::move(owner)) {}

  const std::string& owner() const { return owner_; }
  // Batch n; nullptr where it is not done. Errors: those of the records.
  Result<const PastBatch*> At(int64_t n);
  Result<int64_t> LastDone();

  // The version of the owner's `table` that has the same contents and that is on the way to `top`, the contents that it has or will have:
  // what a restore brought back is the version that it restored. nullopt: a restore has taken `version` back, or it is later than `top`.
  Result<std::optional<int64_t>> OnTheWayTo(const std::string& table, int64_t top, int64_t version);

 private:
  // A restore of `table`: the version that it was committed as, and the one whose contents it brought back.
  struct Turn {
    int64_t at = 0, to = 0;
  };
  Result<std::vector<Turn>> TurnsAfter(const std::string& table, int64_t version);

  Session& session_;
  const std::string owner_;
  std::optional<int64_t> last_done_;
  std::map<int64_t, PastBatch> read_;
};

}  // namespace sluice::run
