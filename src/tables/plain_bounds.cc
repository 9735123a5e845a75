#include "tables/plain_bounds.h"

#include <parquet/statistics.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>

namespace sluice::tables {
namespace {

using Order = LeafType::Order;

constexpr size_t kMostBytes = 4096;  // of a bound

template <typename T>
T At(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// The first eight bytes of a text of `length`, as a number of the same order; those that it lacks are 0.
uint64_t BeginningOf(std::string_view from_here, size_t length) {
  uint64_t bytes = 0;
  const size_t known = std::min<size_t>(length, sizeof(bytes));
  if (known == 0) return 0;
  if (from_here.size() < sizeof(bytes)) {
    std::memcpy(&bytes, from_here.data(), known);
    return __builtin_bswap64(bytes);
  }
  std::memcpy(&bytes, from_here.data(), sizeof(bytes));
  return __builtin_bswap64(bytes) >> (8 * (sizeof(bytes) - known)) << (8 * (sizeof(bytes) - known));
}

bool SignedLess(std::string_view a, std::string_view b) {
  const auto sign = [](std::string_view bytes) { return static_cast<signed char>(bytes[0]); };
  return sign(a) != sign(b) ? sign(a) < sign(b) : a < b;
}

template <typename T>
void Widen(std::string_view plain, bool* observed, bool* has_nan, std::string* min, std::string* max) {
  using Limits = std::numeric_limits<T>;
  constexpr bool kFloats = std::is_floating_point_v<T>;
  T least = kFloats ? Limits::infinity() : Limits::max(), greatest = kFloats ? -Limits::infinity() : Limits::lowest();
  if (*observed) {
    least = At<T>(min->data());
    greatest = At<T>(max->data());
  }
  bool nan = false;
  for (size_t at = 0; at < plain.size(); at += sizeof(T)) {
    const T value = At<T>(plain.data() + at);
    least = value < least ? value : least;  // false for a NaN
    greatest = value > greatest ? value : greatest;
    nan |= value != value;
  }
  *has_nan |= nan;
  if (plain.empty() || least > greatest) return;
  // Of zeros it is not known which they are (parquet.thrift, ColumnOrder).
  if (kFloats && least == 0) least = -T(0);
  if (kFloats && greatest == 0) greatest = T(0);
  *observed = true;
  min->assign(reinterpret_cast<const char*>(&least), sizeof(T));
  max->assign(reinterpret_cast<const char*>(&greatest), sizeof(T));
}

}  // namespace

void PlainBounds::Observe(const LeafType& type, std::string_view plain) {
  const auto widen = [&](std::string_view value, auto less) {
    if (!observed_ || less(value, std::string_view(min_))) min_ = value;
    if (!observed_ || less(std::string_view(max_), value)) max_ = value;
    observed_ = true;
  };
  switch (type.order) {
    case Order::kBoolean:
      return Widen<uint8_t>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kInt32:
      return Widen<int32_t>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kInt64:
      return Widen<int64_t>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kFloat:
      return Widen<float>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kDouble:
      return Widen<double>(plain, &observed_, &has_nan_, &min_, &max_);
    case Order::kSignedBytes:
      for (size_t at = 0; at < plain.size(); at += type.width) widen(plain.substr(at, type.width), SignedLess);
      return;
    case Order::kBytes: {
      // Between the beginnings of both bounds, most texts need no closer look.
      uint64_t least = 0, greatest = 0;
      const auto look = [&](std::string_view text) {
        widen(text, std::less<>());
        least = BeginningOf(min_, min_.size());
        greatest = BeginningOf(max_, max_.size());
      };
      for (size_t at = 0; at < plain.size();) {
        const size_t length = LengthAt(plain.data() + at);
        at += kLengthBytes;
        const uint64_t beginning = BeginningOf(plain.substr(at), length);
        if (!(least < beginning && beginning < greatest)) look(plain.substr(at, length));
        at += length;
      }
      return;
    }
  }
}

void PlainBounds::Take(parquet::EncodedStatistics* statistics) {
  if (!std::exchange(observed_, false) || std::max(min_.size(), max_.size()) > kMostBytes) return;
  statistics->set_min(min_);
  statistics->set_max(max_);
}

}  // namespace sluice::tables
