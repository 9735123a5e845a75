#pragma once
// Runs a program to its end, its output into a file: bounded in time and bytes. What it has started ends with it.
#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

namespace sluice::sources {

struct Program {
  std::vector<std::string> command;                              // its name, looked for in PATH, and arguments
  std::string folder;                                            // where it runs
  std::vector<std::pair<std::string, std::string>> environment;  // beside our own
  int64_t timeout_micros = 0;
  int64_t max_output_bytes = 0;
  const std::atomic<bool>* cancel = nullptr;  // may be null
};

// Gives how many bytes it printed; `output` is made, or emptied. Errors: kUser "no-such-program"; kRetryable "command-failed" (it ended
// with another code than 0, or by a signal; the message has the end of what it wrote to stderr), "command-timeout"; kData "command-output"
// (more than max_output_bytes); kCancelled.
Result<int64_t> RunProgram(const Program& program, const std::string& output);

}  // namespace sluice::sources
