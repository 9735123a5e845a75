#pragma once
// Which rows of a data file are gone (PROTOCOL.md, "Deletion Vectors").
#include <cstdint>
#include <string_view>
#include <vector>

#include "delta/actions.h"
#include "store/object_store.h"

namespace sluice::delta {

// The 0-based numbers of the removed rows, ascending. Errors: "bad-delta-log" (checksum, size, magic or cardinality do not fit, the
// file is gone); kUnsupported "unsupported-feature" for a vector at an absolute path outside the store.
Result<std::vector<int64_t>> ReadDeletionVector(store::ObjectStore& store, std::string_view table_root, const DeletionVector& dv);

// The serialised bitmap (magic and 64-bit roaring) → row numbers. Pure.
Result<std::vector<int64_t>> DecodeDeletionVector(std::string_view bitmap);
// ZeroMQ RFC 32. Errors where the text is no Z85.
Result<std::string> DecodeZ85(std::string_view text);

}  // namespace sluice::delta
