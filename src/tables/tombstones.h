#pragma once
// Keys that a merge deleted, with the sequence of the delete, so that an older row that comes late does not bring them back. They lie in
// Parquet files beside the table's data, in a folder that no foreign VACUUM looks into, and are named by a metadata domain of the table:
// so they change in the same commit as the rows, go back with RESTORE, and no reader of the table sees them.
#include <optional>
#include <string>
#include <vector>

#include "tables/keyed.h"

namespace sluice::tables {

inline constexpr const char* kTombstoneDomain = "sluice.tombstones";
inline constexpr const char* kTombstoneFolder = "_sluice_tombstones/";

// The files that the domain's value names, below the table's root. Error: "bad-delta-log".
Result<std::vector<std::string>> TombstoneFiles(const delta::DomainMetadata& domain);

class Tombstones {
 public:
  // What the table remembers of these columns; nothing if it was written for others.
  static Result<Tombstones> Of(const TableTarget& target, const TablePlan& plan, std::vector<std::string> key,
                               std::vector<std::string> sequence);
  bool empty() const { return files_.empty(); }
  // Key and sequence of every delete, for FROM; a key may have several. Requires !empty().
  std::string Relation() const;
  // Stages a file with the rows of `select`, which gives key and sequence: what the table's domain is to be after the commit.
  Result<delta::DomainMetadata> Remember(const TableTarget& target, engines::Connection& connection, const std::string& select,
                                         const StageOptions& options);

 private:
  struct File {
    std::string path;   // below the table's root
    int64_t until = 0;  // milliseconds: when all of it may be forgotten
  };
  Status Load(const delta::DomainMetadata& domain);
  delta::DomainMetadata Render() const;

  std::string root_;  // the table's, as the engine names it
  contract::Schema schema_;
  std::vector<std::string> key_, sequence_;
  std::vector<File> files_;
};

}  // namespace sluice::tables
