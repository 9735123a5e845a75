#pragma once
// Objects as streams of decompressed bytes; the parts beside reader.h's OpenBytes.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// A stream over bytes already in memory: samples, tests.
std::unique_ptr<ByteSource> BytesOf(std::string bytes);

// Decompresses what `source` gives. gzip: any number of members, zero padding after the last one. zstd: any number of frames,
// skippable ones too; windows above 128 MiB are refused. bzip2, xz: any number of streams. `name` is for messages.
std::unique_ptr<ByteSource> Decompress(std::unique_ptr<ByteSource> source, Compression compression, std::string name);

// The first `limit` decompressed bytes, fewer where the object is shorter. A broken archive gives what stands before the break,
// and its error only where nothing does.
struct Sample {
  std::string bytes;
  bool whole = false;  // the object ends within the sample
};
Result<Sample> ReadSample(const ReadRequest& request, size_t limit);

// How an object is compressed (by its first bytes and its name, where it is not said) and the first `limit` bytes of its contents; of one
// that is not compressed in a single request.
struct ObjectFront {
  Compression compression = Compression::kNone;
  Sample sample;
};
Result<ObjectFront> ReadFront(store::ObjectStore& store, const store::ObjectMeta& object, std::optional<Compression> compression,
                              size_t limit);

// What a name's ending says, and how long that is: {kNone, 0} where it says nothing.
std::pair<Compression, size_t> CompressionOfEnding(std::string_view file_name);

std::vector<std::string> CompressionNames();          // of all kinds: "gzip", "zstd", "bzip2", "xz", "zip"
std::string_view ToString(Compression compression);   // one of these, or "none"
Compression CompressionNamed(std::string_view name);  // kNone for all else

}  // namespace sluice::formats
