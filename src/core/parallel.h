#pragma once
// Independent pieces of work on several threads.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <vector>

#include "core/profile.h"
#include "core/result.h"

namespace sluice {

// work(i) for each i < count, on `threads` threads, this one among them; in order where there is one. The first error ends what has not
// begun.
inline Status InParallel(size_t count, size_t threads, const std::function<Status(size_t)>& work) {
  std::atomic<size_t> next = 0;
  const auto worker = [&]() -> Status {
    for (size_t i = next++; i < count; i = next++)
      if (auto done = work(i); !done) {
        next = count;
        return done;
      }
    return Ok();
  };
  std::vector<std::future<Status>> others;
  const auto beside = [&worker, profile = Profile::Current()] {
    const ProfileThread thread(profile);
    return worker();
  };
  for (size_t i = 1; i < std::min(threads, count); ++i) others.push_back(std::async(std::launch::async, beside));
  Status done = worker();
  for (auto& other : others)
    if (auto status = other.get(); done && !status) done = std::move(status);
  return done;
}

}  // namespace sluice
