#pragma once
// A node's tables as an earlier batch left them, as its next batch: `sluice rollback` and `sluice table restore` (design section 7,
// "Rollback"; docs/restore-and-vacuum.md).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "state/batch.h"

namespace sluice::state {

inline const std::string kRestoreKind = "restore";

// What is brought back. It stands in the batch's inputs, so that any run can finish it:
//   {"restores": {"batch": 3, "tables": [{"table": "silver.orders", "root": "silver/orders", "version": 7}, …]}}
struct RestoreTarget {
  int64_t batch = 0;  // whose cursor, ledger and fingerprint hold again; 0: nothing was read yet
  struct Table {
    std::string table, root;
    int64_t version = -1;  // -1: without rows
    bool operator==(const Table&) const = default;
  };
  std::vector<Table> tables;
  bool operator==(const RestoreTarget&) const = default;
};
std::string InputsOfRestore(const RestoreTarget& target);
// nullopt where the batch is no restore.
std::optional<RestoreTarget> RestoreTargetOf(const ReadyRecord& ready);
std::optional<RestoreTarget> RestoreTargetIn(const std::string& inputs);

// Stages what brings the tables to the target, on their present versions: files that were removed since come again as copies, named with
// `file_prefix`; those that are live stay. A table that is so already has no change. Errors: kConflict "restore-impossible" naming files
// that are gone, or a version that is of another table; kNotFound "no-such-version"; kUser "append-only-table"; features that Sluice
// cannot write. On an error what was staged stays.
Result<std::vector<TableChange>> StageRestore(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity,
                                              const RestoreTarget& target, const std::string& file_prefix);

// Could it be staged now? Reads only; errors as StageRestore.
Status CheckRestore(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity, const RestoreTarget& target);

// The changes `redo` of a restore, prepared again on the tables' present versions. Copies that it has are not made again.
Result<Repreparation> PrepareRestoreAgain(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity,
                                          const ReadyRecord& restore, const std::vector<size_t>& redo);

}  // namespace sluice::state
