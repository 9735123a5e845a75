#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "state/lease.h"

namespace sluice::state {

struct Heartbeat::State {
  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;  // guarded by mutex, as failure is
  std::optional<Error> failure;
  std::thread thread;
};

Heartbeat::Heartbeat(Lease& lease, int64_t every_millis) : state_(std::make_unique<State>()) {
  state_->thread = std::thread([state = state_.get(), &lease, every_millis] {
    std::unique_lock lock(state->mutex);
    while (!state->changed.wait_for(lock, std::chrono::milliseconds(every_millis), [&] { return state->stop; })) {
      lock.unlock();
      const Status beat = lease.Beat();
      lock.lock();
      if (!beat && !state->failure) state->failure = beat.error();
    }
  });
}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

std::optional<Error> Heartbeat::failure() const {
  const std::lock_guard lock(state_->mutex);
  return state_->failure;
}

}  // namespace sluice::state
