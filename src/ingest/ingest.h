#pragma once
// Records in, staged bronze and quarantine out: the fused path (design section 5). Nothing here commits: the caller turns the
// result into the batch's decision.
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "core/clock.h"
#include "core/profile.h"
#include "core/result.h"
#include "delta/snapshot.h"
#include "engines/duckdb.h"
#include "formats/csv.h"
#include "formats/reader.h"
#include "project/project.h"
#include "sources/source.h"
#include "store/object_store.h"
#include "tables/scan.h"

namespace sluice::ingest {

using sources::InputFile;  // object: key in IngestRequest::input

// A table as it stood when the batch was planned.
struct Target {
  std::string root;                           // key prefix in the lake: "bronze/orders"
  const delta::Snapshot* snapshot = nullptr;  // null: the table does not exist yet
};

// Who ingests: what every row carries and every staged file is named for.
struct BatchIdentity {
  std::string node;  // "bronze.orders"
  std::string run_id;
  int64_t number = 1;               // n
  int attempt = 1;                  // a
  Instant ingested_at;              // the clock of attempt 1
  int32_t execution_date = 0;       // days since 1970-01-01
  std::string file_prefix() const;  // "bronze.orders-12.1"
};

struct Budget {
  int64_t memory_bytes = 512LL << 20;
  int threads = 2;
  std::string scratch_dir;  // a local folder that exists
  // A longer record is refused: a sixteenth of the memory, for on its way a record is held several times; 1 MiB to 64 MiB.
  int64_t max_record_bytes() const;
  // A file with more columns is refused: each takes some buffers of its own on its way into Parquet.
  size_t max_columns() const;
  // Of one batch: each is a file, its statistics and its place in a commit.
  uint32_t max_partitions() const;
};

struct Progress {
  int64_t bytes = 0;  // of the input objects, as stored
  int64_t rows = 0, quarantined = 0;
};

struct Environment {
  store::ObjectStore* input = nullptr;  // where the files lie; null where there are none
  store::ObjectStore* lake = nullptr;
  engines::DuckDb* db = nullptr;               // runs SQL rules and `where`; and Replay. May be null where neither is used
  std::vector<engines::Parameter> parameters;  // that they may name
  Random* random = nullptr;
  Budget budget;
  const std::atomic<bool>* cancel = nullptr;      // may be null
  std::function<void(const Progress&)> progress;  // may be empty; called from any thread, one at a time
  Profile* profile = nullptr;                     // where its time goes is added there; may be null
};

// What of the tables as they stand the batch takes the place of.
enum class Replaces {
  kNothing,
  kFiles,  // files that changed (on_changed_file: replace): the rows of `replaced`; those of bronze are the caller's to take out
  kRows,   // a snapshot in the place of the one before (keep: latest): bronze's rows go
  kTable,  // a reload: bronze's columns and partitioning too are made anew
};

// What a batch reads of a source of rows.
struct RowInput {
  sources::RowSource* source = nullptr;
  std::vector<sources::RowSplit> splits;
};

struct IngestRequest {
  const project::Source* source = nullptr;  // contract.columns must be there: see EffectiveContract
  std::vector<InputFile> files;             // in the order that decides which row is "first"
  std::optional<RowInput> rows;             // instead of files
  Target bronze;
  Target quarantine;
  BatchIdentity batch;
  // With rows of bronze their refused fellows are superseded: of a reload the open quarantine rows of the files that are read
  // again, of `replaced` theirs, of a snapshot all open ones. A later replay brings none of them into bronze beside what is read now.
  Replaces replaces = Replaces::kNothing;
  std::vector<std::string> replaced;  // kFiles: their names, as _file has them

  // Bronze as far as this batch keeps to it.
  const delta::Snapshot* kept_bronze() const { return replaces == Replaces::kTable ? nullptr : bronze.snapshot; }
};

// The change that a batch makes to one table, files already staged. A table that does not change has neither files nor removes.
struct StagedTable {
  std::string root;
  contract::Schema schema;  // the table's after this batch
  std::vector<std::string> partition_columns;
  bool schema_changed = false;       // or the table is new
  std::vector<std::string> widened;  // columns whose type grew (on_type_change: widen)
  std::vector<tables::StagedFile> files;
  std::vector<delta::Add> removed;          // files of the snapshot that go
  std::vector<tables::StagedFile> carried;  // rows of `removed` that stay
  bool overwrite = false;                   // `removed` is the whole table …
  bool replaces_schema = false;             // … and `schema` and `partition_columns` need not follow from what it had
  bool changes() const { return schema_changed || !files.empty() || !removed.empty(); }
};

// read = written + quarantined + deduplicated, else nothing is returned but a kBug error.
struct Counts {
  int64_t read = 0, written = 0, quarantined = 0, deduplicated = 0;
  int64_t warned = 0;  // rows written that break a rule with on_fail: warn
  bool conserved() const { return read == written + quarantined + deduplicated; }
  Counts& operator+=(const Counts& other);
};

struct Sample {
  std::string file;
  int64_t row = 0, line = 0;  // line 0: the format has none
  std::string value, message;
};

// One rule's violations in the batch.
struct RuleCount {
  std::string column, rule;  // column empty: of the whole record
  int64_t rows = 0;
  bool warn = false;
  std::vector<Sample> samples;  // the first three by file and row
};

struct FileCounts {
  std::string file;
  Counts counts;
  std::string content_hash;  // formats/content_hash.h; "" where the format is not read from the first byte to the last
};

struct IngestResult {
  StagedTable bronze, quarantine;
  Counts total;
  std::vector<FileCounts> files;  // as in the request
  std::vector<RuleCount> rules;   // most rows first
  std::vector<Error> warnings;
  int64_t superseded = 0;  // open quarantine rows of before that this batch takes the place of
};

// Reads the files once and stages. On any error the staged files of this attempt are deleted (best effort). Errors:
// kData "too-many-quarantined" (the violations then lie under RefusedKey), "contract-violated" (on_violation: fail, or a rule
// with on_fail: block; the message has the first violations), "missing-column", "duplicate-header", "too-many-columns",
// "too-many-partitions"; kUser "bad-rule" (a literal, pattern or predicate of the contract that does not hold for its column); kCancelled;
// store errors.
Result<IngestResult> Ingest(const IngestRequest& request, const Environment& environment);

// The contract to ingest with. Declared: as it is, plus the table's own types where a column was widened. Undeclared: the
// table's columns if it exists (frozen), else `detected`.
contract::Contract EffectiveContract(const contract::Contract& contract, const delta::Snapshot* bronze,
                                     const std::vector<contract::Field>& detected);

// "_sluice/refused/bronze.orders/12.1.parquet": quarantine rows of an attempt that a gate ended.
std::string RefusedKey(const BatchIdentity& batch);

// Columns of quarantine.<source> (docs in quarantine.h).
const contract::Schema& QuarantineSchema();

}  // namespace sluice::ingest
