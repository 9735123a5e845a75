#pragma once
// Looking at tables that no project describes yet: `inspect CONNECTION.TABLE`.
#include <atomic>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/result.h"
#include "sources/postgres/catalog.h"

namespace sluice::sources::postgres {

struct TableLook {
  std::string table;  // "public.users"
  std::vector<FoundColumn> columns;
  Constraints constraints;
};
// Errors: those of connecting; kUser "postgres-no-table".
Result<TableLook> LookAtTable(const Settings& settings, const std::string& table, const std::atomic<bool>* cancel);

// A column that looks as if it grew with every change: "updated_at"; "" = none.
std::string CursorColumn(const TableLook& look);

// sources/NAME.yml as it could be, with comments that say what to look at. Pure.
std::string SourceYaml(const std::string& connection, const TableLook& look);

}  // namespace sluice::sources::postgres
