#include "tables/restore.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "delta/deletion_vector.h"
#include "delta/json_text.h"
#include "delta/path.h"
#include "delta/restored_metadata.h"
#include "tables/file_stats.h"
#include "tables/keyed.h"
#include "tables/table_plan.h"
#include "tables/tombstones.h"

namespace sluice::tables {
namespace {

// What tells logical files apart (PROTOCOL.md, "Add File and Remove File").
std::string Identity(const delta::Add& add) {
  return delta::PathKey(add.path) + '\n' + (add.deletion_vector ? delta::UniqueId(*add.deletion_vector) : "");
}

std::map<std::string, const delta::Add*> FilesByIdentity(const delta::Snapshot& snapshot) {
  std::map<std::string, const delta::Add*> files;
  for (const delta::Add& add : snapshot.files) files[Identity(add)] = &add;
  return files;
}

// Those of `a` that `b` does not have.
std::vector<const delta::Add*> Without(const delta::Snapshot& a, const delta::Snapshot& b) {
  const auto others = FilesByIdentity(b);
  std::vector<const delta::Add*> files;
  for (const delta::Add& add : a.files)
    if (!others.contains(Identity(add))) files.push_back(&add);
  return files;
}

Result<bool> Exists(store::ObjectStore& store, const std::string& key) {
  const auto found = store.Head(key);
  if (!found && found.error().kind != ErrorKind::kNotFound) return Fail(found.error());
  return found.has_value();
}

// Paths that are not there any more.
Result<std::vector<std::string>> Missing(const TableTarget& target, const std::vector<const delta::Add*>& files) {
  std::vector<std::string> missing;
  for (const delta::Add* add : files) {
    if (!delta::IsAbsolutePath(add->path)) {
      SLUICE_TRY(const bool there, Exists(*target.store, delta::StoreKey(target.root, add->path)));
      if (!there) missing.push_back(add->path);
    }
    if (!add->deletion_vector) continue;
    const auto vector = delta::DeletionVectorFile(*target.store, target.root, *add->deletion_vector);
    if (!vector) continue;
    SLUICE_TRY(const bool there, Exists(*target.store, target.root + "/" + *vector));
    if (!there) missing.push_back(*vector);
  }
  return missing;
}

}  // namespace

std::vector<delta::Add> FilesWithout(const delta::Snapshot& a, const delta::Snapshot& b) {
  std::vector<delta::Add> files;
  for (const delta::Add* add : Without(a, b)) files.push_back(*add);
  return files;
}

Result<StagedChange> StageRestore(const TableTarget& target, int64_t version, const StageOptions& options) {
  SLUICE_TRY(TablePlan plan, PlanUnchanged(target));
  const delta::Snapshot& now = *target.snapshot;
  SLUICE_TRY(const delta::Snapshot then, delta::LoadSnapshot(*target.store, target.root, version));
  if (then.metadata.id != now.metadata.id)
    return Fail(ConflictError("restore-impossible", fmt::format("{}: version {} is of another table", target.name, version)));
  const auto again = Without(then, now);
  SLUICE_TRY(const auto missing, Missing(target, again));
  if (!missing.empty())
    return Fail(
        ConflictError("restore-impossible", fmt::format("{}: version {} cannot be restored, {} of its files {} gone: {}", target.name,
                                                        version, missing.size(), missing.size() == 1 ? "is" : "are", Join(missing, ", ")))
            .Hint(fmt::format("VACUUM has removed what no version within the retention needs: choose a later one (sluice table history {})",
                              target.name)));
  CommitParts parts;
  parts.removed = Without(now, then);
  for (const delta::Add* add : again) {
    delta::Add file = *add;
    file.data_change = true;
    const int64_t rows = RowsOf(*add).value_or(0);
    parts.added.push_back({std::move(file), rows});
  }
  plan.schema = then.schema;
  plan.partition_columns = then.metadata.partition_columns;
  SLUICE_TRY(delta::Metadata metadata, delta::RestoredMetadata(then, now));
  if (!(metadata == now.metadata)) plan.metadata = std::move(metadata);
  if (const auto it = then.domains.find(kTombstoneDomain); it != then.domains.end())
    parts.domain = it->second;
  else if (now.domains.contains(kTombstoneDomain))
    parts.domain = delta::DomainMetadata{kTombstoneDomain, "", true};
  if (parts.added.empty() && parts.removed.empty() && !plan.metadata) return NoChange(plan, {});
  parts.reads = delta::ReadScope::kWholeTable;
  parts.operation = "RESTORE";
  parts.parameters = {{"version", std::to_string(version)}, {"timestamp", "null"}};
  return MakeChange(target, std::move(plan), std::move(parts), options);
}

Result<std::string> DiffSql(store::ObjectStore& store, std::string_view table_root, const delta::Snapshot& from, const delta::Snapshot& to,
                            const std::vector<std::string>& key) {
  SLUICE_TRY(const auto known, KnownColumns(to.schema, key, "key"));
  std::vector<std::string> compared;
  for (const auto& field : to.schema.fields) {
    const auto same = [&](const std::string& name) { return EqualsIgnoreCase(name, field.name); };
    const bool both = from.schema.Find(field.name) != nullptr && !contract::IsMetadataColumn(field.name);
    if (both && std::none_of(known.begin(), known.end(), same)) compared.push_back(field.name);
  }
  const auto rows = [&](const delta::Snapshot& snapshot, const delta::Snapshot& other) -> Result<std::string> {
    const auto mapping = delta::ColumnMappingOf(snapshot.protocol, snapshot.metadata);
    SLUICE_TRY(Scan scan,
               ScanFiles(store, table_root, {snapshot.schema, snapshot.metadata.partition_columns, mapping, Without(snapshot, other)}));
    return std::move(scan.sql);
  };
  SLUICE_TRY(const std::string before, rows(from, to));
  SLUICE_TRY(const std::string after, rows(to, from));
  std::vector<std::string> keys, match, names;
  for (const std::string& name : known) {
    keys.push_back(fmt::format("coalesce(b.{0}, a.{0}) AS {0}", QuoteIdentifier(name)));
    match.push_back(fmt::format("a.{0} IS NOT DISTINCT FROM b.{0}", QuoteIdentifier(name)));
  }
  for (const std::string& name : compared)
    names.push_back(fmt::format(
        "CASE WHEN a.{0} IS DISTINCT FROM b.{0} THEN struct_pack(name := {1}, before := CAST(a.{0} AS VARCHAR), after := CAST(b.{0} AS "
        "VARCHAR)) END",
        QuoteIdentifier(name), QuoteLiteral(name)));
  const std::string differing =
      fmt::format("CASE WHEN a.__there AND b.__there THEN list_filter([{}], lambda x: x IS NOT NULL) ELSE [] END",
                  names.empty() ? "CAST(NULL AS STRUCT(name VARCHAR, before VARCHAR, after VARCHAR))" : Join(names, ", "));
  return fmt::format(
      "SELECT * EXCLUDE (__differing), list_transform(__differing, lambda x: x.name) AS columns, list_transform(__differing, lambda x: "
      "x.before) AS before, "
      "list_transform(__differing, lambda x: x.after) AS after FROM (SELECT CASE WHEN a.__there IS NULL THEN 'added' WHEN b.__there IS "
      "NULL THEN 'removed' "
      "ELSE 'changed' END AS change, {}, {} AS __differing FROM (SELECT *, true AS __there FROM {}) a FULL JOIN (SELECT *, true AS __there "
      "FROM {}) b ON {}) "
      "WHERE change <> 'changed' OR len(__differing) > 0",
      Join(keys, ", "), differing, before, after, Join(match, " AND "));
}

}  // namespace sluice::tables
