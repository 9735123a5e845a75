#pragma once
// `table show --json`: a snapshot as one JSON object.
#include <iosfwd>
#include <string>

#include "delta/snapshot.h"

namespace sluice::tables {

// table, location, id, name, description, version, timestamp, protocol, features, schema (Delta's own JSON), partition_columns,
// configuration, files (how many), bytes, rows, transactions, domain_metadata, and data_files: path, size, modification time,
// partition values, statistics and deletion vector of each live file. One line per file.
void WriteSnapshot(std::ostream& out, const delta::Snapshot& snapshot, const std::string& table, const std::string& location);

}  // namespace sluice::tables
