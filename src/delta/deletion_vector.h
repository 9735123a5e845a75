#pragma once
// Which rows of a data file are gone (PROTOCOL.md, "Deletion Vectors").
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/clock.h"
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
// The vector's file as a key below the table's root; nullopt for an inline one, and for one at an absolute path outside the table.
std::optional<std::string> DeletionVectorFile(const store::ObjectStore& store, std::string_view table_root, const DeletionVector& dv);

// Stores one vector for each of `vectors` (row numbers, ascending and distinct), all in one new file,
// <folder>/deletion_vector_<uuid>.bin below the table's root; `folder` is "" or one path segment that needs no escaping.
// On an error a file may stay as an orphan.
Result<std::vector<DeletionVector>> WriteDeletionVectors(store::ObjectStore& store, std::string_view table_root, std::string_view folder,
                                                         const std::vector<std::vector<int64_t>>& vectors, Clock& clock, Random& random);
// The serialised bitmap that DecodeDeletionVector reads. Pure.
std::string EncodeDeletionVector(const std::vector<int64_t>& rows);
// `bytes` filled up with zeros to groups of four.
std::string EncodeZ85(std::string_view bytes);

}  // namespace sluice::delta
