#pragma once
// The table-level half of a change: which schema, protocol and metadata it will have. Pure, but for reading clock and randomness.
#include <optional>
#include <string>
#include <vector>

#include "delta/actions.h"
#include "tables/change.h"

namespace sluice::tables {

struct TablePlan {
  contract::Schema schema;  // generated partition columns included
  std::vector<std::string> partition_columns;
  std::optional<delta::Protocol> protocol;  // where it must change
  std::optional<delta::Metadata> metadata;  // where it must change
  std::string table_id;
  int64_t read_version = -1;
  bool schema_changed = false;       // worth a commit even without rows (a creation is)
  std::vector<std::string> widened;  // columns whose present files must be rewritten

  std::vector<std::string> InputColumns() const;  // of the schema, without generated ones
};

enum class Freedom {
  kEvolve,   // rows of before stay: columns may be added and widened
  kReplace,  // no row of before stays
};

// Errors: kUser "schema-change" naming what would break readers; kUnsupported for features that Sluice cannot write; those of
// ResolvePartitioning.
Result<TablePlan> PlanTable(const TableTarget& target, Freedom freedom, const StageOptions& options);

// The lowest protocol that does for `schema` and is not lower than `current`.
delta::Protocol ProtocolFor(const contract::Schema& schema, const std::optional<delta::Protocol>& current);

Clock& ClockOf(const StageOptions& options);
Random& RandomOf(const StageOptions& options);

// The change that adds `added`, removes `removed` and brings the table to `plan`. `operation` as Spark names it.
struct CommitParts {
  std::vector<StagedFile> added;
  std::vector<const delta::Add*> removed;
  delta::ReadScope reads = delta::ReadScope::kNothing;
  std::string operation;
  std::map<std::string, std::string> parameters;  // JSON texts
  ChangeCounts counts;
};
StagedChange MakeChange(const TableTarget& target, TablePlan plan, CommitParts parts, const StageOptions& options);
// A change of nothing: the table stays as it is.
StagedChange NoChange(const TablePlan& plan, ChangeCounts counts);

}  // namespace sluice::tables
