#pragma once
// Which partitions can hold the rows that an operation asks for? What it read of the table ends there: writers elsewhere are no conflict
// (delta::ReadScope::kPartitions), and its files need not be opened.
#include <optional>
#include <string>
#include <vector>

#include "delta/commit.h"
#include "tables/prune.h"

namespace sluice::tables {

// nullopt: any of them. Of the columns that generated partition columns are computed from, too: where another writer may have had another
// zone than UTC, the days beside count as well.
using ReadWhere = std::optional<delta::AnyPartitionConditions>;

// Of the rows for which one of `any` holds, whose parameters are `params`.
ReadWhere PartitionsOf(engines::Connection& connection, const FileFacts& facts, const engines::AnyConditions& any,
                       const std::vector<engines::Parameter>& params = {});
// Of the rows of `target` for which `where` holds, SQL over its columns; `qualified`: over those of others too, so that only target.x is
// one of its own. "" for all.
ReadWhere PartitionsOf(engines::Connection& connection, const FileFacts& facts, const std::string& where, bool qualified);
// Of the rows whose `key` columns equal those of a row of `keys` (a relation with columns of these names).
ReadWhere PartitionsOfKeys(engines::Connection& connection, const FileFacts& facts, const std::vector<std::string>& key,
                           const std::string& keys);
// The files of these partitions.
std::vector<const delta::Add*> FilesThere(const ReadWhere& where, std::vector<const delta::Add*> files);

}  // namespace sluice::tables
