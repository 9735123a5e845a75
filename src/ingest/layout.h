#pragma once
// Which columns the bronze table has after this batch, and where each comes from. Pure.
#include <string>
#include <vector>

#include "contract/contract.h"
#include "core/result.h"
#include "delta/snapshot.h"
#include "tables/data_file_writer.h"

namespace sluice::ingest {

struct Layout {
  static constexpr int kNull = -100;  // a column that neither contract nor file has: NULL
  contract::Schema table;             // generated columns included
  std::vector<std::string> partition_columns;
  bool schema_changed = false;
  std::vector<std::string> widened;
  // For each column that is written (all but generated ones, and then those of these that the rows bring, to be checked): index of a
  // decoded column; -1 - k: BronzeMetadataColumns()[k]; kNull.
  std::vector<int> sources;
  contract::Schema written;
  tables::FileRules rules;
};

// `rows`: the decoded columns (ReadRequest::schema()). An existing table keeps its columns and their order; new ones come at its
// end. Errors: kUser "column-type-changed" (the contract's type is not a widening of the table's), "reserved-column", "duplicate-column",
// "partitioning-changed"; those of ResolvePartitioning.
// `table`: its name, for messages.
Result<Layout> PlanLayout(const std::string& table, const contract::Contract& contract, const contract::Schema& rows,
                          const std::vector<std::string>& partition_by, const delta::Snapshot* snapshot);

}  // namespace sluice::ingest
