#pragma once
// Which input files went into which batch: an index over the decisions, kept so that a plan need not read them all.
// Correctness comes from the records: an index that is missing or behind is made up from them, and `sluice state rebuild` makes
// all of it again. A decision says what it consumed in its inputs:
//   {"files": [{"path": "orders/1.csv", "size": 12, "etag": "…", "hash": "xxh3:…"}, …], "replaces_ledger": true}
// "hash", of the contents, is left out where it is not known. A file that was skipped because its contents were there already, under
// another name, has that one as "rows_of". with replaces_ledger where the batch took everything anew (a full refresh from the source).
// After a restore (restore.h) the ledger is that of the batch that it goes back to.
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "state/batch.h"
#include "store/object_store.h"

namespace sluice::state {

struct LedgerEntry {
  std::string path;
  int64_t size = 0;
  std::string etag;
  int64_t batch = 0;  // the latest that consumed it
  std::string hash, rows_of;
  bool operator==(const LedgerEntry&) const = default;
};

struct FileLedger {
  int64_t through = 0;  // holds the batches up to this one
  std::map<std::string, LedgerEntry> files;
};

// The ledger as of state.last_done.
Result<FileLedger> LoadLedger(store::ObjectStore& lake, const std::string& node, const NodeState& state);

// "files" of a decision's inputs; other keys are ignored. Error "bad-record".
Result<std::vector<LedgerEntry>> FilesOf(const ReadyRecord& ready);
// The inputs text for these files.
std::string InputsOfFiles(const std::vector<LedgerEntry>& files, bool replaces_ledger = false);

// Makes every index of every node (or one) again from the records, and done records that were damaged or lost from what they sum up.
// Gives the nodes it did.
Result<std::vector<std::string>> RebuildIndexes(store::ObjectStore& lake, const std::string& only_node = "");

}  // namespace sluice::state
