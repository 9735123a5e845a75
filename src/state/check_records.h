#pragma once
// Batch records that were damaged or lost outside of Sluice, before somebody needs them: a node goes on from its index, which hides them.
#include <string>
#include <vector>

#include "core/result.h"
#include "store/object_store.h"

namespace sluice::state {

inline constexpr size_t kBatchesChecked = 100;  // the newest of each node

struct RecordCheck {
  int64_t nodes = 0, batches = 0;
  std::vector<Error> faults;  // "bad-record", "record-missing", "newer-record", each with what to do
};

// Reads every record of the newest batches of every node; writes nothing. A batch that a run is at work on, or left open, is none of the
// faults. Errors: those of the store.
Result<RecordCheck> CheckRecords(store::ObjectStore& lake);

}  // namespace sluice::state
