#pragma once
// How a table changes: each store of a model lowered to staged files and one prepared commit (design sections 2, 6, 7). Nothing here
// commits, and nothing is visible to readers until the commit is put. On an error the files already staged stay as orphans.
//
// Column order of a stored table: the model's columns; scd2's own (Scd2Columns); metadata columns; generated partition columns.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/clock.h"
#include "delta/commit.h"
#include "delta/snapshot.h"
#include "engines/duckdb.h"
#include "store/object_store.h"
#include "tables/scan.h"

namespace arrow {
class RecordBatchReader;
}

namespace sluice::tables {

// The table as it is and as it is wanted.
struct TableTarget {
  store::ObjectStore* store = nullptr;
  std::string root;                               // key prefix: "silver/orders"
  std::string name;                               // for messages and surrogate keys: "silver.orders"
  std::optional<delta::Snapshot> snapshot;        // nullopt: the table is created
  contract::Schema schema;                        // wanted: metadata columns included, generated partition columns not
  std::vector<std::string> partition_by;          // as the project says it: "month(order_date)", "country"
  std::map<std::string, std::string> properties;  // Delta table properties wanted
  std::string description;
  bool deletion_vectors = false;  // readers: delta. Rows may be marked as gone instead of writing their files anew
  bool replace_schema = false;    // --full-refresh, on_change: rebuild: any schema change is allowed (StageOverwrite)
};

struct StageOptions {
  std::string file_prefix;             // "silver.orders-12.1": node, n, a
  std::string scratch_dir;             // local folder for spilling
  int64_t memory_bytes = 256LL << 20;  // of rows buffered by the writer (the engine has its own limit)
  int64_t target_file_bytes = 256LL << 20;
  Clock* clock = nullptr;    // default: SystemClock
  Random* random = nullptr;  // default: SystemRandom (table ids, file names)
};

struct ChangeCounts {
  int64_t read = 0;     // source rows
  int64_t added = 0;    // rows (merge: keys; scd2: versions) that were not there
  int64_t changed = 0;  // keys (scd2: versions) with other values
  int64_t same = 0;     // source rows that change nothing
  int64_t older = 0;    // merge: source rows that lost against a higher sequence, in the batch or in the table
  int64_t deleted = 0;  // keys deleted (scd2: closed)
  int64_t removed = 0;  // rows that an overwrite or a window replaced
};

// What would be committed: a value. Where `empty`, there is nothing to commit and nothing was staged.
struct StagedChange {
  bool empty = true;
  delta::PreparedCommit commit;  // a creation: protocol and metaData with a new id, read_version -1
  std::vector<StagedFile> added;
  std::vector<std::string> removed_paths;  // as the log has them
  ChangeCounts counts;
  std::optional<delta::DomainMetadata> domain;  // what a merge remembers of deleted keys, where that changes
  contract::Schema schema;                      // of the table after the commit
  std::vector<std::string> partition_columns;   // after the commit
  delta::ColumnMapping mapping = delta::ColumnMapping::kNone;
};

// The whole table as it will be (`this` of a check); for an empty change as it is.
Result<Scan> ScanAfter(const TableTarget& target, const StagedChange& change, const ScanOptions& options = {});
// The files that the change stages. Of a merge, interval or scd2 they also hold rows carried over from rewritten files: rows of
// this batch are those with its _batch_id.
Result<Scan> ScanAdded(const TableTarget& target, const StagedChange& change);

// Rows to store, as SQL for `Connection`: a SELECT giving target.schema's columns by name, with their types (they are cast).
struct Source {
  std::string sql;
  std::vector<engines::Parameter> params;
};

// The rows are appended. A widened column rewrites the table's files, which needs `connection` (else "schema-change").
// `rows` has target.schema's columns in its order and types. No rows and no schema change: empty (a table is created even so).
Result<StagedChange> StageAppend(const TableTarget& target, arrow::RecordBatchReader& rows, const StageOptions& options,
                                 engines::Connection* connection = nullptr);

// Replaces all rows, or those of the partitions for which `where` (SQL over partition columns; needs `connection`) is true; a row
// outside them is kData "row-outside-predicate". Whole, with replace_schema: any schema and partitioning, same table id.
struct OverwriteSpec {
  std::string where;
};
Result<StagedChange> StageOverwrite(const TableTarget& target, arrow::RecordBatchReader& rows, const OverwriteSpec& spec,
                                    const StageOptions& options, engines::Connection* connection = nullptr);

// Already staged files (ingest writes its own): append, or replace the whole table. Appended to a table whose columns must be
// widened, its present files are rewritten, which needs `connection` (else "schema-change"). `domain`: of the change that staged them.
// `gone`: files of the snapshot that go, appended to or not; not together with a widened column.
Result<StagedChange> StageFiles(const TableTarget& target, std::vector<StagedFile> files, bool replace, const StageOptions& options,
                                engines::Connection* connection = nullptr, std::optional<delta::DomainMetadata> domain = std::nullopt,
                                const std::vector<delta::Add>& gone = {});

// Errors, kData, naming the key: "null-key", "ambiguous-sequence" (equal sequence, different values, within the batch or against
// the table), "duplicate-key" (the table itself has a key twice). Metadata columns are not compared. NULL in sequence_by is the lowest.
struct MergeSpec {
  std::vector<std::string> key;
  std::vector<std::string> sequence_by;  // empty: arrival, the later one wins; then two different rows of a key in one arrival are
                                         // "ambiguous-sequence"
  std::vector<std::string> later;        // the source has several arrivals: SELECTs as its own, of what came after it, oldest first
  std::string delete_when;               // SQL over the source's columns
  std::vector<std::string> update;       // what an update may change (sequence_by always may); empty: all
  bool delete_missing = false;           // on_missing: delete. The source is a whole snapshot
};
Result<StagedChange> StageMerge(const TableTarget& target, engines::Connection& connection, const Source& source, const MergeSpec& spec,
                                const StageOptions& options);

// History of each key: half-open [valid_from, valid_to), valid_to NULL and is_current true for the open one. A version begins
// where a tracked column differs from the version before. Late rows split the interval they fall into; delivering rows again
// adds nothing. Errors as StageMerge; and "null-sequence".
struct Scd2Spec {
  std::vector<std::string> key;
  std::vector<std::string> sequence_by;         // the first is valid_from; the others decide between rows of one instant
  std::vector<std::string> track;               // empty: all but key, sequence_by and metadata columns
  std::string delete_when;                      // such a row closes its key's interval …
  bool ignore_deletes = false;                  // … or, on_delete: ignore, is passed over
  std::optional<std::string> close_missing_at;  // the source is a whole snapshot: keys absent from it are closed at this literal
};
// What StageScd2 adds to the model's columns: "<table>_sk" string (md5 over key and valid_from, the same in every engine),
// valid_from and valid_to (type of sequence_by[0]), is_current boolean. Errors: "unknown-column", "duplicate-column".
Result<contract::Schema> Scd2Schema(const std::string& table_name, const contract::Schema& model, const Scd2Spec& spec);
// target.schema is Scd2Schema's; `source` gives the model's columns and the metadata columns.
Result<StagedChange> StageScd2(const TableTarget& target, engines::Connection& connection, const Source& source, const Scd2Spec& spec,
                               const StageOptions& options);

// Replaces exactly the rows of the windows. A source row outside them (or with NULL) is kData "row-outside-window".
struct Window {
  std::string from, to;  // half-open; literals of the column's type: "2024-01-01", "2024-01-01T00:00:00Z"
};
struct IntervalSpec {
  std::string column;
  std::vector<Window> windows;
};
Result<StagedChange> StageInterval(const TableTarget& target, engines::Connection& connection, const Source& source,
                                   const IntervalSpec& spec, const StageOptions& options);

// How a table's schema must change to become the wanted one. Metadata of fields is not compared.
struct SchemaChange {
  std::vector<std::string> added;
  std::vector<std::string> widened;   // "amount: integer → bigint"
  std::vector<std::string> breaking;  // dropped, narrowed, retyped, newly not null; or the partitioning: texts for people
  bool none() const { return added.empty() && widened.empty() && breaking.empty(); }
};
SchemaChange CompareSchemas(const contract::Schema& before, const contract::Schema& after);
// A column's type once it is `after`: widened types and new fields of structs, in the order and with the metadata that it has.
contract::DataType EvolvedType(const contract::DataType& before, const contract::DataType& after);
// `wanted` in place of `before`: of a column that stays as it is, its id and physical name stay too.
contract::Schema WithIdsOf(const contract::Schema& before, contract::Schema wanted);

}  // namespace sluice::tables
