#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tables {

// Distinct values and their places, in the order in which they came: a dictionary in the making.
class DistinctValues {
 public:
  // `texts`: each stands in plain() behind its length in four bytes; else they all have one width.
  explicit DistinctValues(bool texts) : texts_(texts) {}

  // Empty again, with room for what so many values may bring, up to some thousands.
  void Clear(bool texts, size_t values);
  uint32_t PlaceOf(std::string_view value);

  size_t count() const { return begins_.size(); }
  size_t bytes() const { return plain_.capacity() + begins_.capacity() * sizeof(uint32_t) + slots_.capacity() * sizeof(Slot); }
  const std::string& plain() const { return plain_; }  // all, in Parquet's plain encoding
  std::string_view ValueAt(size_t place) const;

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  struct Slot {
    uint32_t hash, place;
  };

  uint32_t Add(std::string_view value);
  void Grow();

  bool texts_;
  std::string plain_;
  std::vector<uint32_t> begins_;
  std::vector<Slot> slots_;  // open addressing: as many as a power of two
};

}  // namespace sluice::tables
