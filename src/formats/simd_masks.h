#pragma once
// 64 bytes → bit masks of where certain bytes stand; bit i is byte i.
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sluice::formats {

struct Masks {
  uint64_t delimiter, quote, lf, cr;
};

// Bit i of the result is the parity of bits 0 … i.
inline uint64_t PrefixXor(uint64_t bits) {
  for (int shift = 1; shift < 64; shift <<= 1) bits ^= bits << shift;
  return bits;
}

#if defined(__SSE2__)

class MaskMaker {
 public:
  MaskMaker(char delimiter, char quote)
      : delimiter_(_mm_set1_epi8(delimiter)), quote_(_mm_set1_epi8(quote)), quoted_(quote != '\0' ? ~uint64_t{0} : 0) {}

  // Reads 64 bytes.
  Masks operator()(const char* bytes) const {
    Masks masks{0, 0, 0, 0};
    const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');
    for (int part = 0; part < 4; ++part) {
      const __m128i in = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes) + part);
      masks.delimiter |= Bits(_mm_cmpeq_epi8(in, delimiter_)) << (16 * part);
      masks.quote |= Bits(_mm_cmpeq_epi8(in, quote_)) << (16 * part);
      masks.lf |= Bits(_mm_cmpeq_epi8(in, lf)) << (16 * part);
      masks.cr |= Bits(_mm_cmpeq_epi8(in, cr)) << (16 * part);
    }
    masks.quote &= quoted_;
    return masks;
  }

 private:
  static uint64_t Bits(__m128i compared) { return static_cast<uint32_t>(_mm_movemask_epi8(compared)); }
  __m128i delimiter_, quote_;
  uint64_t quoted_;
};

#else

class MaskMaker {
 public:
  MaskMaker(char delimiter, char quote) : delimiter_(delimiter), quote_(quote) {}

  Masks operator()(const char* bytes) const {
    Masks masks{0, 0, 0, 0};
    for (int i = 0; i < 64; ++i) {
      masks.delimiter |= uint64_t{bytes[i] == delimiter_} << i;
      masks.quote |= uint64_t{quote_ != '\0' && bytes[i] == quote_} << i;
      masks.lf |= uint64_t{bytes[i] == '\n'} << i;
      masks.cr |= uint64_t{bytes[i] == '\r'} << i;
    }
    return masks;
  }

 private:
  char delimiter_, quote_;
};

#endif

}  // namespace sluice::formats
