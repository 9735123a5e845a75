#include "core/profile.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "core/parallel.h"

namespace sluice {
namespace {

double Seconds(const Profile& profile, Stage stage) { return profile.times()[static_cast<size_t>(stage)].seconds; }
void Sleep(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

TEST(Profile, TimeWithinAnotherStageIsThatStagesAlone) {
  Profile profile;
  {
    const ProfileThread thread(&profile);
    const StageTimer outer(Stage::kSplit);
    Sleep(5);
    {
      const StageTimer inner(Stage::kRead);
      Sleep(40);
    }
  }
  EXPECT_GE(Seconds(profile, Stage::kRead), 0.040);
  EXPECT_GE(Seconds(profile, Stage::kSplit), 0.005);
  EXPECT_EQ(Seconds(profile, Stage::kDecode), 0);
  const StageTimes times = profile.times();
  EXPECT_LT(times[static_cast<size_t>(Stage::kRead)].cpu_seconds, times[static_cast<size_t>(Stage::kRead)].seconds);  // it slept
}

TEST(Profile, NothingIsAddedWithoutOne) {
  Profile profile;
  {
    const ProfileThread thread(&profile);
  }
  const StageTimer timer(Stage::kRead);
  EXPECT_EQ(Profile::Current(), nullptr);
  EXPECT_EQ(Seconds(profile, Stage::kRead), 0);
}

TEST(Profile, ThreadsOfOneWorkAddToIt) {
  Profile profile;
  const ProfileThread thread(&profile);
  const auto done = InParallel(4, 4, [](size_t) {
    const StageTimer timer(Stage::kEncode);
    Sleep(10);
    return Ok();
  });
  EXPECT_TRUE(done);
  EXPECT_GE(Seconds(profile, Stage::kEncode), 0.040);
}

}  // namespace
}  // namespace sluice
