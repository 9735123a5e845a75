#pragma once
#include <memory>

#include "project/project.h"
#include "sources/source.h"

namespace sluice::run {

// The connector of a project's source, with its `read:` settings.
Result<std::unique_ptr<sources::Source>> OpenInput(const project::Source& source);

}  // namespace sluice::run
