#pragma once
// Plays one case in a folder of its own: writes files, runs commands in-process, compares.
#include <optional>
#include <string>
#include <vector>

#include "cli/testing/case_file.h"

namespace sluice::cli::testing {

struct CaseOutcome {
  std::string name;
  std::vector<std::string> failures;  // empty: passed. Each begins with FILE:LINE:
  std::string folder;                 // where it was played
  double seconds = 0;
};

struct CaseOptions {
  std::string project_root;  // copied first (but for .sluice and build folders); "" = start empty
  std::string scratch;       // folder to play in; made and, unless `keep`, removed
  bool keep = false;
  std::string lakes = {};  // URL below which its lakes go instead of its folder; "" = in the folder
};

// Never throws; a broken case is a failure.
CaseOutcome RunCase(const Case& test, const CaseOptions& options);

}  // namespace sluice::cli::testing
