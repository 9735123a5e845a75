#pragma once
// May this change still be committed? The pure heart of the protocol: from a decided change and a fresh look at its table to
// what must happen now (design section 7, "Fence"; `com` in the model).
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "delta/snapshot.h"
#include "state/batch.h"

namespace sluice::state {

// A table as it stands: its newest snapshot (null if there is no table), and the commits after the version that the change was
// prepared on, up to that snapshot.
struct TableLook {
  std::optional<delta::Snapshot> snapshot;
  delta::LogRange since;
};

struct AlreadyCommitted {
  int64_t version = 0;
};  // the snapshot's version
struct PutAt {
  int64_t version = 0;
};  // exactly there: if it is taken, look again
struct Voided {
  std::string why;
};  // a foreign commit conflicts: prepare again
struct Stopped {
  Error error;
};  // neither: a person must decide
using Verdict = std::variant<AlreadyCommitted, PutAt, Voided, Stopped>;

// Pure. `app_id` and `n` name the txn that the commit carries.
Verdict Judge(const TableChange& change, const std::string& app_id, int64_t n, const TableLook& look);

// kUnsupported "transaction-retention" if the table's properties let its txns expire.
Status CheckKeepsTransactions(const std::string& table, const delta::Metadata& metadata);

}  // namespace sluice::state
