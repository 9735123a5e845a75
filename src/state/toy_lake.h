#pragma once
// A small world in which the real batch code plays the model: one store, a source of numbered records, two tables, foreign
// writers, and runs that may be paused, killed and cut off at any store operation.
//
// Ingest (the model's kind=ingest): record r goes to the quarantine table if r + flavour is even, else to bronze; both append.
// Group (kind=group): T0 is rewritten with all records so far, T1 is computed from T0's staged file and names it.
// Data files are lines of text: this room never looks inside them.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "state/batch.h"
#include "store/faulty_store.h"

namespace sluice::state::toy {

enum class Kind { kIngest, kGroup };

inline const std::string kProject = "toy";
inline const std::string kNode = "bronze.toy";
inline const std::vector<std::string> kRoots = {"quarantine/toy", "bronze/toy"};

struct World {
  explicit World(Kind of, int64_t records = 2) : kind(of), end(records) {}

  Kind kind;
  FixedClock clock{Instant{1'700'000'000'000'000}};
  SeededRandom random{7};
  std::unique_ptr<store::ObjectStore> lake = store::NewMemoryStore(clock);
  int64_t end;                   // the source's records are 0 … end-1
  int64_t flavour = 0;           // which table a record goes to when it is read
  bool bad_checks = false;       // checks of a re-preparation fail
  int foreign = 0;               // foreign commits so far
  bool log_was_cleaned = false;  // then a commit file may stand in a slot that nobody reads
  int run_count = 0;
};

// One process's run: everything goes through `lake`, which may be a FaultyStore over world.lake.
class Runner {
 public:
  Runner(World& world, store::ObjectStore& lake);
  // Recovers, then takes one batch if the source has something new. A value tells what happened, for messages.
  Result<std::string> RunOnce();
  BatchLog& log() { return log_; }
  Reprepare reprepare();

 private:
  Result<ReadyRecord> Stage(const OpenRecord& open, int64_t from);
  Result<TableChange> Append(int table, const std::string& file, const std::string& rows);
  Result<TableChange> Overwrite(int table, const std::string& file, const std::string& rows);
  Result<TableChange> Prepared(int table, std::vector<delta::Add> adds, bool overwrite);
  Result<Repreparation> PrepareAgain(const ReadyRecord& base, const std::vector<size_t>& redo);
  std::string NewFile(int64_t n, int attempt);

  World& world_;
  store::ObjectStore& lake_;
  BatchLog log_;
};

// A run with the store's operations counted or struck.
struct RunReport {
  Result<std::string> result;
  std::vector<store::Operation> operations;
};
RunReport RunWith(World& world, store::FaultyOptions options = {});
// Runs until there is nothing to do. Fails the test if it does not end well.
void RunToRest(World& world);
// The same, but gives the error that stopped it.
Status TryRunToRest(World& world);

// ---- foreign writers
void ForeignAppend(World& world, int table);       // creates the table if it is not there
void ForeignConflict(World& world, int table);     // ingest: properties; group: the files are rewritten
void ForgetTransactions(World& world, int table);  // a foreign commit, and a checkpoint that dropped all txns
void CleanLog(World& world, int table);            // a checkpoint at the head, and no commit file before it
void DropAndMakeAgain(World& world, int table);

// ---- what must hold
std::vector<std::string> Rows(World& world, int table);  // sorted; foreign rows start with 'f'
std::vector<delta::LogCommit> Commits(World& world, int table);
// Every record of the source exactly once; each batch's T1 computed from the T0 that was committed; each done record names
// versions that hold its batch; no batch twice in a log; every live file exists.
void ExpectExactlyOnce(World& world, const std::string& what, bool logs_are_whole = true);
// Only this: no record of the source is in the tables twice.
void ExpectNothingTwice(World& world, const std::string& what);
std::optional<ReadyRecord> HighestReady(World& world, int64_t n);

}  // namespace sluice::state::toy
