#pragma once
// The table-level half of a change: which schema, protocol and metadata it will have. Pure, but for reading clock and randomness.
#include <optional>
#include <string>
#include <vector>

#include "delta/actions.h"
#include "tables/change.h"
#include "tables/data_file_writer.h"

namespace sluice::tables {

struct TablePlan {
  contract::Schema schema;  // generated columns included
  std::vector<std::string> partition_columns;
  std::optional<delta::Protocol> protocol;  // where it must change
  std::optional<delta::Metadata> metadata;  // where it must change
  std::string table_id;
  int64_t read_version = -1;
  bool schema_changed = false;       // worth a commit even without rows (a creation is)
  std::vector<std::string> widened;  // columns whose present files must be rewritten
  FileRules rules;                   // of the files that the change writes

  std::vector<std::string> InputColumns() const;  // of the schema, without generated ones
  std::vector<std::string> AllColumns() const;    // these, and then the generated ones: of rows that stay as they are
};

enum class Freedom {
  kEvolve,   // rows of before stay: columns may be added and widened
  kReplace,  // no row of before stays
};

// Errors: kUser "schema-change" naming what would break readers; kUnsupported "unsupported-feature" for features, properties and
// generated columns that Sluice cannot write; those of ResolvePartitioning.
Result<TablePlan> PlanTable(const TableTarget& target, Freedom freedom, const StageOptions& options);

// The table stays as it is: for operations on rows of any table, whoever made it. Errors: features that Sluice cannot write.
Result<TablePlan> PlanUnchanged(const TableTarget& target);

// May rows be marked as gone by deletion vectors? Does the table, as planned, keep its change data?
bool MayMarkRows(const TableTarget& target);
bool KeepsChangeData(const TableTarget& target, const TablePlan& plan);
// The table's protocol as a commit with a metadata domain needs it.
Status RequireDomains(const TableTarget& target, TablePlan* plan);
// The table's protocol and properties as a commit with deletion vectors needs them.
Status EnableDeletionVectors(const TableTarget& target, TablePlan* plan);

Clock& ClockOf(const StageOptions& options);
Random& RandomOf(const StageOptions& options);

// The change that adds `added`, removes `removed` and brings the table to `plan`. `operation` as Spark names it.
struct CommitParts {
  std::vector<StagedFile> added;
  std::vector<const delta::Add*> removed;
  std::vector<delta::Add> marked;  // of the removed, those that stay, with another deletion vector
  std::vector<delta::CdcFile> change_data;
  std::optional<delta::DomainMetadata> domain;  // RequireDomains is the caller's
  bool data_change = true;                      // false: the rows stay, only their files are others
  delta::ReadScope reads = delta::ReadScope::kNothing;
  delta::AnyPartitionConditions read_where;  // of kPartitions
  std::string operation;
  std::map<std::string, std::string> parameters;  // JSON texts
  ChangeCounts counts;
};
// `where`: what was read; nullopt for the whole table.
void SetReads(std::optional<delta::AnyPartitionConditions> where, CommitParts* parts);
// Error: kUser "append-only-table" where the table keeps its rows and this change does not.
Result<StagedChange> MakeChange(const TableTarget& target, TablePlan plan, CommitParts parts, const StageOptions& options);
// A change of nothing: the table stays as it is.
StagedChange NoChange(const TablePlan& plan, ChangeCounts counts);

}  // namespace sluice::tables
