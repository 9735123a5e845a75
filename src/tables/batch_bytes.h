#pragma once
#include <cstdint>

namespace arrow {
class RecordBatch;
}

namespace sluice::tables {

// Memory that the rows of a batch lie in, without the dictionaries they share.
int64_t BytesOf(const arrow::RecordBatch& batch);

}  // namespace sluice::tables
