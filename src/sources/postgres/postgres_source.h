#pragma once
// Tables and queries of a PostgreSQL database.
#include <memory>

#include "sources/source.h"

namespace sluice::sources::postgres {

// Connects when it is asked for something. Error kUser "postgres-table" where the table's name is none.
Result<std::unique_ptr<RowSource>> OpenPostgresSource(const SourceSpec& spec);

}  // namespace sluice::sources::postgres
