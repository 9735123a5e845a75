#pragma once
// Any program that prints records: the way in for all that has no connector. docs/programs.md
#include <memory>

#include "sources/source.h"

namespace sluice::sources {

Result<std::unique_ptr<RowSource>> OpenCommandSource(const SourceSpec& spec);

}  // namespace sluice::sources
