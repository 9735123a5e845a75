#pragma once
// Files below a folder (later: a bucket's prefix).
#include <memory>

#include "sources/source.h"

namespace sluice::sources {

// spec.location is a folder that exists. Error "no-such-folder".
Result<std::unique_ptr<FileSource>> OpenFilesSource(const SourceSpec& spec);

// The same over a store that the caller has opened; for tests.
std::unique_ptr<FileSource> FilesSourceOver(const SourceSpec& spec, std::unique_ptr<store::ObjectStore> store);

}  // namespace sluice::sources
