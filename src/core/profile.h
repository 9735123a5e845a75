#pragma once
// Where the time of a piece of work goes: for each stage the time that threads spent in it and in none below it.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice {

enum class Stage : uint8_t {
  kRead,     // bytes from the store, decompressed
  kSplit,    // bytes → records; of Parquet: its decoding
  kDecode,   // records → typed columns
  kCheck,    // the contract's rules
  kScatter,  // rows → partitions
  kEncode,   // columns → Parquet, compressed
  kStore,    // bytes to the store
  kRefuse,   // rows of quarantine
  kWait,     // for another thread
};
inline constexpr size_t kStages = 9;
const char* ToString(Stage stage);  // "read", …

struct StageTime {
  double seconds = 0, cpu_seconds = 0;  // over all threads
};
using StageTimes = std::array<StageTime, kStages>;

// Thread-safe.
class Profile {
 public:
  void Add(Stage stage, int64_t nanoseconds, int64_t cpu_nanoseconds);
  StageTimes times() const;
  // Of this thread: null unless a ProfileThread lives.
  static Profile* Current();

 private:
  struct Sum {
    std::atomic<int64_t> nanoseconds = 0, cpu_nanoseconds = 0;
  };
  std::array<Sum, kStages> sums_;
};

// As long as it lives, the timers of this thread add to `profile` (null: to none).
class ProfileThread {
 public:
  explicit ProfileThread(Profile* profile);
  ~ProfileThread();
  ProfileThread(const ProfileThread&) = delete;
  ProfileThread& operator=(const ProfileThread&) = delete;

 private:
  Profile* before_;
};

// Adds the time from here to its end to a stage, less that of timers within. Costs next to nothing where nothing is profiled.
class StageTimer {
 public:
  explicit StageTimer(Stage stage);
  ~StageTimer();
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  struct Moment {
    int64_t wall, cpu;
  };
  static Moment Now();

  Profile* profile_;
  Stage stage_;
  StageTimer* outer_ = nullptr;
  Moment start_{}, inner_{};  // inner_: spent in timers within
  static thread_local StageTimer* innermost_;
};

}  // namespace sluice
