#pragma once
// Where certain bytes stand, 64 of them at a time. By the widest vectors of the processor it runs on (Highway's dynamic dispatch).
#include <cstddef>
#include <cstdint>

namespace sluice::formats {

// Bit i: byte i of the 64.
struct Masks {
  uint64_t delimiter, quote, lf, cr;
};

// Of 64 * steps bytes, all of them readable, the masks of each step. quote '\0': none is one.
void FindMasks(const char* bytes, size_t steps, char delimiter, char quote, Masks* out);

// LF, and CR that no LF follows; whatever comes behind the last byte.
int64_t CountLineEnds(const char* bytes, size_t size);

// Bit i of the result is the parity of bits 0 … i.
inline uint64_t PrefixXor(uint64_t bits) {
  for (int shift = 1; shift < 64; shift <<= 1) bits ^= bits << shift;
  return bits;
}

}  // namespace sluice::formats
