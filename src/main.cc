#include <unistd.h>

#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "cli/cli.h"

namespace {

std::atomic<bool> cancelled = false;

// The first asks for a clean end, the second does not wait for it: what is committed is whole either way.
void OnSignal(int) {
  if (cancelled.exchange(true)) _exit(sluice::cli::kInterrupted);
}

void CatchSignals() {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action = {};
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;  // nohup, or a shell's background job
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  sluice::cli::Hooks hooks;
  hooks.cancelled = &cancelled;
  hooks.catch_signals = CatchSignals;
  return sluice::cli::Main(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr, hooks);
}
