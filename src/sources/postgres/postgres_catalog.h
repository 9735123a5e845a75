#pragma once
// The tables of a database that no project describes yet.
#include <memory>

#include "sources/catalog.h"

namespace sluice::sources::postgres {

// Connects with each question.
Result<std::unique_ptr<Catalog>> OpenPostgresCatalog(const SourceSpec& spec);

}  // namespace sluice::sources::postgres
