#pragma once
// Tables and queries of a PostgreSQL database.
#include <memory>
#include <string>
#include <vector>

#include "sources/source.h"

namespace sluice::sources::postgres {

// Connects when it is asked for something. Error kUser "postgres-table" where the table's name is none.
Result<std::unique_ptr<RowSource>> OpenPostgresSource(const SourceSpec& spec);

// A table that can be read, for people.
struct TableSummary {
  std::string name;             // "public.users"
  std::string kind;             // table, partitioned table, view, materialized view, foreign table
  int64_t bytes = 0, rows = 0;  // about
};
// All that the user may read, but for the server's own. Errors: those of connecting.
Result<std::vector<TableSummary>> ListTables(const Settings& settings, const std::atomic<bool>* cancel);

}  // namespace sluice::sources::postgres
