#pragma once
// What did the person type? The whole command line as one function, so that tests and the pipeline runner call it in-process.
#include <atomic>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "store/object_store.h"

namespace sluice::cli {

inline constexpr const char* kVersion = "0.1.0";

// Exit codes (design section 10).
inline constexpr int kDone = 0, kFailed = 1, kUsage = 2, kRefused = 3, kInterrupted = 130;

// What tests put in the place of the real world.
struct Hooks {
  Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
  std::function<Result<std::unique_ptr<store::ObjectStore>>(const std::string& lake)> open_lake;
  std::atomic<bool>* cancelled = nullptr;
  std::function<void()> catch_signals;          // called by commands that look at `cancelled`; others end as the system ends them
  std::vector<std::string>* run_ids = nullptr;  // appended to
};

// Runs one command; results to `out`, progress, logs and errors to `err`. args exclude the program's name.
int Main(const std::vector<std::string>& args, std::ostream& out, std::ostream& err, const Hooks& hooks = {});

}  // namespace sluice::cli
