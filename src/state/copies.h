#pragma once
// Data files, deletion vectors and change data written again under names of a batch: what a name stands for that somebody may be about to
// delete (a tombstone's is promised to any VACUUM) is safe in a copy.
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "delta/snapshot.h"
#include "store/object_store.h"

namespace sluice::state {

class Copies {
 public:
  // `prefix` begins the names of the copies; those of `live` are referred to, not copied. A data file's copy has the same name whenever it
  // is made with the same prefix. `live`, where given, outlives this.
  Copies(store::ObjectStore& lake, std::string root, std::string prefix, const delta::Snapshot* live, Clock& clock, Random& random);

  // The file with all that it needs, in names that last: itself where the table has it, else its copy.
  // Errors: kNotFound where a file to be copied is gone; those of the store.
  Result<delta::Add> Lasting(const delta::Add& file);
  Result<delta::CdcFile> Copy(const delta::CdcFile& file);
  // Where the file's copy lies, as the log names it.
  std::string CopyOf(const std::string& path) const;
  // Will the names of `copy`, made with this prefix before, last? Its vector may be one that was live then.
  bool Lasts(const delta::Add& copy) const;
  // Keys of the objects that are not in the table now: those that Lasting() would read.
  std::vector<std::string> NeedsOf(const delta::Add& file) const;

 private:
  bool IsLive(const std::string& path) const { return live_paths_.contains(path); }
  bool IsLive(const delta::DeletionVector& vector) const;
  Status CopyObject(const std::string& from, const std::string& to);

  store::ObjectStore& lake_;
  const std::string root_, prefix_;
  Clock& clock_;
  Random& random_;
  std::set<std::string> live_paths_, live_vectors_;  // the latter as keys below the root
};

}  // namespace sluice::state
