#pragma once
// Archives of several files (zip), in an object store: each member is a file of its own. Read by ranges, in bounded memory: the
// directory an entry at a time, a member as a stream. Zip64 too.
#include <memory>
#include <string>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

struct ArchiveListing {
  std::vector<ArchiveMember> members;  // by path
  int64_t left_out = 0;                // folders, names that start with a dot, what macOS adds (__MACOSX), and what `glob` does not match
};

// `glob` is matched against the members' paths; "" = all. Errors, all kData: "truncated-archive" (no directory at its end),
// "corrupt-archive" (also two members of one name); store errors.
Result<ArchiveListing> ListArchive(store::ObjectStore& store, const store::ObjectMeta& archive, const std::string& glob);

// The member's bytes, unpacked: deflate, none, bzip2, zstd and xz. Its length and checksum are looked at. Errors: those above; kData
// "encrypted-archive"; kUnsupported "unsupported-compression", naming the method; kRetryable "file-changed-while-read".
Result<std::unique_ptr<ByteSource>> OpenMember(store::ObjectStore& store, const store::ObjectMeta& archive, const ArchiveMember& member);

}  // namespace sluice::formats
