// Merges a Parquet file into a Delta table by its key and says what it cost: merge_bench LAKE TABLE SOURCE KEY SEQUENCE MODE THREADS
// SEQUENCE: a column, or - where the later batch wins (then all columns are compared). MODE: vectors, rewrite or optimize.
#include <arrow/record_batch.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "core/text.h"
#include "engines/duckdb.h"
#include "store/object_store.h"
#include "tables/change.h"
#include "tables/optimize.h"

using namespace sluice;

namespace {

Result<tables::StagedChange> Stage(const tables::TableTarget& target, engines::Connection& connection, const std::string& source,
                                   const std::string& key, const std::string& sequence, const std::string& mode,
                                   const tables::StageOptions& options) {
  if (mode == "optimize") return tables::StageOptimize(target, connection, {}, options);
  tables::MergeSpec spec;
  spec.key = {key};
  if (sequence != "-") spec.sequence_by = {sequence};
  return tables::StageMerge(target, connection, {fmt::format("SELECT * FROM read_parquet({})", QuoteLiteral(source)), {}}, spec, options);
}

Status Run(char** argv) {
  const std::string mode = argv[6];
  SLUICE_TRY(const auto lake, store::OpenLocalStore(argv[1]));
  engines::DuckDbOptions db_options;
  db_options.threads = std::atoi(argv[7]);
  db_options.memory_bytes = 2LL << 30;
  db_options.temp_dir = std::string(argv[1]) + "/.scratch";
  db_options.preserve_insertion_order = false;
  std::filesystem::create_directories(db_options.temp_dir);
  SLUICE_TRY(const auto db, engines::DuckDb::Open(db_options));
  SLUICE_TRY(const auto connection, db->Connect());

  tables::TableTarget target;
  target.store = lake.get();
  target.root = target.name = argv[2];
  SLUICE_TRY(target.snapshot, delta::LoadSnapshot(*lake, target.root));
  target.schema = target.snapshot->schema;
  target.deletion_vectors = mode == "vectors";
  tables::StageOptions options;
  options.file_prefix = "bench";
  options.scratch_dir = db_options.temp_dir;

  const auto start = std::chrono::steady_clock::now();
  SLUICE_TRY(const tables::StagedChange change, Stage(target, *connection, argv[3], argv[4], argv[5], mode, options));
  if (!change.empty) {
    delta::CommitStamp stamp;
    stamp.commit_id = NewUuid(SystemClock(), SystemRandom());
    stamp.now = SystemClock().Now();
    stamp.engine_info = "sluice/bench";
    SLUICE_TRY(const auto outcome, delta::Commit(*lake, target.root, change.commit, stamp, SystemClock()));
    if (!std::holds_alternative<delta::Committed>(outcome)) return Fail(ConflictError("conflict", "another writer came first"));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{} {} {} {} {}\n", seconds, change.counts.changed, change.counts.added, change.counts.same,
             change.empty ? "empty" : "committed");
  return Ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) return fmt::print(stderr, "merge_bench LAKE TABLE SOURCE KEY SEQUENCE MODE THREADS\n"), 2;
  const Status done = Run(argv);
  if (!done) return fmt::print(stderr, "{}\n", done.error().ToString()), 1;
  return 0;
}
