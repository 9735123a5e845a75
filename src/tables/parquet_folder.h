#pragma once
// A folder of Parquet files of another owner as a Delta table: a log of Sluice's own, kept apart from the files, says which files lay there
// at which version, with size and etag. Every version is a set of files that never changes, and versions can be compared.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "core/clock.h"
#include "delta/commit.h"
#include "engines/duckdb.h"
#include "store/object_store.h"

namespace sluice::tables {

struct ParquetFolder {
  std::string files;                                    // a glob below the root; "**": every file that ends in .parquet
  const std::vector<contract::ColumnContract>& pinned;  // columns whose type the project says
  std::string definition;                               // of glob and columns: where it is another one, every file is looked at again
  std::string new_id;                                   // of the table, where it has no log yet
  Instant now;
};

// The files of a listing below `root` that count: those that match, without hidden ones (a name that starts with `.`, or with `_` and is no
// `column=value`). Errors: kUser "delta-as-parquet" where a Delta log lies above one of them.
Result<std::vector<store::ObjectMeta>> FilesOfFolder(const std::vector<store::ObjectMeta>& listed, std::string_view root,
                                                     std::string_view glob);
// `column=value` in the folders of a path below the root, decoded; nullopt is NULL. In the path's order.
std::vector<std::pair<std::string, std::optional<std::string>>> HivePartitions(std::string_view relative_key);
// The type that all of these values have: bigint, date, else string.
contract::DataType TypeOfPartition(const std::vector<std::optional<std::string>>& values);

// What must be committed, one after another, onto `base` (null: there is no log) so that the log says what lies there now. Nothing: it
// does. `store` shows the files below `root` and the log in <root>/_delta_log. Only new files are opened, and those only by the engine,
// unless the definition changed or files went. Columns: those of all files by name, the widest type where one widens to another, then the
// hive partitions. Errors: kNotFound "no-such-table" without any file; kData "mixed-types", "mixed-partitions" naming the files; kUser
// "contract-mismatch" at the column's place; kUnsupported "unsupported-type"; those of FilesOfFolder, store and engine.
using Connect = std::function<Result<std::unique_ptr<engines::Connection>>()>;
Result<std::vector<delta::PreparedCommit>> FollowFolder(store::ObjectStore& store, const std::string& root, const delta::Snapshot* base,
                                                        const ParquetFolder& folder, const Connect& connect);

// The pinned files that lie there no more as they were: of another size or etag, or gone. For after a read.
Result<std::vector<std::string>> MovedFiles(store::ObjectStore& store, const std::string& root, const delta::Snapshot& pinned);

}  // namespace sluice::tables
