#include "core/clock.h"

#include <fmt/format.h>
#include <time.h>

#include <chrono>
#include <mutex>
#include <random>
#include <thread>

namespace sluice {
namespace {

class RealClock : public Clock {
 public:
  Instant Now() override {
    timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return {static_cast<int64_t>(ts.tv_sec) * 1000000 + ts.tv_nsec / 1000};
  }
  void SleepMillis(int64_t millis) override { std::this_thread::sleep_for(std::chrono::milliseconds(millis)); }
};

class RealRandom : public Random {
 public:
  uint64_t Next() override {
    std::lock_guard lock(mutex_);
    return (static_cast<uint64_t>(device_()) << 32) | device_();
  }

 private:
  std::mutex mutex_;
  std::random_device device_;
};

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

Random& SystemRandom() {
  static RealRandom random;
  return random;
}

uint64_t SeededRandom::Next() {
  uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::string NewUuid(Clock& clock, Random& random) {
  const uint64_t millis = static_cast<uint64_t>(clock.Now().millis()) & 0xFFFFFFFFFFFFULL;
  const uint64_t a = random.Next();
  const uint64_t b = random.Next();
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", static_cast<uint32_t>(millis >> 16), static_cast<uint16_t>(millis & 0xFFFF),
                     static_cast<uint16_t>(0x7000 | (a & 0x0FFF)), static_cast<uint16_t>(0x8000 | (b >> 50)), b & 0xFFFFFFFFFFFFULL);
}

}  // namespace sluice
