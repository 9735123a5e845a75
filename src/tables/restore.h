#pragma once
// A table as it was before, and what two of its versions differ in.
#include <string>
#include <vector>

#include "tables/change.h"

namespace sluice::tables {

// Brings the table back to `version`: its files come again, those of later versions go, schema and properties too; the protocol is
// never lowered. Empty where nothing differs. Errors: kConflict "restore-impossible" naming files that were removed since.
Result<StagedChange> StageRestore(const TableTarget& target, int64_t version, const StageOptions& options);

// Live files of `a` that `b` does not have, or has with another deletion vector.
std::vector<delta::Add> FilesWithout(const delta::Snapshot& a, const delta::Snapshot& b);

// Rows that differ between two versions of a table, matched by `key`, as a SELECT: "change" ("added", "removed", "changed"), the key, and
// "columns", the names of those that differ, with their values as text in "before" and "after", three lists. Files that both versions have
// are not opened. Columns that only one of them has are not compared. Errors: "unknown-column".
Result<std::string> DiffSql(store::ObjectStore& store, std::string_view table_root, const delta::Snapshot& from, const delta::Snapshot& to,
                            const std::vector<std::string>& key);

}  // namespace sluice::tables
