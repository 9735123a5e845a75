#include "formats/content_hash.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "formats/bytes.h"

namespace sluice::formats {

struct ContentHash::State {
  XXH3_state_t xxh3;
};

ContentHash::ContentHash() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh3); }
ContentHash::~ContentHash() = default;

void ContentHash::Add(std::string_view bytes) { XXH3_128bits_update(&state_->xxh3, bytes.data(), bytes.size()); }

std::string ContentHash::Text() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh3);
  return fmt::format("xxh3:{:016x}{:016x}", hash.high64, hash.low64);
}

Result<std::string> HashObject(store::ObjectStore& store, const std::string& key) {
  std::string hash, buffer(256 << 10, '\0');
  ReadRequest request{.store = &store, .key = key};
  request.content_hash = &hash;
  SLUICE_TRY(const auto bytes, OpenBytes(request));
  for (size_t n = 1; n > 0;) {
    SLUICE_TRY(n, bytes->Read(buffer.data(), buffer.size()));
  }
  return hash;
}

}  // namespace sluice::formats
