#pragma once
// Rows leave a table, others come, in one prepared commit: by deletion vectors where the target permits, else by writing the files
// that hold the leaving rows anew without them: large ones column by column, small ones together, row by row. Shared by merge, scd2,
// interval, UPDATE and DELETE. Writes the change data too where the table keeps it.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tables/keyed.h"

namespace sluice::tables {

enum class Arrival { kInsert, kUpdate };

class RowChange {
 public:
  // `gone`: a table with the places of the leaving rows, as kFileColumn and kRowColumn give them, in its columns file and row, each
  // once, and `updated`: does the row come again with other values? A widened column rewrites all files. All referenced values must
  // outlive it.
  static Result<std::unique_ptr<RowChange>> Start(const TableTarget& target, engines::Connection& connection, const TablePlan& plan,
                                                  const StageOptions& options, const std::string& gone);

  // All rows of the files that lose some, the leaving ones too, with kFileColumn and kRowColumn; for FROM.
  const std::string& touched() const { return touched_; }
  // Adds the rows of a SELECT, columns matched by name.
  Status Put(const std::string& select, Arrival arrival);
  // The commit; `parts` gives operation, parameters and counts; and the partitions that were read, where not the whole table was.
  Result<StagedChange> Finish(CommitParts parts);

 private:
  using Places = std::map<std::string, std::vector<int64_t>>;  // file → its leaving rows, ascending

  RowChange(const TableTarget& target, engines::Connection& connection, const TablePlan& plan, const StageOptions& options)
      : target_(target), connection_(connection), plan_(plan), options_(options) {}
  Status FindTouched(const std::string& gone);
  Result<Places> ReadPlaces(const std::string& gone);
  Status MarkRows(const std::string& gone);
  Status RewriteFiles(const std::string& gone);
  Status CopyFiles(Places places, std::vector<const delta::Add*>* rest);
  Status RewriteRows(const std::vector<const delta::Add*>& files, const std::string& gone);
  Status PutChangeData(const std::string& select, Brought brought);
  Status KeepGone(const std::string& gone);

  const TableTarget& target_;
  engines::Connection& connection_;
  TablePlan plan_;
  const StageOptions& options_;
  std::vector<const delta::Add*> removed_;
  std::vector<delta::Add> marked_;  // of these, those that stay with another deletion vector
  std::vector<StagedFile> copied_;  // in place of these: the rows that stay
  std::string touched_;
  std::unique_ptr<RowWriter> writer_, change_data_;
};

}  // namespace sluice::tables
