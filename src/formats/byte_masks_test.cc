// The masks of every kind of vectors that this processor has, against one byte after the other.
#include "formats/byte_masks.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <string>

#include "core/clock.h"

namespace sluice::formats {
namespace {

int64_t LineEndsSlowly(const std::string& text) {
  int64_t lines = 0;
  for (size_t i = 0; i < text.size(); ++i) lines += text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'));
  return lines;
}

uint64_t EqualSlowly(const char* bytes, char wanted) {
  uint64_t bits = 0;
  for (int i = 0; i < 64; ++i) bits |= uint64_t{bytes[i] == wanted} << i;
  return bits;
}

class ByteMasks : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { hwy::SetSupportedTargetsForTest(GetParam()); }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

TEST_P(ByteMasks, AreThoseOfEachByte) {
  SeededRandom random(7);
  for (int round = 0; round < 200; ++round) {
    const size_t steps = 1 + random.Next() % 20;
    std::string text(64 * steps, 'x');
    for (char& c : text) c = std::string("\n\r,\"x\xffz\0", 8)[random.Next() % 8];
    std::vector<Masks> masks(steps);
    for (const char quote : {'"', '\0'}) {
      FindMasks(text.data(), steps, ',', quote, masks.data());
      for (size_t step = 0; step < steps; ++step) {
        const char* at = text.data() + 64 * step;
        EXPECT_EQ(masks[step].delimiter, EqualSlowly(at, ','));
        EXPECT_EQ(masks[step].quote, quote == '\0' ? 0 : EqualSlowly(at, quote));
        EXPECT_EQ(masks[step].lf, EqualSlowly(at, '\n'));
        EXPECT_EQ(masks[step].cr, EqualSlowly(at, '\r'));
      }
    }
  }
}

TEST_P(ByteMasks, LinesOfAnyEndingAreCounted) {
  EXPECT_EQ(CountLineEnds("a\nb\r\nc\rd", 8), 3);
  SeededRandom random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random.Next() % 300, 'x');
    for (char& c : text) c = "\n\rxy"[random.Next() % 4];
    EXPECT_EQ(CountLineEnds(text.data(), text.size()), LineEndsSlowly(text)) << testing::PrintToString(text);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, ByteMasks, testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& info) { return std::string(hwy::TargetName(info.param)); });

}  // namespace
}  // namespace sluice::formats
