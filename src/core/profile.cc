#include "core/profile.h"

#include <ctime>

namespace sluice {
namespace {

thread_local Profile* current = nullptr;

int64_t Nanoseconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

}  // namespace

const char* ToString(Stage stage) {
  static constexpr std::array<const char*, kStages> kNames = {"read",   "split", "decode", "check", "scatter",
                                                              "encode", "store", "refuse", "wait"};
  return kNames[static_cast<size_t>(stage)];
}

void Profile::Add(Stage stage, int64_t nanoseconds, int64_t cpu_nanoseconds) {
  Sum& sum = sums_[static_cast<size_t>(stage)];
  sum.nanoseconds += nanoseconds;
  sum.cpu_nanoseconds += cpu_nanoseconds;
}

StageTimes Profile::times() const {
  StageTimes times;
  for (size_t i = 0; i < kStages; ++i)
    times[i] = {static_cast<double>(sums_[i].nanoseconds) / 1e9, static_cast<double>(sums_[i].cpu_nanoseconds) / 1e9};
  return times;
}

Profile* Profile::Current() { return current; }

ProfileThread::ProfileThread(Profile* profile) : before_(current) { current = profile; }
ProfileThread::~ProfileThread() { current = before_; }

thread_local StageTimer* StageTimer::innermost_ = nullptr;

StageTimer::Moment StageTimer::Now() { return {Nanoseconds(CLOCK_MONOTONIC), Nanoseconds(CLOCK_THREAD_CPUTIME_ID)}; }

StageTimer::StageTimer(Stage stage) : profile_(current), stage_(stage) {
  if (profile_ == nullptr) return;
  outer_ = innermost_;
  innermost_ = this;
  start_ = Now();
}

StageTimer::~StageTimer() {
  if (profile_ == nullptr) return;
  const Moment end = Now();
  const Moment whole{end.wall - start_.wall, end.cpu - start_.cpu};
  profile_->Add(stage_, whole.wall - inner_.wall, whole.cpu - inner_.cpu);
  innermost_ = outer_;
  if (outer_ == nullptr) return;
  outer_->inner_.wall += whole.wall;
  outer_->inner_.cpu += whole.cpu;
}

}  // namespace sluice
