#pragma once
// From a decision to its done record: commits each table, prepares void changes again, and believes only what it sees afresh.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "state/batch.h"
#include "state/fence.h"
#include "state/record_store.h"

namespace sluice::state {

// The work of one BatchLog::Finish.
class Finisher {
 public:
  Finisher(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity, int64_t n, const Reprepare& reprepare,
           const LogFloor& floor);
  Result<DoneRecord> Run();

 private:
  // Reads the highest decision; starts over if it is a later one than before. True if the batch is done.
  Result<bool> ReadRecords();
  // One look at the table of the next change, and one step for it.
  Status Advance();
  Status Put(const TableChange& change, const delta::Snapshot* table, int64_t version);
  // Does this run not know what became of the staged files since they were written?
  bool IsRecovery() const { return ready_->k > 1 || ready_->run_id != identity_.run_id; }
  // Decides anew for the changes that are left, with copies in the place of files that are old enough for another program's VACUUM to take
  // them soon. True: it did.
  Result<bool> RenewOldFiles();
  Status PrepareAgain(const std::string& why);
  Status PutReady(ReadyRecord next);
  Instant OldAt(const delta::Snapshot* table) const;
  Result<Repreparation> Redo(const std::vector<size_t>& redo);
  Result<ReadyRecord> Abandoned(const std::string& why) const;
  Status Arrived(const delta::Snapshot& table);
  void KeepUp(const std::string& root, const delta::Snapshot& table);
  Result<DoneRecord> WriteDone();
  Result<DoneRecord> DoneFrom(const std::vector<TableVersion>& before) const;

  store::ObjectStore& lake_;
  Clock& clock_;
  Random& random_;
  const NodeIdentity& identity_;
  int64_t n_;
  const Reprepare& reprepare_;
  const LogFloor& floor_;

  std::optional<ReadyRecord> ready_;
  std::vector<TableVersion> committed_;    // of ready_->changes, from the first; the next one's index is its size
  bool renewed_ = false;                   // what this run copied is not old, whatever the store's clock says
  std::optional<std::string> wrote_root_;  // whose commit this run put last
};

Result<TableLook> LookAt(store::ObjectStore& lake, const TableChange& change);

}  // namespace sluice::state
