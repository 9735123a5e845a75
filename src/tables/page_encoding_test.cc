#include "tables/page_encoding.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/clock.h"

namespace sluice::tables {
namespace {

// Encodings.md, "Run Length Encoding / Bit-Packing Hybrid", read value by value.
std::vector<uint32_t> Decoded(const std::string& bytes, int width, size_t count) {
  std::vector<uint32_t> values;
  size_t at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes.at(at++));
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  };
  const auto bit = [&](size_t place) { return static_cast<unsigned char>(bytes.at(at + place / 8)) >> (place % 8) & 1u; };
  while (values.size() < count) {
    const uint64_t header = varint();
    if ((header & 1) == 0) {
      uint32_t value = 0;
      for (int i = 0; i < width; i += 8) value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes.at(at++))) << i;
      EXPECT_LE(values.size() + (header >> 1), count);
      values.insert(values.end(), header >> 1, value);
      continue;
    }
    const size_t packed = (header >> 1) * 8;
    for (size_t i = 0; i < packed; ++i) {
      uint32_t value = 0;
      for (int b = 0; b < width; ++b) value |= bit(i * static_cast<size_t>(width) + static_cast<size_t>(b)) << b;
      if (values.size() < count)
        values.push_back(value);
      else
        EXPECT_EQ(value, 0u);  // what fills the last group
    }
    at += packed * static_cast<size_t>(width) / 8;
  }
  EXPECT_EQ(at, bytes.size());
  return values;
}

TEST(PageEncoding, HybridSaysAnyValues) {
  SeededRandom random(1);
  for (int round = 0; round < 2000; ++round) {
    const int width = 1 + static_cast<int>(random.Next() % 32);
    const uint64_t limit = uint64_t{1} << width;
    std::vector<uint32_t> values;
    while (values.size() < random.Next() % 300) {
      const auto value = static_cast<uint32_t>(random.Next() % limit);
      values.insert(values.end(), random.Next() % 3 == 0 ? random.Next() % 40 : 1, value);
    }
    std::string bytes;
    AppendHybrid(std::span<const uint32_t>(values), width, &bytes);
    EXPECT_EQ(Decoded(bytes, width, values.size()), values);
  }
}

TEST(PageEncoding, ARunTakesFewBytes) {
  const std::vector<uint32_t> values(1'000'000, 7);
  std::string bytes;
  AppendHybrid(std::span<const uint32_t>(values), 3, &bytes);
  EXPECT_LE(bytes.size(), 5u);
}

TEST(PageEncoding, LevelsHaveTheirLength) {
  std::string all, some;
  AppendLevels({}, 300, 1, &all);
  EXPECT_EQ(all, std::string("\x03\0\0\0\xD8\x04\x01", 7));  // a run of 300 ones
  const std::vector<uint8_t> present = {1, 0, 1};
  AppendLevels(present, 3, 1, &some);
  EXPECT_EQ(some, std::string("\x02\0\0\0\x03\x05", 6));
}

TEST(PageEncoding, BitsOfPlaces) {
  EXPECT_EQ(BitsOf(0), 1);
  EXPECT_EQ(BitsOf(1), 1);
  EXPECT_EQ(BitsOf(2), 1);
  EXPECT_EQ(BitsOf(3), 2);
  EXPECT_EQ(BitsOf(256), 8);
  EXPECT_EQ(BitsOf(257), 9);
}

}  // namespace
}  // namespace sluice::tables
