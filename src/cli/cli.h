#pragma once
// What did the person type? The whole command line as one function, so that tests and the pipeline runner call it in-process.
#include <iosfwd>
#include <string>
#include <vector>

namespace sluice::cli {

inline constexpr const char* kVersion = "0.1.0";

// Exit codes (design section 10).
inline constexpr int kDone = 0, kFailed = 1, kUsage = 2, kRefused = 3, kInterrupted = 130;

// Runs one command; results to `out`, progress, logs and errors to `err`. args exclude the program's name.
int Main(const std::vector<std::string>& args, std::ostream& out, std::ostream& err);

}  // namespace sluice::cli
