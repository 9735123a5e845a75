#pragma once
// Done records that were damaged or lost outside of Sluice, made again from what they only sum up: the decision and the logs.
#include <string>

#include "state/batch.h"
#include "state/record_store.h"

namespace sluice::state {

// Every batch of `batches` (a node's, in order) that must be done, with a done record that can be read: one that cannot is written
// again. A batch must be done where a later one was begun. Errors: "bad-record" or "record-missing" where the decision or the table's log
// does not tell any more; "newer-record".
Status MendDoneRecords(store::ObjectStore& lake, const std::string& node, const std::vector<BatchRecords>& batches);

}  // namespace sluice::state
