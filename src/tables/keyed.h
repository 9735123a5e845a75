#pragma once
// What merge, scd2 and interval share: their source as a temporary table, the target's rows with their places, SQL over columns.
#include <memory>
#include <string>
#include <vector>

#include "tables/prune.h"
#include "tables/row_writer.h"
#include "tables/table_plan.h"

namespace sluice::tables {

// Temporary tables of one computation; dropped with it.
class TempTables {
 public:
  TempTables(engines::Connection& connection, const StageOptions& options);
  ~TempTables();
  TempTables(const TempTables&) = delete;
  std::string Name(const std::string& suffix) const { return prefix_ + suffix; }
  // CREATE TEMP TABLE Name(suffix) AS select.
  Status Create(const std::string& suffix, const std::string& select, const std::vector<engines::Parameter>& params = {});
  // INSERT INTO Name(suffix), which Create made, by position.
  Status Insert(const std::string& suffix, const std::string& select, const std::vector<engines::Parameter>& params = {});
  Result<int64_t> Count(const std::string& select);  // SELECT count(*) FROM (select)

 private:
  engines::Connection& connection_;
  std::string prefix_;
  std::vector<std::string> created_;
};

// The names under which a target's scan has each row's file (its delta::FileLocation) and number.
inline constexpr const char* kFileColumn = "__sluice_path";
inline constexpr const char* kRowColumn = "__sluice_row";

// The table's rows as `plan` has them, with kFileColumn and kRowColumn; `only`: of these files.
Result<std::string> TargetRows(const TableTarget& target, const TablePlan& plan, const std::vector<const delta::Add*>& files);
std::vector<const delta::Add*> FilesOf(const TableTarget& target);
delta::ColumnMapping MappingOf(const TableTarget& target);
FileFacts FactsOf(const TableTarget& target, const TablePlan& plan);  // refers to `plan`
// The adds at these locations.
std::vector<const delta::Add*> FilesAt(const TableTarget& target, const std::vector<std::vector<std::optional<std::string>>>& locations);

// Errors "unknown-column" naming `what` and whose column it is not; gives the names as the schema spells them.
Result<std::vector<std::string>> KnownColumns(const contract::Schema& schema, const std::vector<std::string>& names,
                                              const std::string& what, const std::string& table = "this model");

// `SELECT casts, deleted FROM source`: the columns with the plan's types, and `__deleted`, true where delete_when is.
std::string TypedSource(const Source& source, const contract::Schema& schema, const std::vector<std::string>& columns,
                        const std::string& delete_when);

// Where the rows bring columns that the table generates: do they have the values that are computed? Errors: those of CheckGenerated.
// TypedSource passes these columns over.
Status CheckBrought(const TableTarget& target, const TablePlan& plan, engines::Connection& connection, const Source& source);

// Column lists as SQL; `alias` "" for none.
std::string Columns(const std::string& alias, const std::vector<std::string>& names);
// a.x IS NOT DISTINCT FROM b.x AND …; "true" for none.
std::string SameValues(const std::string& a, const std::string& b, const std::vector<std::string>& names);
// a.k = b.k AND …
std::string SameKey(const std::string& a, const std::string& b, const std::vector<std::string>& key);
std::string AnyNull(const std::vector<std::string>& names);

// "order_id = 17, region = EU" of the first row of `select`, whose columns are the key's.
Result<std::optional<std::string>> FirstKey(engines::Connection& connection, const std::vector<std::string>& key,
                                            const std::string& select);

// Fails with "null-key" if `table` has NULL in a key column.
Status CheckKeys(engines::Connection& connection, const TableTarget& target, const std::vector<std::string>& key, const std::string& table);

}  // namespace sluice::tables
