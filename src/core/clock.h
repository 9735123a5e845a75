#pragma once
// Time and randomness enter through these two interfaces, so that every test is deterministic.
#include <cstdint>
#include <string>

namespace sluice {

// An instant: microseconds since 1970-01-01T00:00:00Z.
struct Instant {
  int64_t micros = 0;
  int64_t millis() const { return micros >= 0 ? micros / 1000 : -((-micros + 999) / 1000); }
  auto operator<=>(const Instant&) const = default;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() = 0;
  virtual void SleepMillis(int64_t millis) = 0;
};

// Uniform 64-bit values. Implementations are thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
};

Clock& SystemClock();
Random& SystemRandom();

// A clock that stands until moved; sleeping moves it.
class FixedClock : public Clock {
 public:
  explicit FixedClock(Instant start) : now_(start) {}
  Instant Now() override { return now_; }
  void SleepMillis(int64_t millis) override { now_.micros += millis * 1000; }
  void Set(Instant now) { now_ = now; }

 private:
  Instant now_;
};

// splitmix64 from a seed; for tests and generators. Not thread-safe.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() override;

 private:
  uint64_t state_;
};

// UUID version 7 (RFC 9562 section 5.7): sorts by time of creation. Lower-case, 36 characters.
std::string NewUuid(Clock& clock, Random& random);

}  // namespace sluice
