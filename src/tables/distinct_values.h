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
  // `width`: of each value, in bytes; 0: texts, each of which stands in plain() behind its length in four bytes.
  explicit DistinctValues(size_t width) : width_(width) {}

  // Empty again, with room for what so many values may bring, up to some thousands.
  void Clear(size_t width, size_t values);
  uint32_t PlaceOf(std::string_view value);
  // Of values of four or eight bytes.
  template <typename T>
  uint32_t PlaceOf(T value);

  size_t count() const { return width_ == 0 ? begins_.size() : plain_.size() / width_; }
  size_t bytes() const { return plain_.capacity() + begins_.capacity() * sizeof(uint32_t) + slots_.capacity() * sizeof(Slot); }
  const std::string& plain() const { return plain_; }  // all, in Parquet's plain encoding
  std::string_view ValueAt(size_t place) const;

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  struct Slot {
    uint32_t hash, place;
  };

  template <typename IsValue>
  uint32_t Find(std::string_view value, uint64_t hash, IsValue is_value);
  uint32_t Add(std::string_view value);
  void Grow();

  size_t width_;
  std::string plain_;
  std::vector<uint32_t> begins_;  // of texts
  std::vector<Slot> slots_;       // open addressing: as many as a power of two
};

}  // namespace sluice::tables
