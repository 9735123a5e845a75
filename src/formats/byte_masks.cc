#include "formats/byte_masks.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "formats/byte_masks.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sluice::formats {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// The bits of 64 bytes that are equal to `wanted`.
template <class D, class V = hn::Vec<D>>
HWY_INLINE uint64_t Equal64(D d, const uint8_t* bytes, V wanted) {
  const size_t lanes = hn::Lanes(d);  // 16, 32 or 64
  uint8_t bits[8 + 8] = {};
  for (size_t at = 0; at < 64; at += lanes) hn::StoreMaskBits(d, hn::Eq(hn::LoadU(d, bytes + at), wanted), bits + at / 8);
  uint64_t out;
  std::memcpy(&out, bits, sizeof(out));
  return out;
}

#endif

HWY_INLINE uint64_t Equal64(const uint8_t* bytes, uint8_t wanted) {
#if HWY_TARGET == HWY_SCALAR
  uint64_t bits = 0;
  for (int i = 0; i < 64; ++i) bits |= uint64_t{bytes[i] == wanted} << i;
  return bits;
#else
  const hn::CappedTag<uint8_t, 64> d;
  return Equal64(d, bytes, hn::Set(d, wanted));
#endif
}

void FindMasksHere(const char* text, size_t steps, char delimiter, char quote, Masks* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text);
  for (size_t step = 0; step < steps; ++step, bytes += 64) {
    out[step] = {Equal64(bytes, static_cast<uint8_t>(delimiter)), quote == '\0' ? 0 : Equal64(bytes, static_cast<uint8_t>(quote)),
                 Equal64(bytes, '\n'), Equal64(bytes, '\r')};
  }
}

int64_t CountLineEndsHere(const char* text, size_t size) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text);
  int64_t lines = 0;
  bool cr = false;  // the last byte was one, and what follows it is not known yet
  size_t at = 0;
  for (; at + 64 <= size; at += 64) {
    const uint64_t lf = Equal64(bytes + at, '\n'), crs = Equal64(bytes + at, '\r');
    lines += hwy::PopCount(lf) + (cr && (lf & 1) == 0);
    lines += static_cast<int64_t>(hwy::PopCount(crs & ~(lf >> 1) & ~(uint64_t{1} << 63)));
    cr = crs >> 63 != 0;
  }
  for (; at < size; ++at) {
    lines += text[at] == '\n' || cr;
    cr = text[at] == '\r';
  }
  return lines + cr;
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::formats
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::formats {

HWY_EXPORT(FindMasksHere);
HWY_EXPORT(CountLineEndsHere);

void FindMasks(const char* bytes, size_t steps, char delimiter, char quote, Masks* out) {
  HWY_DYNAMIC_DISPATCH(FindMasksHere)(bytes, steps, delimiter, quote, out);
}

int64_t CountLineEnds(const char* bytes, size_t size) { return HWY_DYNAMIC_DISPATCH(CountLineEndsHere)(bytes, size); }

}  // namespace sluice::formats
#endif
