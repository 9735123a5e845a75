#pragma once
// REST APIs: requests that a project declares, and the records in their answers. docs/http.md
#include <memory>

#include "sources/source.h"

namespace sluice::sources::http {

// Asks for nothing yet.
Result<std::unique_ptr<RowSource>> OpenHttpSource(const SourceSpec& spec);

}  // namespace sluice::sources::http
