#pragma once
// An object of a store as a file that Arrow can read anywhere.
#include <arrow/io/interfaces.h>

#include <memory>
#include <optional>

#include "core/result.h"
#include "store/object_store.h"

namespace sluice::formats {

// Thread-safe reads; a store's error comes back as an arrow::Status of kind IOError.
std::shared_ptr<arrow::io::RandomAccessFile> OpenObjectFile(store::ObjectStore& store, store::ObjectMeta object);
// The store's error behind such a status; nullopt where Arrow itself did not like what it read.
std::optional<Error> StoreErrorOf(const arrow::Status& status);

}  // namespace sluice::formats
