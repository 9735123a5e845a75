#pragma once
// What can be read of a project that has errors, for commands that only look.
#include <vector>

#include "project/project.h"

namespace sluice::project {

struct Readable {
  Project project;            // of files with errors what could be made of them; of those that are no YAML nothing
  std::vector<Error> errors;  // sorted by place; empty: the project is what LoadProject gives
};

// Fails where nothing can be looked at: there is no project, sluice.yml is no map or says no lake, or the options name an environment
// or var that is not there.
Result<Readable> LoadReadable(const LoadOptions& options);

}  // namespace sluice::project
