#pragma once
// Which files can hold rows of interest, by what the log says of each: partition values, and statistics.
#include <string>
#include <vector>

#include "delta/column_mapping.h"
#include "delta/snapshot.h"
#include "engines/duckdb.h"
#include "engines/row_conditions.h"

namespace sluice::tables {

// How the files of a table are described.
struct FileFacts {
  const contract::Schema& schema;
  const std::vector<std::string>& partition_columns;
  delta::ColumnMapping mapping = delta::ColumnMapping::kNone;
};

// The files that may hold a row whose `key` columns equal those of a row of `keys` (a relation with columns of these names). Only
// bounds are looked at: a file stays where they are unknown.
Result<std::vector<const delta::Add*>> FilesWithKeys(engines::Connection& connection, const FileFacts& facts,
                                                     std::vector<const delta::Add*> files, const std::vector<std::string>& key,
                                                     const std::string& keys);

// The files that may hold a row for which one of `any` holds, by bounds and partition values. `params` gives their parameters. Conditions
// on columns that the table does not have, or whose order is not sure, count as met; where they cannot be computed, every file stays.
Result<std::vector<const delta::Add*>> FilesWithRows(engines::Connection& connection, const FileFacts& facts,
                                                     std::vector<const delta::Add*> files, const engines::AnyConditions& any,
                                                     const std::vector<engines::Parameter>& params);

// For which of these tuples of partition values is `where`, SQL over partition columns, true?
Result<std::vector<bool>> MatchingPartitions(engines::Connection& connection, const FileFacts& facts, const std::string& where,
                                             const std::vector<const delta::PartitionValues*>& tuples);
// The files of the partitions for which `where`, SQL over partition columns, is true.
Result<std::vector<const delta::Add*>> FilesInPartitions(engines::Connection& connection, const FileFacts& facts,
                                                         const std::vector<const delta::Add*>& files, const std::string& where);

}  // namespace sluice::tables
