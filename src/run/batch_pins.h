#pragma once
#include <map>
#include <string>

#include "delta/commit.h"
#include "run/relations.h"

namespace sluice::run {

// Tables as a publish group's batch will leave them, over what the run pins: what its later models read of its earlier ones.
class BatchPins {
 public:
  explicit BatchPins(Session& session) : run_(RunPins(session)) {}

  PinOf pin_of() const;  // lives as long as this
  bool Has(const std::string& table) const { return staged_.contains(table); }

  // `base`: the snapshot that `commit` was prepared on, null for a creation. `at`: the batch's clock, the only time that its commits have
  // so far.
  Status Add(const std::string& table, const delta::PreparedCommit& commit, const delta::Snapshot* base, Instant at);

 private:
  PinOf run_;
  std::map<std::string, Pinned> staged_;
};

}  // namespace sluice::run
