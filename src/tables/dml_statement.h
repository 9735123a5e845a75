#pragma once
// What UPDATE, DELETE and MERGE share: which files they read, their temporary table of rows that leave or change, the commit.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "tables/assignments.h"
#include "tables/dml.h"
#include "tables/read_where.h"
#include "tables/row_change.h"

namespace sluice::tables {

inline std::string OrTrue(const std::string& condition) { return condition.empty() ? "true" : "(" + condition + ")"; }

class Statement {
 public:
  Statement(const TableTarget& target, engines::Connection& connection, const StageOptions& options)
      : target_(target), connection_(connection), options_(options), temp_(connection, options) {}

 protected:
  Status Plan();
  // From here on Own gives a name that is none of these.
  void Avoid(const std::vector<std::string>& names);
  // The name of a column of ours beside the table's and the source's, which may have any.
  std::string Own(const std::string& name) const { return own_ + name; }
  std::string T(const std::string& suffix) const { return temp_.Name(suffix); }
  // SELECT items: our file and row.
  std::string Place() const;

  // The rows of the files that can have one for which `where` holds; and what that reads.
  Result<std::string> RowsWhere(const std::string& where);
  // The files that can have a row for which one of `any` holds. Which rows were read is told by partitions only: what another writer puts
  // into one of these may meet the conditions whatever the bounds of the files that were there.
  Result<std::vector<const delta::Add*>> FilesWhere(const engines::AnyConditions& any);

  Result<std::vector<ColumnValue>> Resolved(const std::vector<Assignment>& set, const std::string& from, bool has_target);
  // Fails with what a row of T(suffix) has in our column broken.
  Status RefuseBroken(const std::string& suffix);

  // Of T("hit").
  Result<int64_t> CountOf(const std::string& condition) { return temp_.Count(fmt::format("FROM {} WHERE {}", T("hit"), condition)); }
  // hit has our file, row and updated and, of updated rows, all columns; `inserted` is a SELECT of rows that come, or "".
  Result<StagedChange> Write(CommitParts parts, const std::string& inserted);

  const TableTarget& target_;
  engines::Connection& connection_;
  const StageOptions& options_;
  TempTables temp_;
  TablePlan plan_;
  std::vector<std::string> columns_;  // those that are given values
  std::string own_ = "__own_";
  ReadWhere read_where_;
};

}  // namespace sluice::tables
