#pragma once
// Draws from a stream of its own per purpose, so that one source's size does not change another's content. Two draws never
// stand among the arguments of one call: their order would be the compiler's.
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/clock.h"
#include "core/text.h"

namespace sluice::cli::retail {

class Draw {
 public:
  Draw(uint64_t seed, std::string_view purpose) : random_(seed ^ Hash64(purpose)) {}

  int64_t Below(int64_t n) { return static_cast<int64_t>(random_.Next() % static_cast<uint64_t>(n)); }
  int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }  // inclusive
  bool Chance(int percent) { return Below(100) < percent; }
  template <typename T, size_t N>
  const T& Pick(const std::array<T, N>& from) {
    return from[static_cast<size_t>(Below(static_cast<int64_t>(N)))];
  }

 private:
  SeededRandom random_;
};

}  // namespace sluice::cli::retail
