#include "tables/distinct_values.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/same_text.h"
#include "tables/leaf_type.h"

namespace sluice::tables {
namespace {

constexpr size_t kFewestSlots = 64, kMostSlotsAtOnce = 8192;

template <typename T>
T IntegerAt(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

uint64_t Mix(uint64_t value) {
  value *= 0x9E3779B97F4A7C15u;
  return value ^ value >> 32;
}

uint64_t HashOf(std::string_view value) {
  if (value.size() == 4) return Mix(IntegerAt<uint32_t>(&value.front()));
  if (value.size() == 8) return Mix(IntegerAt<uint64_t>(&value.front()));
  return XXH3_64bits(value.data(), value.size());
}

}  // namespace

void DistinctValues::Clear(size_t width, size_t values) {
  width_ = width;
  plain_.clear();
  begins_.clear();
  slots_.assign(std::bit_ceil(std::clamp(2 * values, kFewestSlots, kMostSlotsAtOnce)), {0, kEmpty});
}

template <typename IsValue>
uint32_t DistinctValues::Find(std::string_view value, uint64_t hash, IsValue is_value) {
  if (2 * (count() + 1) > slots_.size()) Grow();
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
    const Slot found = slots_[slot];
    if (found.place == kEmpty) {
      slots_[slot] = {tag, static_cast<uint32_t>(count())};
      return Add(value);
    }
    if (found.hash == tag && is_value(found.place)) return found.place;
  }
}

uint32_t DistinctValues::PlaceOf(std::string_view value) {
  return Find(value, HashOf(value), [&](uint32_t place) { return SameText(ValueAt(place), value); });
}

template <typename T>
uint32_t DistinctValues::PlaceOf(T value) {
  const std::string_view bytes(reinterpret_cast<const char*>(&value), sizeof(T));
  return Find(bytes, Mix(value), [&](uint32_t place) { return IntegerAt<T>(plain_.data() + place * sizeof(T)) == value; });
}
template uint32_t DistinctValues::PlaceOf(uint32_t);
template uint32_t DistinctValues::PlaceOf(uint64_t);

std::string_view DistinctValues::ValueAt(size_t place) const {
  if (width_ > 0) return std::string_view(plain_).substr(place * width_, width_);
  const size_t begin = begins_[place] + kLengthBytes;
  return std::string_view(plain_).substr(begin, LengthAt(plain_.data() + begins_[place]));
}

uint32_t DistinctValues::Add(std::string_view value) {
  const auto place = static_cast<uint32_t>(count());
  if (width_ == 0) {
    begins_.push_back(static_cast<uint32_t>(plain_.size()));
    const auto length = static_cast<uint32_t>(value.size());
    plain_.append(reinterpret_cast<const char*>(&length), kLengthBytes);
  }
  plain_ += value;
  return place;
}

void DistinctValues::Grow() {
  slots_.assign(std::max(kFewestSlots, 2 * slots_.size()), {0, kEmpty});
  const auto places = static_cast<uint32_t>(count());
  for (uint32_t place = 0; place < places; ++place) {
    const uint64_t hash = HashOf(ValueAt(place));
    size_t slot = hash & (slots_.size() - 1);
    while (slots_[slot].place != kEmpty) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = {static_cast<uint32_t>(hash >> 32), place};
  }
}

}  // namespace sluice::tables
