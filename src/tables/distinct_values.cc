#include "tables/distinct_values.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "tables/flat_type.h"

namespace sluice::tables {
namespace {

constexpr size_t kFewestSlots = 64, kMostSlotsAtOnce = 8192;

template <typename T>
T IntegerOf(std::string_view bytes) {
  T value;
  std::memcpy(&value, &bytes.front(), sizeof(T));
  return value;
}

uint64_t Mix(uint64_t value) {
  value *= 0x9E3779B97F4A7C15u;
  return value ^ value >> 32;
}

uint64_t HashOf(std::string_view value) {
  if (value.size() == 4) return Mix(IntegerOf<uint32_t>(value));
  if (value.size() == 8) return Mix(IntegerOf<uint64_t>(value));
  return XXH3_64bits(value.data(), value.size());
}

}  // namespace

void DistinctValues::Clear(bool texts, size_t values) {
  texts_ = texts;
  plain_.clear();
  begins_.clear();
  slots_.assign(std::bit_ceil(std::clamp(2 * values, kFewestSlots, kMostSlotsAtOnce)), {0, kEmpty});
}

uint32_t DistinctValues::PlaceOf(std::string_view value) {
  const uint64_t hash = HashOf(value);
  if (2 * (count() + 1) > slots_.size()) Grow();
  for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
    const Slot& found = slots_[slot];
    if (found.place == kEmpty) {
      slots_[slot] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(count())};
      return Add(value);
    }
    if (found.hash == static_cast<uint32_t>(hash >> 32) && ValueAt(found.place) == value) return found.place;
  }
}

std::string_view DistinctValues::ValueAt(size_t place) const {
  const size_t begin = begins_[place], end = place + 1 < begins_.size() ? begins_[place + 1] : plain_.size();
  return std::string_view(plain_).substr(begin, end - begin).substr(texts_ ? kLengthBytes : 0);
}

uint32_t DistinctValues::Add(std::string_view value) {
  begins_.push_back(static_cast<uint32_t>(plain_.size()));
  const auto length = static_cast<uint32_t>(value.size());
  if (texts_) plain_.append(reinterpret_cast<const char*>(&length), kLengthBytes);
  plain_ += value;
  return static_cast<uint32_t>(begins_.size() - 1);
}

void DistinctValues::Grow() {
  slots_.assign(std::max(kFewestSlots, 2 * slots_.size()), {0, kEmpty});
  for (uint32_t place = 0; place < count(); ++place) {
    const uint64_t hash = HashOf(ValueAt(place));
    size_t slot = hash & (slots_.size() - 1);
    while (slots_[slot].place != kEmpty) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = {static_cast<uint32_t>(hash >> 32), place};
  }
}

}  // namespace sluice::tables
