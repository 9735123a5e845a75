#pragma once
// Files laid out anew: the same rows in fewer, fuller files. Readers of changes see nothing of it (dataChange is false).
#include <string>
#include <vector>

#include "tables/change.h"

namespace sluice::tables {

struct OptimizeSpec {
  std::string where;                    // SQL over partition columns: only these partitions; "" all
  std::vector<std::string> z_order_by;  // rows that lie close in all of these columns lie close in the files
  double purge_share = 0.05;            // a file is written anew where its deletion vector takes away this share of its rows
  int64_t min_small_files = 0;          // a partition that has fewer small files than this stays as it is
};
// Small is a file of less than three quarters of the target, deleted rows not counted. Has a partition at least so many? Pure, and cheap
// where the whole table has fewer.
bool HasSmallFiles(const delta::FileList<delta::Add>& files, int64_t target_bytes, int64_t min_small_files);

// Small files of a partition are packed together up to options.target_file_bytes, files with many deleted rows are written anew without
// them; with z_order_by every file is. Conflicts only with who removes one of the files. Empty where there is nothing to do.
// Errors: "unknown-column", "bad-z-order" (a partition column, a type without order), "sql" for a bad `where`.
Result<StagedChange> StageOptimize(const TableTarget& target, engines::Connection& connection, const OptimizeSpec& spec,
                                   const StageOptions& options);

// Which files to write together: a bin each, of one partition. Pure.
std::vector<std::vector<const delta::Add*>> PackFiles(const std::vector<const delta::Add*>& files, int64_t target_bytes,
                                                      double purge_share);

}  // namespace sluice::tables
