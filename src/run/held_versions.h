#pragma once
// What of a table must stay, as the batch records say it: for VACUUM and for the clean-up of its log (design section 7, "VACUUM";
// docs/restore-and-vacuum.md).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "run/session.h"
#include "state/batch.h"

namespace sluice::run {

inline constexpr int64_t kMaxHoldMillis = 30LL * 86'400'000;

// Somebody needs this version of the table and all later ones.
struct Holder {
  std::string who;  // "silver.orders has not read past it", "batch 7 of bronze.orders was prepared on it", for people
  int64_t version = 0;
  bool by_consumer = false;  // by one that has not read on: its hold ends after max_hold
};

struct HeldVersions {
  int64_t newest = -1;  // the table's version when they were read
  std::vector<Holder> holders;
  std::vector<std::string> let_go;         // consumers that have not read on for longer than max_hold: texts for people
  std::map<std::string, int64_t> batches;  // of every node and group: its last batch that was done when the records were read
  // The oldest version that somebody needs.
  std::optional<int64_t> floor() const;
};

// Reads the records first, then of the table as little as tells its id: whoever wants a snapshot or a listing takes it after this.
// `max_hold_millis`: how long a version stays for a consumer that does not read it, counted from the first commit that it has not read.
// Errors: those of the store, the records and the table's log.
Result<HeldVersions> HeldVersionsOf(Session& session, const std::string& table, int64_t max_hold_millis = kMaxHoldMillis);

// For the clean-up of logs: HeldVersions::floor of the table at a root. `session` outlives it.
state::LogFloor LogFloorOf(Session& session);

}  // namespace sluice::run
