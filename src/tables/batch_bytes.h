#pragma once
#include <cstdint>

namespace arrow {
class RecordBatch;
}

namespace sluice::tables {

// Memory that the rows of a batch lie in, without the dictionaries they share: of a whole batch all its buffers; only a slice is looked at
// more closely, which takes longer than to copy a few rows.
int64_t BytesOf(const arrow::RecordBatch& batch);

}  // namespace sluice::tables
