#include "tables/dml.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/dml_statement.h"

namespace sluice::tables {
namespace {

class Delete : Statement {
 public:
  using Statement::Statement;
  Result<StagedChange> Stage(const std::string& where) {
    SLUICE_CHECK(Plan());
    SLUICE_TRY(const std::string rows, RowsWhere(where));
    SLUICE_CHECK(
        temp_.Create("hit", fmt::format("SELECT {}, false AS {} FROM {} target WHERE {}", Place(), Own("updated"), rows, OrTrue(where))));
    CommitParts parts;
    SLUICE_TRY(parts.counts.deleted, CountOf("true"));
    if (parts.counts.deleted == 0) return NoChange(plan_, parts.counts);
    parts.operation = "DELETE";
    parts.parameters = {{"predicate", delta::JsonString(OrTrue(where))}};
    return Write(std::move(parts), "");
  }
};

class Update : Statement {
 public:
  using Statement::Statement;
  Result<StagedChange> Stage(const std::vector<Assignment>& assignments, const std::string& where) {
    SLUICE_CHECK(Plan());
    SLUICE_TRY(const auto set, Resolved(assignments, EmptyRelation(plan_.schema, "target"), true));
    if (set.empty()) return Fail(UserError("bad-update", fmt::format("{}: an UPDATE needs a column to set", target_.name)));
    std::vector<std::string> items, differs, broken = {"CAST(NULL AS VARCHAR)"};
    for (const std::string& column : columns_) {
      const auto at = std::find_if(set.begin(), set.end(), [&](const ColumnValue& value) { return value.column == column; });
      const std::string name = QuoteIdentifier(column);
      if (at == set.end()) {
        items.push_back("target." + name);
        continue;
      }
      items.push_back(fmt::format("{} AS {}", at->value, name));
      differs.push_back(fmt::format("{} IS DISTINCT FROM target.{}", at->value, name));
      if (at->broken.empty()) continue;
      broken.push_back(at->broken);
      differs.push_back(at->broken + " IS NOT NULL");
    }
    SLUICE_TRY(const std::string rows, RowsWhere(where));
    SLUICE_CHECK(temp_.Create(
        "hit", fmt::format("SELECT {}, true AS {}, coalesce({}) AS {}, {} FROM {} target WHERE {} AND ({})", Place(), Own("updated"),
                           Join(broken, ", "), Own("broken"), Join(items, ", "), rows, OrTrue(where), Join(differs, " OR "))));
    SLUICE_CHECK(RefuseBroken("hit"));
    CommitParts parts;
    SLUICE_TRY(parts.counts.changed, CountOf("true"));
    if (parts.counts.changed == 0) return NoChange(plan_, parts.counts);
    parts.operation = "UPDATE";
    parts.parameters = {{"predicate", delta::JsonString(OrTrue(where))}};
    return Write(std::move(parts), "");
  }
};

}  // namespace

Result<StagedChange> StageDelete(const TableTarget& target, engines::Connection& connection, const std::string& where,
                                 const StageOptions& options) {
  return Delete(target, connection, options).Stage(where);
}

Result<StagedChange> StageUpdate(const TableTarget& target, engines::Connection& connection, const std::vector<Assignment>& set,
                                 const std::string& where, const StageOptions& options) {
  return Update(target, connection, options).Stage(set, where);
}

}  // namespace sluice::tables
